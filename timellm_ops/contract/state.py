"""Where a run stands: one frozen value that every screen, line and report is a view of.

`reduction.reduce` is the only thing that makes a new one. Series (loss and temperature over time)
are not in it: whoever draws them collects them from the events.
"""

from datetime import datetime
from typing import Literal

from msgspec import Struct

from timellm_ops.contract.commands import StopMode
from timellm_ops.contract.control import Desired
from timellm_ops.contract.dwell import until_told
from timellm_ops.contract.events import (
    AlertLevel,
    CheckpointKind,
    LossName,
    Outcome,
    Split,
    TestCadence,
)
from timellm_ops.contract.telemetry import GpuSample, HostSample

Phase = Literal[
    "waiting", "starting", "restarting", "training", "evaluating", "paused", "stopping",
    "finished", "stopped", "failed",
]  # fmt: skip


class EpochRow(Struct, frozen=True, kw_only=True, gc=False):
    """One finished epoch."""

    epoch: int
    train_mse: float
    vali_mse: float
    test_mse: float | None = None
    test_mae: float | None = None
    seconds: float | None = None
    evaluation_seconds: float | None = None
    lr: float | None = None
    saved: bool = False
    """Its weights were written as `best`."""


class Hold(Struct, frozen=True, kw_only=True, gc=False):
    """A reason for standing still. The engine moves again when none is left."""

    rule: str
    """`user`, or the policy's name."""
    reason: str
    until: str = ""
    expected_s: float | None = None
    least_s: float | None = None
    """How long it lasts at least, whatever is measured."""
    since_t: float | None = None

    def until_at(self, now_t: float | None) -> str:
        """When it is lifted, as is to be said at monotonic second `now_t`."""
        passed_s = None if now_t is None or self.since_t is None else now_t - self.since_t
        return until_told(
            self.until, least_s=self.least_s, expected_s=self.expected_s, passed_s=passed_s
        )


class Override(Struct, frozen=True, kw_only=True, gc=False):
    """A rule that may not hold the run for a while, because a person said so."""

    rule: str
    who: str
    until_t: float | None = None
    """Monotonic second of its end."""
    until_at: datetime | None = None
    """The same on the wall clock. Whichever of the two comes first ends it."""

    def in_force(self, now_t: float, now_at: datetime | None) -> bool:
        """Whether it still counts at this moment, on both clocks."""
        if self.until_t is None or now_t >= self.until_t:
            return False
        return self.until_at is None or now_at is None or now_at < self.until_at


class Told(Struct, frozen=True, kw_only=True, gc=False):
    """An alert of a rule, as far as that rule needs to know of it."""

    rule: str
    about: str
    t: float | None = None
    """Monotonic second in which it was last given."""


class TrainingRecord(Struct, frozen=True, gc=False):
    """What a progress record says of training."""

    loss: float | None
    """`None`: the engine tells none."""
    seconds_per_iteration: float | None = None
    iterations: int = 1
    """How many there were since the record before."""


class Pace(Struct, frozen=True, kw_only=True, gc=False):
    """How fast a policy wants the run to go."""

    duty: float = 1.0
    """Share of the time to compute."""
    power_limit_w: float | None = None
    """The power limit that the card is to have; `None`: the one it was found with."""
    since_t: float | None = None
    """Monotonic second of the decision."""


class PowerControl(Struct, frozen=True, kw_only=True, gc=False):
    """The card's power limit, in watts: what it was found with, what it is, what it can be."""

    found_w: float
    """Before this run changed it: to be put back at the end."""
    limit_w: float
    lowest_w: float
    highest_w: float
    refused: bool = False
    """The driver does not let this user set it."""


class SavedCheckpoint(Struct, frozen=True, kw_only=True, gc=False):
    """A checkpoint that is durable."""

    kind: CheckpointKind
    path: str
    bytes: int
    sha256: str | None = None
    epoch: int | None = None
    iteration: int | None = None
    """`None`: the end of its epoch, in a run that did not know yet how many steps that is."""
    vali_mse: float | None = None
    at: datetime | None = None
    t: float | None = None
    step: int = 0
    """Steps of the whole run that it holds, as far as they could be counted when it was saved."""


class Notice(Struct, frozen=True, kw_only=True, gc=False):
    """An alert, as kept for display."""

    level: AlertLevel
    message: str
    at: datetime | None = None


