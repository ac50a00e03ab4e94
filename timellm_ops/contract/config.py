"""What a run is made of: the sections and keys of a configuration file, with their bounds.

A field's annotation is the whole rule for that field alone; rules that span several fields are
in `validation`. Every key has a default except the data set, so a config holds only what differs.
"""

from typing import Annotated, Literal

from msgspec import Meta

from timellm_ops.contract.policy_sections import (
    BatterySection,
    DiskSection,
    HealthSection,
    PowerSection,
    ScheduleSection,
    SharingSection,
    VramSection,
)
from timellm_ops.contract.run_name import RUN_NAME
from timellm_ops.contract.section import (
    Celsius,
    NotNegative,
    Positive,
    PositiveFloat,
    Rate,
    Seconds,
    Section,
)


class RunSection(Section, frozen=True, kw_only=True):
    """`[run]`: the run's name and its randomness."""

    name: Annotated[str, Meta(pattern=rf"^({RUN_NAME})?\Z")] = ""
    """Part of the run's id; empty means the config file's own name."""
    seed: Annotated[int, Meta(ge=0, lt=2**31)] = 2021
    """Of everything that is drawn: initial weights, order, dropout, synthetic data."""
    deterministic: bool = True
    """Only kernels that give the same bits every time; costs little, and exact resume needs it."""


Published = Literal[
    "ETTh1", "ETTh2", "ETTm1", "ETTm2", "Weather", "ECL", "Traffic", "Exchange", "ILI"
]
"""Data sets that forecasting papers share, with the splits that they share."""


class DataSection(Section, frozen=True, kw_only=True):
    """`[data]`: which series, which windows of it, and how the rows are split."""

    dataset: Published | Literal["synthetic", "custom"]
    """A published data set by its name, `synthetic`, or `custom` for a file of your own."""
    path: str = ""
    """A CSV or Parquet file, relative to the config file; empty: look it up by the data set."""
    date_column: Annotated[str, Meta(min_length=1)] = "date"
    """The column of timestamps."""
    target: Annotated[str, Meta(min_length=1)] = "OT"
    """The column that `S` and `MS` are about."""
    features: Literal["M", "S", "MS"] = "M"
    """`M`: every column forecasts itself; `S`: the target alone; `MS`: trained on every column,
    validated and tested on the target."""
    seq_len: Positive = 512
    """Steps of history that a forecast sees."""
    pred_len: Positive = 96
    """Steps that it forecasts."""
    percent: Annotated[int, Meta(ge=1, le=100)] = 100
    """Share of the training rows that is used, from the start of the training split (few-shot)."""
    train_ratio: Annotated[float, Meta(gt=0.0, lt=1.0)] = 0.7
    """Share of the rows to train on. Published data sets have splits of their own."""
    test_ratio: Annotated[float, Meta(gt=0.0, lt=1.0)] = 0.2
    """Share of the rows to test on; validation gets what is left between the two."""
    train_end: str = ""
    """First timestamp after the training rows; with `vali_end`, instead of the ratios."""
    vali_end: str = ""
    """First timestamp after the validation rows; testing begins there."""
    test_end: str = ""
    """First timestamp after the test rows; empty: to the end of the file."""
    frequency: str = ""
    """Time between two rows, such as `15min`, `1h` or `1d`; empty: inferred from the file."""
    missing: Literal["error", "previous", "interpolate"] = "error"
    """Cells without a finite number: refuse, take the value before, or draw a line between."""
    duplicates: Literal["error", "first", "last", "mean"] = "error"
    """Rows with the same timestamp: refuse, keep one, or take their mean."""
    unordered: Literal["error", "sort"] = "error"
    """Timestamps that go back: refuse, or sort the rows."""
    gaps: Literal["report", "error", "fill"] = "report"
    """Timestamps that are skipped: say so, refuse, or add rows and treat them as `missing`."""
    constant: Literal["report", "error", "drop"] = "report"
    """Columns that never change in the training rows: say so, refuse, or leave them out."""
    synthetic_rows: Annotated[int, Meta(ge=100)] = 4000
    """Length of the synthetic series."""
    synthetic_columns: Annotated[int, Meta(ge=1, le=64)] = 3
    """Columns of the synthetic series."""


