"""What must hold across the keys of a config, besides what each key says of itself."""

from collections.abc import Collection, Iterator
from pathlib import PurePosixPath

from timellm_ops.contract.config import (
    BackboneSection,
    Config,
    DataSection,
    ForeignSection,
    ModelSection,
    SimulatedGpuSection,
    ThermalSection,
    TrainSection,
)
from timellm_ops.contract.counting import Count
from timellm_ops.contract.frequency import EXAMPLES, parse_frequency
from timellm_ops.contract.policy_checks import Broken, policy_checks
from timellm_ops.contract.shapes import MOST_SOLVED_FOR, patch_count
from timellm_ops.contract.showing import show_value
from timellm_ops.contract.splits import by_dates, split_ends


def cross_checks(config: Config, unknown: Collection[str] = ()) -> Iterator[Broken]:
    """Every rule that spans keys, as (key, found, expected) where it is broken.

    `unknown` are sections whose keys are not all as they were meant: what depends on one of them
    is not judged.
    """

    def known(*sections: str) -> bool:
        return not any(section in unknown for section in sections)

    if known("data", "model"):
        yield from _patch_checks(config.model, config.data)
        yield from _head_checks(config.model, config.data)
    if known("model", "backbone", "train") and config.model.head_start == "solved":
        yield from _rounding_checks(config.backbone, config.train)
    if known("data"):
        broken = [*_data_checks(config.data), *_date_checks(config.data)]
        yield from broken or _window_checks(config.data)  # how splits are cut comes first
    if known("checkpoint") and config.checkpoint.keep and config.checkpoint.every_steps is None:
        yield (
            "checkpoint.keep",
            str(config.checkpoint.keep),
            "0 without checkpoint.every_steps, which says what is kept",
        )
    if known("train"):
        yield from _schedule_checks(config.train)
        yield from _optimiser_checks(config.train)
    if known("policy", "gpu"):
        yield from _thermal_checks(config.policy.thermal, config.gpu.poll_s)
        yield from policy_checks(config.policy, config.gpu)
    if known("foreign"):
        yield from _foreign_checks(config.foreign)
    if known("gpu"):
        if config.gpu.uuid and config.gpu.index:
            yield "gpu.index", str(config.gpu.index), "none beside gpu.uuid, which says which GPU"
        yield from _simulated_checks(config.gpu.simulated)


def _patch_checks(model: ModelSection, data: DataSection) -> Iterator[Broken]:
    if model.patch_len > data.seq_len:
        yield "model.patch_len", str(model.patch_len), f"at most data.seq_len ({data.seq_len})"
    if model.stride > data.seq_len:
        yield "model.stride", str(model.stride), f"at most data.seq_len ({data.seq_len})"


def _data_checks(data: DataSection) -> Iterator[Broken]:
    if data.dataset == "custom" and not data.path:
        yield "data.path", "nothing", 'the CSV or Parquet file of a "custom" data set'
    if data.train_ratio + data.test_ratio >= 1.0:
        yield (
            "data.test_ratio",
            f"{data.test_ratio:g}",
            f"below {1 - data.train_ratio:g}, which leaves rows for validation",
        )
    needed = data.seq_len + data.pred_len
    if data.dataset == "synthetic" and data.synthetic_rows < 5 * needed:
        yield (
            "data.synthetic_rows",
            str(data.synthetic_rows),
            f"at least 5 × (seq_len + pred_len) = {5 * needed}",
        )


def _thermal_checks(thermal: ThermalSection, poll_s: float) -> Iterator[Broken]:
    if thermal.resume_below_c >= thermal.pause_above_c:
        yield (
            "policy.thermal.resume_below_c",
            f"{thermal.resume_below_c:g}",
            f"below policy.thermal.pause_above_c ({thermal.pause_above_c:g})",
        )
    if thermal.emergency_c is not None and thermal.emergency_c <= thermal.pause_above_c:
        yield (
            "policy.thermal.emergency_c",
            f"{thermal.emergency_c:g}",
            f"above policy.thermal.pause_above_c ({thermal.pause_above_c:g})",
        )
    if thermal.enabled and thermal.unknown_after_s <= poll_s:
        yield (
            "policy.thermal.unknown_after_s",
            f"{thermal.unknown_after_s:g}",
            f"above gpu.poll_s ({poll_s:g}), or every reading would come too late",
        )
    if thermal.samples > thermal.window:
        yield (
            "policy.thermal.samples",
            str(thermal.samples),
            f"at most policy.thermal.window ({thermal.window})",
        )


def _head_checks(model: ModelSection, data: DataSection) -> Iterator[Broken]:
    """Least squares needs the products of all that the head is given, with one another."""
    given = model.d_ff * patch_count(data.seq_len, model.patch_len, model.stride)
    if model.head_start == "solved" and given > MOST_SOLVED_FOR:
        yield (
            "model.head_start",
            show_value(model.head_start),
            (
                f'"drawn" with a head that is given {Count(given):number|numbers} (model.d_ff '
                f"times patches); or at most {MOST_SOLVED_FOR:,} of them"
            ),
        )