class Pass(Struct, frozen=True, kw_only=True, gc=False):
    """A pass over windows that are only read, batch after batch, under way."""

    done: int
    total: int
    told_t: float | None = None
    """Monotonic second of its newest word."""
    gap_s: float | None = None
    """The shortest time between two of its words; `None` before there were two."""

    @property
    def share(self) -> float:
        """Of the windows, what is read."""
        return self.done / self.total if self.total else 0.0

    @property
    def due_s(self) -> float | None:
        """After how long its next word is due; `None`: not known, or all is read."""
        return self.gap_s if self.done < self.total else None


class Evaluation(Pass, frozen=True, kw_only=True, gc=False):
    """An evaluation under way."""

    split: Split


class RunState(Struct, frozen=True, kw_only=True, gc=False):
    """Where a run stands."""

    run_id: str = ""
    name: str = ""
    engine: Literal["timellm", "foreign", "imported"] = "timellm"
    gpu: str = "none"
    resumed: bool = False
    started_at: datetime | None = None
    updated_at: datetime | None = None
    t: float | None = None
    """Monotonic second of the newest event."""

    activity: Literal["waiting", "starting", "restarting", "training", "evaluating"] = "waiting"
    """`restarting`: the engine ended unasked, and is about to be started again."""
    restart_reason: str = ""
    restart_t: float | None = None
    """Monotonic second in which it is to be started."""
    restarts: int = 0
    """Of the whole run."""
    pieces: int = 1
    """In how many times as many pieces as configured a batch is computed, for want of memory."""
    standing: bool = False
    """The engine has confirmed that it stands still."""
    holds: tuple[Hold, ...] = ()
    resumed_t: float | None = None
    """Monotonic second in which a policy last lifted a hold of its own."""
    overrides: tuple[Override, ...] = ()
    """Of rules, the newest of each. One that is over goes with the next event."""
    policy_settings: tuple[str, ...] = ()
    """Keys of `[policy]` that were changed under the run, each `key=value` in TOML, the newest of
    each. They stay when the run is stopped and resumed."""
    told: tuple[Told, ...] = ()
    """Alerts about something in particular, the newest of each."""
    duty: float = 1.0
    """The engine's pace, as it has confirmed it."""
    pace: Pace = Pace()
    """The pace that the policies want."""
    moving_since_t: float | None = None
    """Monotonic second in which the engine last began to move."""
    power: PowerControl | None = None
    """`None` where the driver tells nothing of a power limit."""
    acknowledged: int = 0
    engine_pid: int | None = None
    engine_started_t: float | None = None
    """Monotonic second in which the engine's process was started."""
    exited_at: datetime | None = None
    """When the engine ended, as that was first told; `None` while there is one, or is to be one."""
    engine_word_t: float | None = None
    """Monotonic second of the engine's newest word."""
    supervisor_pid: int | None = None
    stop: StopMode | None = None
    """How the run was told to stop, if it was."""
    stop_reason: str = ""
    stopping_for_hardware: bool = False
    stopping_for_failure: bool = False
    """A rule has found that training has failed."""
    outcome: Outcome | None = None
    exit_code: int | None = None
    ended_at: datetime | None = None
    """When the run ended: with its engine, however late that was found and written down."""
    end_reason: str = ""
    failure: str = ""

    epochs: int | None = None
    steps_per_epoch: int | None = None
    batch_size: int | None = None
    train_samples: int | None = None
    vali_samples: int | None = None
    test_samples: int | None = None
    trainable_parameters: int | None = None
    frozen_parameters: int | None = None
    backbone: str = ""
    device: str = ""
    patience: int | None = None
    loss_name: LossName = "mse"
    """What `loss` is."""
    test: TestCadence = "each_epoch"
    min_delta: float = 0.0

    epoch: int = 0
    iteration: int = 0
    solving: Pass | None = None
    """What is read while the head's beginning is being solved for."""
    loss: float | None = None
    smoothed_loss: float | None = None
    """Exponential mean of the losses so far."""
    smoothed_weight: float = 0.0
    """The weights of those losses, together: 1 once there were many."""
    lr: float | None = None
    grad_norm: float | None = None
    seconds_per_iteration: float | None = None
    """Smoothed over recent progress."""
    recent_training: tuple[TrainingRecord, ...] = ()
    """The latest progress records of this start, oldest first."""
    engine_left_seconds: float | None = None
    windows_per_second: float | None = None
    """How fast the engine forecasts, as it tried out before its first evaluation."""
    evaluation: Evaluation | None = None
    rows: tuple[EpochRow, ...] = ()
    best_epoch: int | None = None
    best_vali_mse: float | None = None
    early_counter: int = 0
    early_stopped: bool = False
    final_mse: float | None = None
    final_mae: float | None = None

    best: SavedCheckpoint | None = None
    last: SavedCheckpoint | None = None
    writing: CheckpointKind | None = None
    """The kind of checkpoint that is being written at this moment."""

    sample: GpuSample | None = None
    sample_t: float | None = None
    telemetry_problem: str = ""
    telemetry_gone: bool = False
    telemetry_asleep: bool = False
    """The GPU is powered down and was not woken to be read."""
    gpu_lost_t: float | None = None
    """Monotonic second in which the driver said that the GPU is lost or must be reset; `None` once
    it was read again."""
    gpu_lost_reason: str = ""
    ecc_errors_before: int | None = None
    """Memory errors that could not be corrected, as first read in this start."""
    watched_since_t: float | None = None
    """Monotonic second in which the present supervisor took charge, or the GPU was found awake
    but unreadable: what was missing before is not missed."""
    peak_temperature_c: float | None = None

    host: HostSample | None = None
    """The newest reading of the machine; `None` until there is one."""
    host_t: float | None = None
    """Monotonic second of that reading."""

    active_s: float = 0.0
    """Time the run was held by a supervisor, pauses included, and that before it was adopted."""
    paused_s: float = 0.0
    """Time in which it stood still under a supervisor's eyes."""
    paused_since_t: float | None = None
    pauses: int = 0
    notices: tuple[Notice, ...] = ()

    @property
    def phase(self) -> Phase:
        """The one word for where the run stands."""
        match self.outcome:
            case "finished":
                return "finished"
            case "stopped" | "stopped_for_hardware":
                return "stopped"
            case "failed" | "refused":
                return "failed"
            case None:
                pass
        if self.stop is not None and self.stop != "after_checkpoint":
            return "stopping"
        if self.standing:
            return "paused"
        return self.activity if self.stop is None else "stopping"

    @property
    def desired(self) -> Desired:
        """What the engine is to do. A stop outranks a hold, unless it is to wait for a save."""
        if self.stop is not None and self.stop != "after_checkpoint":
            return "stop_now"
        if self.holds:
            return "pause"
        return "stop_after_checkpoint" if self.stop is not None else "run"

    def override_of(self, rule: str, now_t: float, now_at: datetime | None) -> Override | None:
        """The override of `rule` that is in force at this moment, on both clocks."""
        found = next((o for o in self.overrides if o.rule == rule), None)
        return found if found is not None and found.in_force(now_t, now_at) else None

    @property
    def ended(self) -> bool:
        """Nothing more will happen unless somebody resumes the run."""
        return self.outcome is not None

    @property
    def step(self) -> int:
        """Steps of the whole run that are done."""
        if self.steps_per_epoch is None or self.epoch == 0:
            return self.iteration
        return (self.epoch - 1) * self.steps_per_epoch + self.iteration

    @property
    def total_steps(self) -> int | None:
        """Steps of the whole run if it is not ended early; `None` until the engine has said so."""
        if self.epochs is None or self.steps_per_epoch is None:
            return None
        return self.epochs * self.steps_per_epoch

    @property
    def steps_at_risk(self) -> int:
        """Steps that would have to be repeated if everything ended now.

        Our own engine goes on from `last` alone; of a script, what it has saved is all there is.
        """
        kept = (self.last,) if self.engine == "timellm" else (self.best, self.last)
        saved = [c for c in kept if c is not None]
        return min((self._steps_since(c) for c in saved), default=self.step)

    def _steps_since(self, saved: SavedCheckpoint) -> int:
        if self.steps_per_epoch is None or saved.epoch is None:
            # Only the steps of the present epoch can be counted.
            return max(0, self.step - saved.step) if saved.epoch == self.epoch else self.iteration
        left_of_epoch = 0 if saved.iteration is None else self.steps_per_epoch - saved.iteration
        return max(0, self.step - (saved.epoch * self.steps_per_epoch - left_of_epoch))