class ModelSection(Section, frozen=True, kw_only=True):
    """`[model]`: the trainable part of Time-LLM (paper section 3)."""

    patch_len: Positive = 16
    """Steps in a patch."""
    stride: Positive = 8
    """Steps from one patch to the next; below `patch_len`, patches overlap."""
    d_model: Positive = 32
    """Width of an embedded patch."""
    n_heads: Positive = 8
    """Heads of the attention from patches to prototypes; has nothing to do with GPUs."""
    d_ff: Positive = 32
    """Width of a reprogramming head, and how many hidden dimensions of the backbone are read."""
    num_prototypes: Positive = 1000
    """Text prototypes, each a mixture of the backbone's word embeddings."""
    prototypes: Literal["mapping", "direct"] = "direct"
    """`direct`: the prototypes themselves are learned; `mapping`: a linear map of the frozen word
    embeddings that makes them, as published. The same functions from the same beginning, but
    `direct` has less work and as good errors."""
    prototype_rate: PositiveFloat = 1.0
    """Learning rate of `direct` prototypes, as a multiple of the schedule's."""
    dropout: Rate = 0.1
    """Share of embedded patches and forecasts that is dropped in training."""
    attention_dropout: Rate = 0.1
    """Share of the attention's weights that is dropped in training."""
    head_start: Literal["drawn", "solved"] = "drawn"
    """`drawn`: the head begins at random, as published; `solved`: by least squares over training
    windows, on what the backbone says of them before anything is trained."""
    window_noise: NotNegative = 0.0
    """Deviation of the noise that is added in training to the normalised windows that patches are
    cut from; their prompts stay. Keeps forecasts from leaning on small differences."""


class BackboneSection(Section, frozen=True, kw_only=True):
    """`[backbone]`: the frozen language model."""

    source: Annotated[str, Meta(min_length=1)] = "embedded"
    """`embedded`, a local folder (relative to the config file), or a hub id such as `org/name`."""
    layers: Positive | None = None
    """Keep the first so many layers; absent means all. More than the backbone has is an error."""
    dtype: Literal["float32", "bfloat16", "int8", "nf4"] = "float32"
    """In which precision the frozen weights are held. `int8` and `nf4` (4 bits): those of matrix
    products, the others in bfloat16; they need `pip install 'timellm-ops[small]'`."""


class PromptSection(Section, frozen=True, kw_only=True):
    """`[prompt]`: the text in front of the patches."""

    padding: Literal["masked", "reference"] = "masked"
    """`masked`: a forecast does not depend on its batch-mates; `reference`: padded as published."""
    description: str = ""
    """What the data set is; empty means the project's own text for a known data set."""
    statistics: bool = True
    """Whether a prompt also says its window's least, largest and median value, its trend and its
    lags, as published. Without them all windows have one prompt, which is read once for all."""


