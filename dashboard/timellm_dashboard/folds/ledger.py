"""The throttle ledger: where a run's time went, and what heat, power caps, pace and pauses took.

A fold over events. Every second between two events is booked once, as time of one kind; what was
lost is booked besides, by its cause. No number of it ever goes down, but for work that turns out to
have been an engine's silence.
"""

from copy import copy
from typing import Literal, get_args

from msgspec import Struct

from timellm_dashboard.folds.lasthour import LastHour
from timellm_dashboard.folds.silence import CAUSE, Silence
from timellm_dashboard.folds.spent import Loss, Spent
from timellm_dashboard.folds.standing import Standing
from timellm_dashboard.folds.stepcost import Slowdown, StepCost, slowdown_of
from timellm_ops.contract import events as ev
from timellm_ops.contract.state import RunState

REPEATED = "repeated"
"""The cause of time that went into steps which were lost with an engine, and are made again, and
into a head that is solved for again before the first of them."""


class _Work(Struct, frozen=True, gc=False):
    """What was booked as work until the engine's last word."""

    training_s: float
    evaluating_s: float
    solving_s: float
    paced_s: float
    rested_s: float
    unread_s: float
    slowed: dict[Slowdown, float] | None
    """`None`: nothing has slowed the card yet."""


class Ledger:
    """Folds events, one after the other. Bounded, whatever the length of the run."""

    def __init__(self) -> None:
        self._training_s = self._evaluating_s = self._loading_s = 0.0
        self._unsupervised_s = self._ended_s = 0.0
        self.standing = Standing()
        self._paced_s = self._rested_s = 0.0
        self._silent_s = self._silence_lost_s = 0.0
        self._slowed: dict[Slowdown, float] = {}
        self._repeated_steps, self._repeated_s = 0, 0.0
        self._solving_s = 0.0
        """Went into a head that was solved for, or nearly, and would have to be again."""
        self.unread_s = 0.0
        """Moving, without a word from the card on what slows it down."""
        self.tells_slowdowns = False
        """Whether the card has ever said what slows it down, or that nothing does."""
        self._slowdown: Slowdown | Literal["none"] | None = None  # `None`: the card does not say
        self._steps = StepCost()
        self._heard = self._work()
        self._hour = LastHour()

    def fold(
        self,
        before: RunState,
        event: ev.Event,
        after: RunState,
        silence: Silence | None = None,
    ) -> None:
        """Take in `event`, which led from `before` to `after`, and which `silence` has taken in."""
        standing = self.standing
        if before.holds:
            standing.cause = before.holds[0].rule
        passed = after.active_s - before.active_s
        if before.outcome is not None or type(event) in ev.TAKES_CHARGE:
            between_s = max(passed, _between(before, event))
            gone = before.exited_at is not None and after.engine_pid is None
            if before.outcome is not None or gone:
                self._ended_s += between_s
            else:
                self._unsupervised_s += between_s
            self._steps.drop()
            standing.end(before.active_s)
        elif passed > 0:
            self._hour.go_on(passed)
            if silence is not None and silence.found_s > 0.0:
                self._fall_silent(passed, silence)
            else:
                self._book(passed, before, after)
        if silence is not None and silence.heard_s == after.active_s:
            self._heard = self._work()
        if after.standing != before.standing:
            if after.standing:
                standing.begin(after.active_s)
            else:
                standing.end(after.active_s)
        match event:
            case ev.Telemetry():
                self._slowdown = slowdown_of(event.sample.throttle_reasons)
                self.tells_slowdowns = self.tells_slowdowns or self._slowdown is not None
            case ev.Progress():
                self._progress(event)
            case ev.TelemetryLost() | ev.RunStarted() | ev.Adopted():
                self._slowdown = None
            case ev.TrainingStarted():
                self._repeat(before, after)
                self._steps.begin(event.start_epoch, event.start_iteration)
            case ev.EpochStarted():
                self._steps.begin(event.epoch, after.iteration)
            case (
                ev.EvaluationProgress()
                | ev.HeadProgress()
                | ev.HeadSolved()
                | ev.ForecastsTimed()
                | ev.EngineExited()
            ):
                self._steps.drop()
            case _:
                pass

    def stood_on(self, passed_s: float, state: RunState) -> "Ledger":
        """The ledger of an engine that has stood still for `passed_s` more since the last event,
        which led to `state`; this one is left as it is."""
        later = copy(self)
        later.detach()
        later.stand_on(passed_s, state)
        return later

    def detach(self) -> None:
        """Share nothing that changes while it stands with whatever this is a copy of."""
        self.standing = copy(self.standing)
        self.standing.detach()
        self._hour = copy(self._hour)
        self._hour.detach()

    def stand_on(self, passed_s: float, state: RunState) -> None:
        """Book `passed_s` more of the pause that lasts."""
        if state.holds:
            self.standing.cause = state.holds[0].rule
        self._hour.go_on(passed_s)
        self.standing.stand(passed_s, state.active_s + passed_s)
        self._hour.lose(self.standing.cause, passed_s)

    def _fall_silent(self, passed: float, silence: Silence) -> None:
        """Those seconds were silent, and with the first of them all since the last word, except for
        what the engine needs from word to word at any rate."""
        lost_s, heard = passed, self._heard
        if silence.found_s > passed:
            lost_s = max(0.0, silence.found_s - silence.usual_s)
            self._hour.take_back("pace", self._rested_s - heard.rested_s)
            self._training_s, self._evaluating_s = heard.training_s, heard.evaluating_s
            self._solving_s = heard.solving_s
            self._paced_s, self._rested_s = heard.paced_s, heard.rested_s
            self.unread_s, self._slowed = heard.unread_s, dict(heard.slowed or {})
            self._steps.drop()
        self._silent_s += silence.found_s
        self._silence_lost_s += lost_s
        self._hour.lose(CAUSE, lost_s)

    def _repeat(self, before: RunState, after: RunState) -> None:
        """An engine of ours that starts before where the last one was makes those steps again. A
        script that starts anew does so for its own reasons."""
        again = before.step - after.step
        if before.engine != "timellm" or before.steps_per_epoch is None or again < 0:
            return
        # By what a step takes, but never more than there was: the first may have been told late.
        took_s = again * (self.step_s or before.seconds_per_iteration or 0.0)
        if after.step == 0:
            took_s += self._solving_s
            self._solving_s = 0.0
        lost_s = sum(part.lost_s or 0.0 for part in self.losses)
        self._repeated_steps += again
        self._repeated_s += min(took_s, max(0.0, self.spent.supervised_s - lost_s))

    def _work(self) -> _Work:
        return _Work(
            self._training_s,
            self._evaluating_s,
            self._solving_s,
            self._paced_s,
            self._rested_s,
            self.unread_s,
            dict(self._slowed) if self._slowed else None,
        )

    # --- what a second was -----------------------------------------------------------------------

    def _book(self, passed: float, before: RunState, after: RunState) -> None:
        if before.standing:
            self.standing.stand(passed, after.active_s)
            self._hour.lose(self.standing.cause, passed)
        elif before.activity == "training":  # most of a long journal
            self._training_s += passed
            if before.solving is not None:
                self._solving_s += passed
            self._move(passed, before)
        elif before.activity == "evaluating":
            self._evaluating_s += passed
            self._move(passed, before)
        else:
            self._loading_s += passed

    def _move(self, passed: float, before: RunState) -> None:
        rested, duty = 0.0, before.duty
        if duty < 1.0:
            rested = (1.0 - max(0.0, duty)) * passed
            self._paced_s += passed
            self._rested_s += rested
            self._hour.lose("pace", rested)
        slowdown = self._slowdown
        self._steps.move(passed, rested, slowdown)
        if slowdown is None:
            self.unread_s += passed
        elif slowdown != "none":
            self._slowed[slowdown] = self._slowed.get(slowdown, 0.0) + passed

    def _progress(self, event: ev.Progress) -> None:
        slow = self._steps.progress(event)
        if slow is not None:
            self._hour.slow(slow)

    # --- what it has come to ---------------------------------------------------------------------

    @property
    def spent(self) -> Spent:
        """Where the time went."""
        return Spent(
            training_s=self._training_s,
            evaluating_s=self._evaluating_s,
            loading_s=self._loading_s,
            standing_s=self.standing.total_s,
            silent_s=self._silent_s,
            unsupervised_s=self._unsupervised_s,
            ended_s=self._ended_s,
        )

    @property
    def step_s(self) -> float | None:
        """Seconds that a step takes without rests, and at the card's full speed where that was
        ever seen; `None`: not measured."""
        return self._steps.step_s

    @property
    def recent_s(self) -> float:
        """The seconds that the recent losses are of: the last hour in whole minutes, or less."""
        return self._hour.seconds

    @property
    def losses(self) -> tuple[Loss, ...]:
        """What each cause took that took anything: pauses by their rules first, silence, steps made
        again, the pace, the card."""
        found = [
            Loss(cause=cause, lasted_s=s, lost_s=s, recent_lost_s=self._hour.lost_s(cause))
            for cause, s in self.standing.seconds.items()
        ]
        if self._silent_s > 0:
            found.append(
                Loss(
                    cause=CAUSE,
                    lasted_s=self._silent_s,
                    lost_s=self._silence_lost_s,
                    recent_lost_s=self._hour.lost_s(CAUSE),
                )
            )
        if self._repeated_steps or self._repeated_s > 0.0:
            found.append(
                Loss(
                    cause=REPEATED,
                    lasted_s=self._repeated_s,
                    lost_s=self._repeated_s,
                    recent_lost_s=None,
                    steps=self._repeated_steps,
                )
            )
        if self._paced_s > 0:
            found.append(
                Loss(
                    cause="pace",
                    lasted_s=self._paced_s,
                    lost_s=self._rested_s,
                    recent_lost_s=self._hour.lost_s("pace"),
                )
            )
        found += [self._slowed_by(s) for s in get_args(Slowdown) if self._slowed.get(s)]
        return tuple(found)

    def slowed(self, slowdown: Slowdown) -> Loss | None:
        """What that has taken, nothing included; `None`: the card never says what slows it."""
        if not self.tells_slowdowns:
            return None
        if slowdown in self._slowed:
            return self._slowed_by(slowdown)
        return Loss(cause=slowdown, lasted_s=0.0, lost_s=0.0, recent_lost_s=0.0)

    def _slowed_by(self, slowdown: Slowdown) -> Loss:
        lasted_s, cost_s = self._slowed[slowdown], self._steps.cost_s(slowdown)
        step_s = self._steps.full_step_s
        if cost_s is None or step_s is None:
            return Loss(cause=slowdown, lasted_s=lasted_s, lost_s=None, recent_lost_s=None)
        lost_s = min(lasted_s, cost_s)
        recent_s = self._hour.slow_cost_s(slowdown, step_s)
        return Loss(
            cause=slowdown, lasted_s=lasted_s, lost_s=lost_s, recent_lost_s=min(lost_s, recent_s)
        )


def _between(before: RunState, event: ev.Event) -> float:
    """Seconds from the last event to this one, by the wall clock where the machine's own was set
    back in between, as by a reboot."""
    if before.t is None and before.updated_at is None:
        return 0.0
    if before.updated_at is not None and event.at is not None:
        return max(0.0, (event.at - before.updated_at).total_seconds())
    if before.t is not None and event.t is not None:
        return max(0.0, event.t - before.t)
    return 0.0
