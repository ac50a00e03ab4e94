"""Everything that can happen to a run. The journal is a list of these and nothing else.

On the wire an event is a JSON object whose `type` is the class name. `at` is wall-clock UTC and
`t` monotonic seconds of the machine that saw it; both are absent where nobody knows them, as in
an imported log. Losses are mean squared errors on scaled data unless a name says otherwise.
"""

import math
from datetime import datetime
from typing import Any, Literal, TypeAlias, get_args

import msgspec
from msgspec import UNSET, Struct, UnsetType

from timellm_ops.contract.control import Desired
from timellm_ops.contract.telemetry import GpuSample, HostSample, Int64

CheckpointKind = Literal["best", "last", "step"]
"""`best`: the weights of the best epoch so far; `last`: all that is needed to go on; `step`: a
`last` that is kept under the number of its step."""
Split = Literal["vali", "test"]
Action = Literal["pause", "resume", "pace", "stop", "alert"]
Outcome = Literal["finished", "stopped", "failed", "stopped_for_hardware", "refused"]
AlertLevel = Literal["info", "warning", "error"]
FailureKind = Literal["input", "preflight", "memory", "training"]
"""`memory`: there was not enough of it; less at once may fit."""
LossName = Literal["mse", "mae", "huber", "weighted_mse"]
TestCadence = Literal["each_epoch", "end", "never"]


class BaseEvent(Struct, frozen=True, kw_only=True, tag=True, omit_defaults=True, gc=False):
    """What every event carries.

    Frozen values hold no cycles, so the garbage collector need not look at them: a night's journal
    is read a fifth faster so.
    """

    at: datetime | None = None
    t: float | None = None


# --- the run and its processes -------------------------------------------------------------------


class RunStarted(BaseEvent, frozen=True, kw_only=True):
    """A supervisor took charge of a run that nobody was running: a new one, or one to resume."""

    run_id: str
    name: str
    engine: Literal["timellm", "foreign", "imported"]
    command: str = ""
    gpu: str = "none"
    """`nvml`, `simulated` or `none`: where telemetry will come from."""
    supervisor_pid: Int64 | None = None
    resumed: bool = False


class PreflightDone(BaseEvent, frozen=True, kw_only=True):
    """The checks before a start, each as one sentence."""

    findings: tuple[str, ...] = ()


class EngineStarted(BaseEvent, frozen=True, kw_only=True):
    """The engine's process exists."""

    pid: Int64


class TrainingStarted(BaseEvent, frozen=True, kw_only=True):
    """The model and data are ready; the numbers that everything later is measured against."""

    epochs: Int64
    steps_per_epoch: Int64
    batch_size: Int64
    train_samples: Int64
    vali_samples: Int64
    test_samples: Int64
    trainable_parameters: Int64
    frozen_parameters: Int64
    backbone: str
    device: str
    patience: Int64
    start_epoch: Int64 = 1
    """Epoch, counted from 1, in which training begins or goes on."""
    start_iteration: Int64 = 0
    """Steps of that epoch which are already done."""
    loss: LossName = "mse"
    """What `Progress.loss` is, which training makes small."""
    test: TestCadence = "each_epoch"
    """When the test windows are evaluated."""
    min_delta: float = 0.0
    """How much lower a validation loss must be to count as better."""


class Adopted(BaseEvent, frozen=True, kw_only=True):
    """A new supervisor took over a run whose supervisor was gone."""

    supervisor_pid: Int64
    engine_pid: Int64 | None
    """`None`: the engine had ended in the meantime."""


class EngineExited(BaseEvent, frozen=True, kw_only=True):
    """The engine's process is gone. Both fields are `None` where nobody could learn how."""

    code: Int64 | None = None
    signal: Int64 | None = None


class EngineFailed(BaseEvent, frozen=True, kw_only=True):
    """The engine's own last word on why it cannot go on."""

    message: str
    kind: FailureKind = "training"


class EngineRestart(BaseEvent, frozen=True, kw_only=True):
    """The engine has ended unasked, and is to be started again from its last checkpoint."""

    reason: str
    """How it ended."""
    attempt: Int64
    """Counted from 1, and anew once a further checkpoint was saved."""
    wait_s: float
    pieces: Int64 = 1
    """In how many times as many pieces as the config says a batch is computed from here on."""


class RunEnded(BaseEvent, frozen=True, kw_only=True):
    """The run is over, for this supervisor: how, why, and the exit code."""

    outcome: Outcome
    exit_code: Int64
    reason: str