class TrainSection(Section, frozen=True, kw_only=True):
    """`[train]`: the optimisation."""

    epochs: Positive = 10
    """Times through the training windows."""
    batch_size: Positive = 32
    """Windows in a step; a window is one column's."""
    drop_last: bool = False
    """Leave out an epoch's last, smaller batch, as the published code does."""
    accumulate: Positive = 1
    """Pieces that a batch is computed in, one after the other, to need less memory."""
    activation_checkpointing: bool = False
    """Compute layers again in the backward pass instead of keeping what they made: less memory,
    more time, the same result."""
    eval_batch_size: Positive = 256
    """Windows at once in an evaluation; no part of the result."""
    loss: Literal["mse", "mae", "huber", "weighted_mse"] = "mse"
    """What training makes small; `weighted_mse` divides squared errors by the deviation of their
    window. Validation and test always report MSE and MAE."""
    huber_delta: PositiveFloat = 1.0
    """Where `huber` turns from squared to absolute, in deviations of the column."""
    optimiser: Literal["adam", "adamw", "sgd"] = "adam"
    """`adam`, as published; `adamw` with decoupled weight decay; `sgd` with momentum 0.9."""
    optimiser_state: Literal["fp32", "int8", "paged"] = "fp32"
    """What Adam remembers of each weight: in float32; in 8 bits; or in 8 bits, and in the main
    memory while a GPU's is full. The last two need `pip install 'timellm-ops[small]'`."""
    weight_decay: NotNegative = 0.0
    """Decay of the trainable weights."""
    learning_rate: PositiveFloat = 1e-3
    """The highest rate of the schedule."""
    schedule: Literal["onecycle", "cosine", "type1", "type2", "type3", "constant"] = "onecycle"
    """How the rate goes over all steps; the types are those of the published code."""
    pct_start: Annotated[float, Meta(gt=0.0, lt=1.0)] = 0.2
    """Share of all steps that the one-cycle schedule spends rising."""
    warmup_steps: Annotated[int, Meta(ge=0)] = 0
    """Steps over which the rate first rises from nothing, under any other schedule."""
    clip_norm: PositiveFloat | None = None
    """Longest gradient, over all trainable weights together; absent means as it comes."""
    precision: Literal["fp32", "bf16"] = "fp32"
    """`bf16`: matrix products in bfloat16; weights, normalisation, loss and optimiser stay fp32."""
    compile: bool = False
    """Compile the backbone's feed-forward parts by `torch.compile`, at each start anew. It does not
    pay on a CPU; try it on a GPU. Last bits are others, so it cannot be changed on the way."""
    cuda_graphs: bool = True
    """On a GPU, record a step and launch it whole, where there is memory for that: launching takes
    longer than computing where model or batch are small. The same to the bit. Not with batches in
    pieces (`accumulate`)."""
    patience: Positive = 10
    """Epochs without a better validation loss before training ends early."""
    min_delta: NotNegative = 0.0
    """How much lower a validation loss must be to count as better."""
    test: Literal["each_epoch", "end", "never"] = "each_epoch"
    """When the test windows are evaluated. They never decide anything."""
    log_every: Positive = 100
    """Steps between two progress records in the published format."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """Where to train; `auto`: the GPU where there is one."""
    threads: Positive | None = None
    """CPU threads; absent means what the machine offers."""


class CheckpointSection(Section, frozen=True, kw_only=True):
    """`[checkpoint]`: when the run's position is saved besides each epoch's end."""

    every_minutes: PositiveFloat = 10.0
    """How old `last` may become; so much work is lost at worst."""
    every_steps: Positive | None = None
    """Save `last` also every so many steps; absent means by time alone."""
    keep: Annotated[int, Meta(ge=0)] = 0
    """How many of those saves stay as `step-N`, the newest ones; 0 means `last` alone."""


class SimulatedGpuSection(Section, frozen=True, kw_only=True):
    """`[gpu.simulated]`: a lumped thermal model, used only when asked for."""

    ambient_c: Annotated[float, Meta(ge=-20.0, le=80.0)] = 25.0
    """Temperature of the room."""
    idle_power_w: PositiveFloat = 15.0
    """Power when nothing is computed."""
    load_power_w: PositiveFloat = 115.0
    """Power when the engine computes all the time."""
    resistance_c_per_w: PositiveFloat = 0.5
    """Degrees above ambient per watt, once settled."""
    time_constant_s: PositiveFloat = 90.0
    """How slowly it warms and cools: 63 % of the way in this time."""
    chip_c_per_w: NotNegative = 0.0
    """Degrees per watt that the chip itself is warmer than what cools it, on top of
    `resistance_c_per_w`: they come and go within seconds."""
    chip_time_constant_s: PositiveFloat = 1.0
    """How slowly the chip's own degrees come and go: 63 % of the way in this time."""
    throttle_c: Celsius = 87.0
    """Where the card slows itself down."""
    shutdown_c: Celsius = 100.0
    """Where the card turns itself off."""
    memory_total_mib: Positive = 6144
    """Memory that the card has."""
    memory_load_mib: Positive = 5742
    """Memory in use while the engine runs."""
    time_scale: PositiveFloat = 1.0
    """Simulated seconds per real second, for rehearsals."""
    speed_exponent: Annotated[float, Meta(gt=0.0, le=1.0)] = 0.5
    """Clocks go with (power above idle) to this power; 1/3 to 1/2 on real cards, 1: no gain."""
    lowest_limit_w: PositiveFloat = 60.0
    """The lowest power limit that can be set; the highest is `load_power_w`."""
    noise_c: NotNegative = 0.0
    """Deviation of the noise on each temperature that is read."""
    whole_degrees: bool = False
    """Whether temperatures are read in whole degrees, as NVIDIA's driver tells them."""
    late_s: Annotated[float, Meta(ge=0.0, le=60.0)] = 0.0
    """How old a temperature is when it is read, in simulated seconds."""


