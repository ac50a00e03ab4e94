"""What a run would come to: the whole of `plan --json`, and what the engine measures for it.

Sizes are in bytes. What cannot be known is `None`, never a made-up number.
"""

from typing import Literal

from msgspec import Struct

from timellm_ops.contract.config import Config

SCHEMA = "timellm-ops.plan/1"

Basis = Literal["exact", "estimate", "assumed"]
"""Computed from shapes; from a model of what is kept; a constant measured elsewhere."""
Device = Literal["cpu", "cuda"]
Phase = Literal["training", "evaluation", "final_test"]
SplitName = Literal["train", "vali", "test"]
KnownFrom = Literal["embedded", "folder", "cache", "table", "table_by_name", "nothing"]
"""Where a backbone's numbers come from: its own `config.json`, or the table of well-known ones, in
which it was found by its hub id or by its folder's name."""

MEASURING = "timellm_engine.training.measure"
"""The module of the engine that tries a run."""


class SplitPlan(Struct, frozen=True, kw_only=True):
    """One split."""

    name: SplitName
    rows: int
    """Its own."""
    look_back: int
    """Rows of the split before it, which its first windows begin with."""
    windows: int
    """Of one column."""
    columns: int
    samples: int
    """Windows of all columns."""
    first: str = ""
    last: str = ""
    """Timestamps of its own first and last row, where the file is here."""


class DataPlan(Struct, frozen=True, kw_only=True):
    """The series and its splits."""

    dataset: str
    source: str
    """The file; empty where it is not here and the published numbers stand for it."""
    rows: int
    columns: int
    splits: tuple[SplitPlan, ...]


class StepsPlan(Struct, frozen=True, kw_only=True):
    """Iterations. The partial batch is the last of an epoch, smaller than the others."""

    epochs: int
    batch_size: int
    drop_last: bool
    per_epoch: int
    """As the config has it."""
    total: int
    """Of all epochs: as many steps of the optimiser, if training does not end early."""
    per_epoch_with_partial: int
    per_epoch_without_partial: int
    total_with_partial: int
    total_without_partial: int
    partial_batch: int
    """Samples in the partial batch; 0 where there is none."""
    pieces_per_step: int
    """Forward and backward passes in a step: `train.accumulate`."""
    vali_batches: int
    test_batches: int
    evaluated_windows: int
    """In the whole run: each epoch's validation, and the tests as `train.test` says."""
    head_windows: int = 0
    """Read once, before the first step, where a head is solved for."""


class TensorPlan(Struct, frozen=True, kw_only=True):
    """One trainable tensor, with the settings that each of its dimensions comes from."""

    name: str
    shape: tuple[int, ...]
    parameters: int
    bytes: int
    depends: tuple[tuple[str, ...], ...]


class ModulePlan(Struct, frozen=True, kw_only=True):
    """A trainable part of the model."""

    name: str
    parameters: int
    bytes: int
    share: float
    """Of all trainable parameters."""
    tensors: tuple[TensorPlan, ...]


class TrainablePlan(Struct, frozen=True, kw_only=True):
    """Everything that is trained."""

    modules: tuple[ModulePlan, ...]
    parameters: int
    bytes: int
    patches: int
    """Patches that a window is cut into."""


class BackbonePlan(Struct, frozen=True, kw_only=True):
    """The frozen backbone."""

    source: str
    known_as: str
    """The well-known backbone whose numbers are used; empty where its own are, or none."""
    known_from: KnownFrom
    family: str
    width: int | None
    vocab_size: int | None
    layers: int | None
    kept_layers: int | None
    dtype: str
    parameters: int | None
    """Of the base model with the layers that are kept."""
    bytes: int | None


class MemoryItem(Struct, frozen=True, kw_only=True):
    """One thing that takes memory."""

    what: str
    bytes: int
    basis: Basis


class MemoryPlan(Struct, frozen=True, kw_only=True):
    """The peak of one phase of a run, item by item."""

    phase: Phase
    items: tuple[MemoryItem, ...]
    bytes: int
    measured_bytes: int | None = None
    """What a few real steps came to."""


class FileSize(Struct, frozen=True, kw_only=True):
    """One file that a run writes."""

    name: str
    bytes: int


class FilesPlan(Struct, frozen=True, kw_only=True):
    """What a run leaves on disk. Sizes of single files are exact.

    `state.json`, `manifest.json` and `bundle.json` are not among them: a few kilobytes, whose
    digits vary.
    """

    best: tuple[FileSize, ...]
    last: tuple[FileSize, ...]
    bundle: tuple[FileSize, ...]
    best_bytes: int
    last_bytes: int
    bundle_bytes: int
    kept_bytes: int
    """At the end: `best` and `last`, each with the one before it, kept steps, and the bundle."""
    most_bytes: int
    """While a checkpoint is being written beside those that stay."""


class Remedy(Struct, frozen=True, kw_only=True):
    """Changes of the config, and what the run would need with all of them."""

    changes: tuple[str, ...]
    """As for `--set`."""
    needed_bytes: int
    fits: bool


class FitPlan(Struct, frozen=True, kw_only=True):
    """Whether the run fits into a GPU's memory."""

    memory_bytes: int
    needed_bytes: int
    fits: bool
    remedies: tuple[Remedy, ...]
    """What would make it fit, smallest change first; empty where it does."""


class MeasureQuestion(Struct, frozen=True, kw_only=True):
    """Which run the engine is to try, and for how many steps and batches of evaluation."""

    config: Config
    steps: int
    batches: int


class Measured(Struct, frozen=True, kw_only=True):
    """What a few real steps and batches took."""

    device: str
    steps: int
    batches: int
    seconds_per_step: float
    windows_per_second: float
    """In evaluation."""
    training_peak_bytes: int
    evaluation_peak_bytes: int
    prompt_tokens: int
    """Of the longest prompt seen."""
    trainable_parameters: int
    backbone_parameters: int


class TimePlan(Struct, frozen=True, kw_only=True):
    """How long a run would take, from what was measured. All epochs, no early end."""

    training_s: float
    evaluation_s: float
    total_s: float
    per_epoch_s: float


class Plan(Struct, frozen=True, kw_only=True):
    """The whole of `plan --json`."""

    name: str
    device: Device
    data: DataPlan
    steps: StepsPlan
    backbone: BackbonePlan
    trainable: TrainablePlan | None
    """`None` where the backbone is not known."""
    prompt_tokens: int | None
    """About how long a prompt is; as measured, where it was."""
    memory: tuple[MemoryPlan, ...]
    files: FilesPlan | None
    fit: FitPlan | None = None
    measured: Measured | None = None
    time: TimePlan | None = None
    schema: str = SCHEMA