# --- training ------------------------------------------------------------------------------------


class EpochStarted(BaseEvent, frozen=True, kw_only=True):
    """An epoch begins; `epoch` counts from 1."""

    epoch: Int64
    steps: Int64 | None = None
    epochs: Int64 | None = None
    """How many the whole training has. Both are given where an engine that is not ours has shown
    them; of our own, `TrainingStarted` tells."""


class Progress(BaseEvent, frozen=True, kw_only=True):
    """Training moved on. `iteration` counts from 1 within `epoch`."""

    iteration: Int64
    epoch: Int64
    loss: float | UnsetType = UNSET
    """Absent where the engine tells none; a null on the wire is one that was no number."""
    seconds_per_iteration: float | None = None
    left_seconds: float | None = None
    """The engine's own estimate of the rest of the run."""
    lr: float | None = None
    grad_norm: float | None = None

    @property
    def known_loss(self) -> float | None:
        """The loss; NaN where it was no number, `None` where the engine tells none."""
        return None if self.loss is UNSET else self.loss


class ForecastsTimed(BaseEvent, frozen=True, kw_only=True):
    """How fast the engine forecasts, tried out before its first evaluation."""

    windows_per_second: float


class HeadProgress(BaseEvent, frozen=True, kw_only=True):
    """What the head begins with is being solved for; `done` of `total` windows are read."""

    done: Int64
    total: Int64


class HeadSolved(BaseEvent, frozen=True, kw_only=True):
    """What the head begins with is known."""

    windows: Int64
    """Training windows that it was solved over."""
    penalty: float
    """Strength of the ridge penalty that validation windows have chosen, as a share of the mean
    square of what the head is given."""
    vali_mse: float
    """Over the validation windows that have chosen it, before anything is trained."""
    seconds: float
    """What it took, pauses not counted."""


class EvaluationProgress(BaseEvent, frozen=True, kw_only=True):
    """An evaluation moved on; `done` of `total` samples."""

    split: Split
    done: Int64
    total: Int64
    epoch: Int64 | None = None


class EpochEnded(BaseEvent, frozen=True, kw_only=True):
    """An epoch's results. Those of training are means over its steps, the others over all windows.

    Where the test windows were not evaluated, there are no numbers of them.
    """

    epoch: Int64
    train_mse: float
    train_loss: float | None = None
    """The loss that training makes small, where it is another one than the MSE."""
    vali_mse: float
    test_mse: float | None = None
    test_mae: float | None = None
    vali_mae: float | None = None
    seconds: float | None = None
    """Time spent training in this epoch, evaluation not counted."""
    evaluation_seconds: float | None = None
    lr: float | None = None


class LearningRateChanged(BaseEvent, frozen=True, kw_only=True):
    """The learning rate from here on."""

    lr: float


class EarlyStopping(BaseEvent, frozen=True, kw_only=True):
    """An epoch without improvement; `stopped` when the patience is used up."""

    counter: Int64
    patience: Int64
    stopped: bool = False


class TestEvaluated(BaseEvent, frozen=True, kw_only=True):
    """The final test, with the best weights."""

    __test__ = False

    mse: float
    mae: float
    windows: Int64
    epoch: Int64 | None = None
    """The epoch that the weights come from."""


class TrainingFinished(BaseEvent, frozen=True, kw_only=True):
    """The engine has done all that it was to do, the final test included where one was wanted."""

    epoch: Int64
    """The last one that was trained."""
    best_epoch: Int64 | None = None
    """The one that the best weights come from."""


# --- checkpoints ---------------------------------------------------------------------------------


class CheckpointWriting(BaseEvent, frozen=True, kw_only=True):
    """A checkpoint is about to be written. It is not safe yet."""

    kind: CheckpointKind
    epoch: Int64 | None = None
    iteration: Int64 | None = None
    vali_mse: float | None = None
    previous_vali_mse: float | None = None
    path: str = ""
    """Where, as a script that is not ours has said; relative to its working folder."""


class CheckpointSaved(BaseEvent, frozen=True, kw_only=True):
    """A checkpoint is durable: written, synced, hashed and in its place."""

    kind: CheckpointKind
    path: str
    bytes: Int64
    sha256: str | None = None
    epoch: Int64 | None = None
    iteration: Int64 | None = None
    vali_mse: float | None = None