class GpuSection(Section, frozen=True, kw_only=True):
    """`[gpu]`: where telemetry comes from."""

    probe: Literal["auto", "nvml", "simulated", "none"] = "auto"
    """`nvml`: the NVIDIA driver; `simulated`: a model; `auto`: the driver where there is one."""
    index: Annotated[int, Meta(ge=0)] = 0
    """Which GPU, counted from 0 in the order of PCI addresses, as `nvidia-smi` does."""
    uuid: Annotated[
        str,
        Meta(
            pattern=r"^((GPU|MIG)-[0-9A-Za-z/-]{1,90})?\Z",
            extra={"words": 'that begins like "GPU-8f6d" or is a whole "MIG-…"'},
        ),
    ] = ""
    """Which GPU, by its UUID as `nvidia-smi -L` shows it, instead of `index`; a GPU's
    beginning is enough. A MIG slice has one too."""
    share: bool = False
    """Whether a run may start on a GPU that another run of yours has, or that is nearly full."""
    poll_s: Annotated[float, Meta(ge=0.05, le=60.0)] = 1.0
    """Time between two readings."""
    deadline_s: Annotated[float, Meta(ge=0.1, le=120.0)] = 5.0
    """How long one reading may take before the probe is replaced."""
    simulated: SimulatedGpuSection = SimulatedGpuSection()


class HostSection(Section, frozen=True, kw_only=True):
    """`[host]`: telemetry of the machine around the GPU: processors, memory, disk, battery."""

    enabled: bool = True
    """Whether it is read at all."""
    poll_s: Annotated[float, Meta(ge=1.0, le=3600.0)] = 10.0
    """Time between two readings."""


class ThermalSection(Section, frozen=True, kw_only=True):
    """`[policy.thermal]`: when heat pauses a run and when it may go on."""

    enabled: bool = True
    """Whether heat may pause and stop the run at all."""
    pause_above_c: Celsius = 85.0
    """Above this the engine is paused."""
    resume_below_c: Celsius = 75.0
    """Below this it goes on."""
    samples: Positive = 3
    """So many of the last `window` readings must agree before anything is done."""
    window: Positive = 5
    """How many readings are looked at."""
    min_dwell_s: Seconds = 30.0
    """Shortest time between a pause and its resume, and between a resume and the next pause."""
    emergency_c: Celsius | None = None
    """Checkpoint and stop at this temperature; absent means 3 °C below the card's own shutdown."""
    unknown_after_s: PositiveFloat = 30.0
    """How long the temperature may be unknown before that counts."""
    unknown_action: Literal["pause", "continue", "stop"] = "pause"
    """What to do when no temperature has been read for `unknown_after_s`."""