def _rounding_checks(backbone: BackboneSection, train: TrainSection) -> Iterator[Broken]:
    """Weights that are solved for are large and nearly cancel: 8 bits of mantissa in front of them
    leave nothing of a forecast."""
    if train.precision != "fp32":
        yield (
            "train.precision",
            show_value(train.precision),
            '"fp32" with model.head_start = "solved"; or a head that is "drawn"',
        )
    if backbone.dtype != "float32":
        yield (
            "backbone.dtype",
            show_value(backbone.dtype),
            '"float32" with model.head_start = "solved"; or a head that is "drawn"',
        )


def _foreign_checks(foreign: ForeignSection) -> Iterator[Broken]:
    if foreign.checkpoint and not stays_below(foreign.checkpoint):
        yield (
            "foreign.checkpoint",
            show_value(foreign.checkpoint),
            "a pattern below foreign.workdir, such as checkpoints/*/checkpoint",
        )


def _simulated_checks(simulated: SimulatedGpuSection) -> Iterator[Broken]:
    if simulated.throttle_c >= simulated.shutdown_c:
        yield (
            "gpu.simulated.throttle_c",
            f"{simulated.throttle_c:g}",
            f"below gpu.simulated.shutdown_c ({simulated.shutdown_c:g})",
        )
    if simulated.idle_power_w >= simulated.load_power_w:
        yield (
            "gpu.simulated.idle_power_w",
            f"{simulated.idle_power_w:g}",
            f"below gpu.simulated.load_power_w ({simulated.load_power_w:g})",
        )


def stays_below(pattern: str) -> bool:
    """Whether the files that match `pattern` are below the folder it starts in."""
    path = PurePosixPath(pattern)
    return bool(path.parts) and not path.is_absolute() and ".." not in path.parts


def _schedule_checks(train: TrainSection) -> Iterator[Broken]:
    """The one-cycle schedule has a rise of its own."""
    if train.schedule == "onecycle" and train.warmup_steps > 0:
        yield (
            "train.warmup_steps",
            str(train.warmup_steps),
            (
                '0 with train.schedule = "onecycle", whose own rise is train.pct_start of all '
                "steps; or another schedule"
            ),
        )


def _optimiser_checks(train: TrainSection) -> Iterator[Broken]:
    """A state in 8 bits is one of Adam's, whose 8-bit kernels know decoupled decay alone."""
    if train.optimiser_state == "fp32":
        return
    if train.optimiser == "sgd":
        yield (
            "train.optimiser_state",
            show_value(train.optimiser_state),
            '"fp32" with train.optimiser = "sgd"; or "adam" or "adamw"',
        )
    elif train.optimiser == "adam" and train.weight_decay > 0.0:
        yield (
            "train.optimiser_state",
            show_value(train.optimiser_state),
            (
                f'"fp32" with train.weight_decay = {train.weight_decay:g} and train.optimiser = '
                '"adam"; or "adamw", or no decay'
            ),
        )


def _window_checks(data: DataSection) -> Iterator[Broken]:
    """A window must fit into each split. Validation and test look back into the split before."""
    sizes = _split_sizes(data)
    if sizes is None:
        return
    train, *later = sizes
    if min(later) < data.pred_len:
        yield (
            "data.pred_len",
            str(data.pred_len),
            f"at most {min(later)}, the rows of the smallest split",
        )
    room = train - data.seq_len
    if room < data.pred_len:
        if data.pred_len <= min(later):  # else it is too long itself, as was said
            yield (
                "data.seq_len",
                str(data.seq_len),
                f"with data.pred_len ({data.pred_len}) at most {train}, the training rows",
            )
    elif room * data.percent // 100 < data.pred_len:
        yield (
            "data.percent",
            str(data.percent),
            f"at least {-(-100 * data.pred_len // room)}, which leaves one training window",
        )


def _split_sizes(data: DataSection) -> tuple[int, ...] | None:
    """Rows of training, validation and test, where they are known without the file."""
    if by_dates(data):
        return None
    match data.dataset:
        case "ETTh1" | "ETTh2" | "ETTm1" | "ETTm2":
            ends = split_ends(data, 0)
        case "synthetic":
            ends = split_ends(data, data.synthetic_rows)
        case _:
            return None
    return ends.train, ends.vali - ends.train, ends.test - ends.vali


def _date_checks(data: DataSection) -> Iterator[Broken]:
    """Splits by dates have both ends that separate them, and the keys about dates agree."""
    given = [key for key in ("train_end", "vali_end", "test_end") if getattr(data, key)]
    if given and data.dataset != "custom":
        yield (
            f"data.{given[0]}",
            show_value(getattr(data, given[0])),
            f'nothing: {data.dataset} has splits of its own (dataset = "custom" splits freely)',
        )
    for key in ("train_end", "vali_end"):
        if given and not getattr(data, key):
            yield f"data.{key}", "nothing", f"a timestamp, since data.{given[0]} is given"
    if data.frequency and parse_frequency(data.frequency) is None:
        yield "data.frequency", show_value(data.frequency), EXAMPLES
    if data.gaps == "fill" and data.missing == "error":
        yield (
            "data.missing",
            '"error"',
            '"previous" or "interpolate", which say what data.gaps = "fill" fills in',
        )