class CheckpointFailed(BaseEvent, frozen=True, kw_only=True):
    """A checkpoint could not be written; the one before it stands."""

    kind: CheckpointKind
    message: str


# --- control -------------------------------------------------------------------------------------


class ControlAcknowledged(BaseEvent, frozen=True, kw_only=True):
    """The engine has read control number `sequence`."""

    sequence: Int64
    desired: Desired
    duty: float = 1.0


class Paused(BaseEvent, frozen=True, kw_only=True):
    """The engine stands still."""

    by: Literal["control", "signal"] = "control"


class Resumed(BaseEvent, frozen=True, kw_only=True):
    """The engine moves again."""

    paused_seconds: float | None = None


class Paced(BaseEvent, frozen=True, kw_only=True):
    """The engine computes for this fraction of the time."""

    duty: float


class PowerLimitSet(BaseEvent, frozen=True, kw_only=True):
    """The driver has taken a power limit for the card."""

    limit_w: float


class PowerLimitRefused(BaseEvent, frozen=True, kw_only=True):
    """The driver has not taken a power limit, and why."""

    limit_w: float
    reason: str


class Command(BaseEvent, frozen=True, kw_only=True):
    """Somebody asked for something."""

    who: str
    what: str


class PolicyDecision(BaseEvent, frozen=True, kw_only=True):
    """A rule acted, with all that is needed to understand it.

    The `value` of a `pace` is the share of the time to compute; with `unit` "W", a power limit.
    """

    action: Action
    rule: str
    reason: str
    value: float | None = None
    threshold: float | None = None
    unit: str = ""
    until: str = ""
    """When the decision will be taken back, as half a sentence; empty where it will not."""
    expected_s: float | None = None
    least_s: float | None = None
    """Of a pause: how long it lasts at least, whatever is measured; `None`: no such time."""
    renewed: bool = False
    """Of a pause: it lasts already, and only when it ends is told anew."""
    about: str = ""
    """Of an alert: what it is about, in a word. Its rule gives it again only when it wants to;
    an alert about nothing in particular is given once in the same words."""
    failure: bool = False
    """Of a stop: training has failed, and the hardware is not to blame."""


SILENT_ENGINE = ("no progress", "loading")
"""What an alert is about when an engine should have said something by then."""


class RulesOverridden(BaseEvent, frozen=True, kw_only=True):
    """Somebody let the run go on against rules that held it. They hold it no more for a while."""

    who: str
    rules: tuple[str, ...]
    for_s: float
    until: datetime | None = None
    """The wall-clock end of it, whatever the machine's clocks do in between."""


class PolicyChanged(BaseEvent, frozen=True, kw_only=True):
    """Somebody changed keys of `[policy]` under the run, and they were found to be right."""

    who: str
    settings: tuple[str, ...]
    """Each `key=value` with the key in full and the value in TOML."""


# --- telemetry and notices -----------------------------------------------------------------------


class Telemetry(BaseEvent, frozen=True, kw_only=True):
    """A reading of the GPU."""

    sample: GpuSample


class TelemetryLost(BaseEvent, frozen=True, kw_only=True):
    """The GPU could not be read, and why."""

    reason: str
    permanent: bool = False
    """There is no such GPU or driver here: nobody will ask again."""
    asleep: bool = False
    """The GPU is powered down and was not woken to be read: it does no work and makes no heat."""
    lost: bool = False
    """The GPU itself has failed: it has fallen off the bus, or must be reset."""


class HostTelemetry(BaseEvent, frozen=True, kw_only=True):
    """A reading of the machine around the GPU: processors, memory, disk and battery."""

    sample: HostSample


class Alert(BaseEvent, frozen=True, kw_only=True):
    """Something a person should know."""

    level: AlertLevel
    message: str


Event: TypeAlias = (
    RunStarted
    | PreflightDone
    | EngineStarted
    | TrainingStarted
    | Adopted
    | EngineExited
    | EngineFailed
    | EngineRestart
    | RunEnded
    | EpochStarted
    | Progress
    | HeadProgress
    | HeadSolved
    | ForecastsTimed
    | EvaluationProgress
    | EpochEnded
    | LearningRateChanged
    | EarlyStopping
    | TestEvaluated
    | TrainingFinished
    | CheckpointWriting
    | CheckpointSaved
    | CheckpointFailed
    | ControlAcknowledged
    | Paused
    | Resumed
    | Paced
    | PowerLimitSet
    | PowerLimitRefused
    | Command
    | PolicyDecision
    | RulesOverridden
    | PolicyChanged
    | Telemetry
    | TelemetryLost
    | HostTelemetry
    | Alert
)