class GovernorSection(Section, frozen=True, kw_only=True):
    """`[policy.governor]`: holding a temperature by a steady pace instead of by pauses."""

    enabled: bool = True
    """Whether the pace follows the temperature. Nothing is paced without `policy.thermal`."""
    set_point_c: Celsius | None = None
    """The temperature to hold; absent means 3 °C below the one that pauses."""
    actuator: Literal["duty", "power", "auto"] = "duty"
    """`duty`: rests between steps; `power`: the card's power limit, which does more work in the
    same heat but needs rights (root); `auto`: the limit where it can be set, rests elsewhere."""
    lowest_duty: Annotated[float, Meta(ge=0.01, le=1.0)] = 0.2
    """Never rest more than this leaves: the smallest share of the time to compute."""
    lowest_power_w: PositiveFloat | None = None
    """Never set a power limit below this; absent means the lowest that the card takes."""
    time_constant_s: Annotated[float, Meta(ge=1.0, le=3600.0)] = 90.0
    """How slowly the card is taken to warm: 63 % of the way in this time. Off by 2 does no harm."""
    full_load_rise_c: Annotated[float, Meta(ge=1.0, le=500.0)] = 55.0
    """How much warmer full load is taken to be than idling. Off by 2 does no harm."""


class PolicySection(Section, frozen=True, kw_only=True):
    """`[policy]`: every rule that may act on the engine."""

    thermal: ThermalSection = ThermalSection()
    power: PowerSection = PowerSection()
    vram: VramSection = VramSection()
    sharing: SharingSection = SharingSection()
    health: HealthSection = HealthSection()
    disk: DiskSection = DiskSection()
    battery: BatterySection = BatterySection()
    schedule: ScheduleSection = ScheduleSection()
    governor: GovernorSection = GovernorSection()


class SupervisorSection(Section, frozen=True, kw_only=True):
    """`[supervisor]`: how the engine is held and let go."""

    stop_grace_s: Seconds = 20.0
    """Between SIGTERM, at which our own engine saves at its next step, and SIGKILL when a run is
    stopped now."""
    restarts: Annotated[int, Meta(ge=0, le=100)] = 3
    """How often in a row, without a further checkpoint in between, an engine that was killed or
    crashed is started again from its last one; 0: never. Our own engine only."""
    restart_after_s: Seconds = 10.0
    """Wait before the first of them; each further one in a row waits twice as long."""
    orphan_after_s: PositiveFloat = 60.0
    """A paused engine whose supervisor is gone and silent for so long follows `orphan_action`."""
    hung_after_s: PositiveFloat = 900.0
    """The same where the supervisor is there and says nothing, held up by its disk or stopped. It
    starts the engine again should it come back."""
    orphan_action: Literal["checkpoint_and_exit", "continue"] = "checkpoint_and_exit"
    """What a paused engine does that nobody supervises any more."""


class ForeignSection(Section, frozen=True, kw_only=True):
    """`[foreign]`: a training script that is not ours, supervised through its output."""

    command: str = ""
    """Shell command; empty means our own engine."""
    workdir: str = "."
    """The folder to run it in, relative to the config file."""
    patterns: Annotated[str, Meta(min_length=1)] = "published"
    """What its output says: `published`, `time-series-library`, `hf-trainer`, or a TOML file of
    patterns, relative to the config file."""
    checkpoint: str = ""
    """Where the script saves, a pattern below `workdir` of files or folders; empty: where its
    patterns say, or what is found to be written by it."""
    pace_by_stops: bool = False
    """Slow it down, where a rule asks for it, by stopping all of its processes for moments."""


class Config(Section, frozen=True, kw_only=True):
    """A whole configuration file."""

    data: DataSection
    run: RunSection = RunSection()
    model: ModelSection = ModelSection()
    backbone: BackboneSection = BackboneSection()
    prompt: PromptSection = PromptSection()
    train: TrainSection = TrainSection()
    checkpoint: CheckpointSection = CheckpointSection()
    gpu: GpuSection = GpuSection()
    host: HostSection = HostSection()
    policy: PolicySection = PolicySection()
    supervisor: SupervisorSection = SupervisorSection()
    foreign: ForeignSection = ForeignSection()
