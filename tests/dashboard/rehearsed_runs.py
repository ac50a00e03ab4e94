"""Runs on the thermal model under the real rules, as their journals would have told of them."""

import math
from datetime import UTC, datetime, timedelta
from functools import lru_cache

from msgspec import Struct
from msgspec.structs import replace

from timellm_ops.contract import events as ev
from timellm_ops.contract.config import PolicySection, SimulatedGpuSection
from timellm_ops.contract.reduction import reduce
from timellm_ops.contract.state import RunState
from timellm_ops.contract.telemetry import TimedSample
from timellm_ops.probe.simulated import SimulatedCard
from timellm_policies.decide import decide

BEGAN = datetime(2026, 1, 31, 21, 45, tzinfo=UTC)
_WINDOWS = 1_000
_TENTHS = 10


class Planned(Struct, frozen=True, kw_only=True):
    """A run to rehearse; seconds of full work."""

    epochs: int = 3
    steps: int = 300
    step_s: float = 0.25
    told_every: int = 20
    evaluation_s: float = 15.0
    loads_s: float = 5.0
    ends_s: float = 0.7
    card: SimulatedGpuSection = SimulatedGpuSection(whole_degrees=True)
    policy: PolicySection = PolicySection()
    waits_s: float = 0.0
    """What the machine's other work makes each step wait for from the second epoch on, and the card
    with it, as a share of the step; evaluations as well."""
    begins_warm_s: float = 0.0
    """For so long the card was at work before the run."""
    jump_c: float = 0.0
    """How much warmer than the model's card the chip itself is within seconds of being at work."""


class _Rehearsed:
    """Lets a run happen, second by second."""

    def __init__(self, planned: Planned) -> None:
        self._planned = planned
        self._card = SimulatedCard(planned.card)
        if planned.begins_warm_s:
            self._card.advance(planned.begins_warm_s, busy=True)
        self._state = RunState()
        self._recent: list[TimedSample] = []
        self._chip_c = 0.0
        self._t = 0.0
        self._polled_t = -1.0
        self.events: list[ev.Event] = []

    def say(self, event: ev.Event) -> None:
        event = replace(event, t=self._t, at=BEGAN + timedelta(seconds=self._t))
        self._state = reduce(self._state, event)
        self.events.append(event)

    def run(self) -> None:
        """The whole of it."""
        plan = self._planned
        self.say(ev.RunStarted(run_id="r", name="r", engine="timellm", gpu="simulated"))
        self.say(ev.EngineStarted(pid=2))
        self._idle(plan.loads_s)
        self.say(
            ev.TrainingStarted(
                epochs=plan.epochs, steps_per_epoch=plan.steps, batch_size=1,
                train_samples=plan.steps, vali_samples=_WINDOWS, test_samples=0,
                trainable_parameters=1, frozen_parameters=1, backbone="b", device="cpu",
                patience=9, test="never",
            )
        )  # fmt: skip
        for epoch in range(1, plan.epochs + 1):
            self.say(ev.EpochStarted(epoch=epoch, steps=plan.steps))
            for step in range(1, plan.steps + 1):
                self._work(plan.step_s, epoch)
                if step % plan.told_every == 0 or step in (1, 2, 3, 4, plan.steps):
                    self.say(ev.Progress(iteration=step, epoch=epoch, loss=1.0))
                if (epoch, step) == (1, 3):
                    self.say(ev.ForecastsTimed(windows_per_second=_WINDOWS / plan.evaluation_s))
            self._evaluate(epoch)
        self.say(ev.TrainingFinished(epoch=plan.epochs))
        self._idle(plan.ends_s)
        self.say(ev.EngineExited(code=0))
        self.say(ev.RunEnded(outcome="finished", exit_code=0, reason="finished"))

    def _evaluate(self, epoch: int) -> None:
        def told(done: int) -> ev.Event:
            return ev.EvaluationProgress(split="vali", done=done, total=_WINDOWS, epoch=epoch)

        self.say(told(0))
        for tenth in range(1, _TENTHS + 1):
            self._work(self._planned.evaluation_s / _TENTHS, epoch)
            self.say(told(_WINDOWS * tenth // _TENTHS))
        self.say(ev.EpochEnded(epoch=epoch, train_mse=1.0, vali_mse=1.0))

    def _work(self, full_s: float, epoch: int) -> None:
        """A step, or a piece of an evaluation; the rest that the pace asks for, and a pause."""
        left_s, began_t = full_s, self._t
        self._idle(full_s * self._planned.waits_s * (epoch > 1))
        while left_s > 1e-9:
            dt_s = min(left_s / self._card.speed, 0.25)
            left_s -= dt_s * self._card.speed
            self._pass(dt_s, busy=True)
        if self._state.duty < 1.0:
            self._idle((self._t - began_t) * (1.0 / self._state.duty - 1.0))
        if self._state.desired == "pause":
            began_t = self._t
            self.say(ev.Paused())
            while self._state.desired == "pause":
                self._pass(0.25, busy=False)
            self.say(ev.Resumed(paused_seconds=self._t - began_t))
        if self._state.pace.duty != self._state.duty:
            self.say(ev.Paced(duty=self._state.pace.duty))

    def _idle(self, seconds: float) -> None:
        while seconds > 1e-9:
            dt_s = min(seconds, 0.25)
            self._pass(dt_s, busy=False)
            seconds -= dt_s

    def _pass(self, dt_s: float, *, busy: bool) -> None:
        self._card.advance(dt_s, busy=busy)
        goal_c = self._planned.jump_c if busy else 0.0
        self._chip_c = goal_c + (self._chip_c - goal_c) * math.exp(-dt_s / 4.0)
        self._t += dt_s
        if self._t - self._polled_t < 1.0:
            return
        self._polled_t = self._t
        sample = self._card.read(self._t)
        if sample.temperature_c is not None:
            sample = replace(sample, temperature_c=sample.temperature_c + round(self._chip_c))
        self._recent.append(TimedSample(self._t, sample))
        del self._recent[:-600]
        self.say(ev.Telemetry(sample=sample))
        for decision in decide(self._planned.policy, self._state, self._recent, self._t):
            self.say(decision)


@lru_cache(maxsize=1)  # a test asks for one run several times
def rehearsed(planned: Planned) -> tuple[ev.Event, ...]:
    """All events of the run."""
    run = _Rehearsed(planned)
    run.run()
    return tuple(run.events)
