"""What a run is made of: the sections and keys of a configuration file, with their bounds.

A field's annotation is the whole rule for that field alone; rules that span several fields are
in `validation`. Every key has a default except the data set, so a config holds only what differs.
"""

from typing import Annotated, Literal

from msgspec import Meta, Struct

Positive = Annotated[int, Meta(ge=1)]
Share = Annotated[float, Meta(ge=0.0, le=1.0)]
Rate = Annotated[float, Meta(ge=0.0, lt=1.0)]
PositiveFloat = Annotated[float, Meta(gt=0.0)]
Seconds = Annotated[float, Meta(ge=0.0)]
Celsius = Annotated[float, Meta(ge=0.0, le=150.0)]


class Section(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A table of the configuration file."""


class RunSection(Section, frozen=True, kw_only=True):
    """`[run]`: the run's name and its randomness."""

    name: Annotated[str, Meta(pattern=r"^([A-Za-z0-9][A-Za-z0-9._-]{0,63})?\Z")] = ""
    """Part of the run's id; empty means the config file's own name."""
    seed: Annotated[int, Meta(ge=0, lt=2**31)] = 2021


class DataSection(Section, frozen=True, kw_only=True):
    """`[data]`: which series, which windows of it, and how the rows are split."""

    dataset: Literal["ETTh1", "ETTh2", "synthetic", "custom"]
    path: str = ""
    """A CSV file, relative to the config file; empty means: look the data set up by its name."""
    date_column: Annotated[str, Meta(min_length=1)] = "date"
    target: Annotated[str, Meta(min_length=1)] = "OT"
    features: Literal["M", "S"] = "M"
    """`M`: every column forecasts itself (channel-independent); `S`: the target column alone."""
    seq_len: Positive = 512
    pred_len: Positive = 96
    percent: Annotated[int, Meta(ge=1, le=100)] = 100
    """Share of the training rows that is used, from the start of the training split."""
    train_ratio: Annotated[float, Meta(gt=0.0, lt=1.0)] = 0.7
    test_ratio: Annotated[float, Meta(gt=0.0, lt=1.0)] = 0.2
    """Ratio split of a `custom` file; validation gets what is left."""
    synthetic_rows: Annotated[int, Meta(ge=100)] = 4000
    synthetic_columns: Annotated[int, Meta(ge=1, le=64)] = 3


class ModelSection(Section, frozen=True, kw_only=True):
    """`[model]`: the trainable part of Time-LLM (paper section 3)."""

    patch_len: Positive = 16
    stride: Positive = 8
    d_model: Positive = 32
    n_heads: Positive = 8
    d_ff: Positive = 32
    """Width of a reprogramming head, and how many hidden dimensions of the backbone are read."""
    num_prototypes: Positive = 1000
    prototypes: Literal["mapping"] = "mapping"
    """`mapping`: a learned linear map of the frozen word embeddings, as published."""
    dropout: Rate = 0.1
    attention_dropout: Rate = 0.1


class BackboneSection(Section, frozen=True, kw_only=True):
    """`[backbone]`: the frozen language model."""

    source: Annotated[str, Meta(min_length=1)] = "embedded"
    """`embedded`, a local folder (relative to the config file), or a hub id such as `org/name`."""
    layers: Positive | None = None
    """Keep the first so many layers; absent means all. More than the backbone has is an error."""
    dtype: Literal["float32", "bfloat16"] = "float32"


class PromptSection(Section, frozen=True, kw_only=True):
    """`[prompt]`: the text in front of the patches."""

    padding: Literal["masked", "reference"] = "masked"
    """`masked`: a forecast does not depend on its batch-mates; `reference`: padded as published."""
    description: str = ""
    """What the data set is; empty means the project's own text for a known data set."""


class TrainSection(Section, frozen=True, kw_only=True):
    """`[train]`: the optimisation."""

    epochs: Positive = 10
    batch_size: Positive = 32
    eval_batch_size: Positive = 256
    learning_rate: PositiveFloat = 1e-3
    schedule: Literal["onecycle", "cosine", "type1"] = "onecycle"
    pct_start: Annotated[float, Meta(gt=0.0, lt=1.0)] = 0.2
    """Share of all steps that the one-cycle schedule spends rising."""
    patience: Positive = 10
    """Epochs without a better validation loss before training ends early."""
    log_every: Positive = 100
    """Steps between two progress records in the published format."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    threads: Positive | None = None
    """CPU threads; absent means what the machine offers."""


class CheckpointSection(Section, frozen=True, kw_only=True):
    """`[checkpoint]`: when the run's position is saved besides each epoch's end."""

    every_minutes: PositiveFloat = 10.0


class SimulatedGpuSection(Section, frozen=True, kw_only=True):
    """`[gpu.simulated]`: a lumped thermal model, used only when asked for."""

    ambient_c: Annotated[float, Meta(ge=-20.0, le=80.0)] = 25.0
    idle_power_w: PositiveFloat = 15.0
    load_power_w: PositiveFloat = 115.0
    resistance_c_per_w: PositiveFloat = 0.5
    """Degrees above ambient per watt, once settled."""
    time_constant_s: PositiveFloat = 90.0
    throttle_c: Celsius = 87.0
    shutdown_c: Celsius = 100.0
    memory_total_mib: Positive = 6144
    memory_load_mib: Positive = 5742
    time_scale: PositiveFloat = 1.0
    """Simulated seconds per real second, for rehearsals."""


class GpuSection(Section, frozen=True, kw_only=True):
    """`[gpu]`: where telemetry comes from."""

    probe: Literal["auto", "nvml", "simulated", "none"] = "auto"
    index: Annotated[int, Meta(ge=0)] = 0
    poll_s: Annotated[float, Meta(ge=0.05, le=60.0)] = 1.0
    deadline_s: Annotated[float, Meta(ge=0.1, le=120.0)] = 5.0
    """How long one reading may take before the probe is replaced."""
    simulated: SimulatedGpuSection = SimulatedGpuSection()


class ThermalSection(Section, frozen=True, kw_only=True):
    """`[policy.thermal]`: when heat pauses a run and when it may go on."""

    enabled: bool = True
    pause_above_c: Celsius = 85.0
    resume_below_c: Celsius = 75.0
    samples: Positive = 3
    """So many of the last `window` readings must agree before anything is done."""
    window: Positive = 5
    min_dwell_s: Seconds = 30.0
    """Shortest time between a pause and its resume, and between a resume and the next pause."""
    emergency_c: Celsius | None = None
    """Checkpoint and stop at this temperature; absent means 3 °C below the card's own shutdown."""
    unknown_after_s: PositiveFloat = 30.0
    unknown_action: Literal["pause", "continue", "stop"] = "pause"
    """What to do when no temperature has been read for `unknown_after_s`."""


class PolicySection(Section, frozen=True, kw_only=True):
    """`[policy]`: every rule that may act on the engine."""

    thermal: ThermalSection = ThermalSection()


class SupervisorSection(Section, frozen=True, kw_only=True):
    """`[supervisor]`: how the engine is held and let go."""

    stop_grace_s: Seconds = 20.0
    """Between SIGTERM and SIGKILL when a run is stopped now."""
    orphan_after_s: PositiveFloat = 60.0
    """A paused engine whose supervisor has been silent this long follows `orphan_action`."""
    orphan_action: Literal["checkpoint_and_exit", "continue"] = "checkpoint_and_exit"


class ForeignSection(Section, frozen=True, kw_only=True):
    """`[foreign]`: a training script that is not ours, supervised through its output."""

    command: str = ""
    """Shell command; empty means our own engine."""
    workdir: str = "."
    checkpoint: str = "checkpoints/*/checkpoint"
    """Pattern, below `workdir`, of the file the script saves its best weights to."""


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
    policy: PolicySection = PolicySection()
    supervisor: SupervisorSection = SupervisorSection()
    foreign: ForeignSection = ForeignSection()