WORDS_OF_THE_ENGINE = (
    TrainingStarted, HeadProgress, HeadSolved, EpochStarted, Progress, ForecastsTimed,
    EvaluationProgress, EpochEnded,
    LearningRateChanged, EarlyStopping, TestEvaluated, TrainingFinished, CheckpointWriting,
    CheckpointSaved,
    CheckpointFailed, ControlAcknowledged, Paused, Resumed,
)  # fmt: skip
"""Events that show that the engine is alive."""

TAKES_CHARGE = frozenset({RunStarted, Adopted})
"""Events with which a supervisor begins: what was before them, nobody has seen to its end."""


class JournalRecord(Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """One line of `journal.jsonl`."""

    seq: Int64
    event: Event
    engine_offset: Int64 | None = None
    """For an event of the engine: how many bytes of the engine's own file it accounts for."""


_encoder = msgspec.json.Encoder()
_event_decoder = msgspec.json.Decoder(Event)
_record_decoder = msgspec.json.Decoder(JournalRecord)


def encode_event(event: Event) -> bytes:
    """One event as one JSON object, without a line end."""
    return _encoded(event)


def decode_event(line: bytes) -> Event:
    """The event in one JSON object.

    Raises `msgspec.MsgspecError` (a `ValueError`) for anything else.
    """
    try:
        return _event(line)
    except (UnicodeDecodeError, RecursionError) as error:
        raise msgspec.DecodeError(str(error)) from None


def _event(line: bytes) -> Event:
    try:
        event: Event = _event_decoder.decode(line)
    except msgspec.ValidationError:
        event = msgspec.convert(_with_nan(msgspec.json.decode(line)), Event)
    return event


def encode_record(record: JournalRecord) -> bytes:
    """One journal record as one line, with its line end."""
    return _encoded(record) + b"\n"


def decode_record(line: bytes) -> JournalRecord:
    """The record in one journal line.

    Raises `msgspec.MsgspecError` (a `ValueError`) for anything else, a torn line included.
    """
    try:
        return _record(line)
    except (UnicodeDecodeError, RecursionError) as error:
        raise msgspec.DecodeError(str(error)) from None


def _record(line: bytes) -> JournalRecord:
    try:
        return _record_decoder.decode(line)
    except msgspec.ValidationError:
        fields = msgspec.json.decode(line)
        if isinstance(fields, dict):
            fields["event"] = _with_nan(fields.get("event"))
        return msgspec.convert(fields, JournalRecord)


def _encoded(value: object) -> bytes:
    try:
        return _encoder.encode(value)
    except UnicodeEncodeError:
        return _encoder.encode(_printable(msgspec.to_builtins(value)))


def _printable(value: object) -> object:
    """`value` with bytes that no text holds written out: a file's name need not be UTF-8."""
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode()
    if isinstance(value, dict):
        return {name: _printable(item) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_printable(item) for item in value]
    return value


_NUMBERS = (float, float | UnsetType)
_CLASSES: dict[object, type[BaseEvent]] = {kind.__name__: kind for kind in get_args(Event)}


def _with_nan(fields: object) -> object:
    """JSON has no NaN: a number that is not finite is written as null. Where a number must be, null
    is read as NaN again, so that a loss which has diverged is on the record like any other."""
    if not isinstance(fields, dict):
        return fields
    tag = fields.get("type")
    kind = _CLASSES.get(tag, BaseEvent) if isinstance(tag, str) else BaseEvent
    lost = [
        field.encode_name
        for field in msgspec.structs.fields(kind)
        if field.type in _NUMBERS
        and field.encode_name in fields
        and fields[field.encode_name] is None
    ]
    return {**_with_known_limits(fields), **dict.fromkeys(lost, math.nan)}


def _with_known_limits(fields: dict[str, Any]) -> dict[str, Any]:
    """Limits of a card's power that are no numbers are none at all."""
    sample = fields.get("sample")
    told = sample.get("power_limits") if isinstance(sample, dict) else None
    if not isinstance(sample, dict) or not isinstance(told, dict) or None not in told.values():
        return fields
    return {**fields, "sample": {k: v for k, v in sample.items() if k != "power_limits"}}
