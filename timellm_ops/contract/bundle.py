"""What an inference bundle says of itself: the whole of its `bundle.json`.

Beside it lies `weights.safetensors`, with the text prototypes themselves instead of the mapping
that made them. With the frozen backbone, which is not in it, that is all that a forecast needs.
"""

from typing import Literal

from msgspec import Struct

from timellm_ops.contract.config import BackboneSection, ModelSection, PromptSection

FORMAT = 1
DESCRIPTION, WEIGHTS = "bundle.json", "weights.safetensors"


class Column(Struct, frozen=True, kw_only=True):
    """A column of the series, and its scaler: a scaled value is (value - mean) / deviation."""

    name: str
    mean: float
    deviation: float


class FrozenBackbone(Struct, frozen=True, kw_only=True):
    """The backbone that the weights were trained with, and only work with."""

    section: BackboneSection
    seed: int
    """Draws the embedded backbone; the others come with their weights."""
    name: str
    digest: str


class Origin(Struct, frozen=True, kw_only=True):
    """Where the weights come from. Errors are on scaled data, `None` where they are not known."""

    run_id: str
    checkpoint: str
    epoch: int
    iteration: int
    """Steps of `epoch` that the weights have seen."""
    vali_mse: float | None = None
    vali_mae: float | None = None
    test_mse: float | None = None
    test_mae: float | None = None


class Reading(Struct, frozen=True, kw_only=True):
    """How the run read its file, and how any other one is read: keys of `[data]`."""

    date_column: str = "date"
    missing: Literal["error", "previous", "interpolate"] = "error"
    duplicates: Literal["error", "first", "last", "mean"] = "error"
    unordered: Literal["error", "sort"] = "error"
    gaps: Literal["report", "error", "fill"] = "report"


class Bundle(Struct, frozen=True, kw_only=True):
    """The whole of `bundle.json`."""

    format: int = FORMAT
    model: ModelSection
    prompt: PromptSection
    """With the description that the prompts have, wherever it came from."""
    seq_len: int
    pred_len: int
    columns: tuple[Column, ...]
    tested: tuple[str, ...]
    """The columns that validation and test were about."""
    frequency: str
    """Time between two rows."""
    precision: Literal["fp32", "bf16"]
    backbone: FrozenBackbone
    origin: Origin
    digests: dict[str, str]
    """SHA-256 of the run's config, data and backbone."""
    weights_bytes: int
    weights_sha256: str
    reading: Reading = Reading()
    """Bundles that were made without one have the usual one."""


class Exported(Struct, frozen=True, kw_only=True):
    """Where a bundle was written: the answer of `export`."""

    path: str
    bytes: int
    """Of both files."""
    bundle: Bundle


class ExportQuestion(Struct, frozen=True, kw_only=True):
    """What is to be exported, and to where; both are full paths."""

    run: str
    checkpoint: str
    to: str
