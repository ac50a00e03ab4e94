"""A night in simulated time: the real rules, on a card that heats, over an engine that steps.

Nothing is simplified that a rule could notice: readings come late and rounded as the card's own
thermometer tells them, a pause waits for the end of a step, a rest for its length, and every
decision is reduced into the same state that a supervisor has. Only the card is a stand-in.
"""

from collections.abc import Sequence
from typing import Literal, Protocol, assert_never

import msgspec
from msgspec import Struct

from timellm_ops.contract import events as ev
from timellm_ops.contract.config import PolicySection
from timellm_ops.contract.reduction import reduce
from timellm_ops.contract.state import RunState
from timellm_ops.contract.telemetry import GpuSample, TimedSample
from timellm_policies import governor
from timellm_policies.decide import decide

Strategy = Literal["none", "pause", "duty", "power"]
STRATEGIES: tuple[Strategy, ...] = ("none", "pause", "duty", "power")
"""`none`: no rule at all, the card looks after itself; `pause`: stop and go; `duty` and `power`:
the governor with either actuator, pausing as its safety net."""

SETTLING_S = 1200.0
"""Where a night is looked at for its swing, this much of its start is left out."""
_KEPT = 600
_DONE = 1e-9

_replace = msgspec.structs.replace


class Card(Protocol):
    """A card to rehearse on."""

    @property
    def temperature_c(self) -> float:
        """What it really is, whatever is read."""
        ...

    @property
    def speed(self) -> float:
        """Share of full speed at which it would compute now."""
        ...

    @property
    def energy_j(self) -> float:
        """Used so far."""
        ...

    def advance(self, dt_s: float, *, busy: bool) -> None:
        """Let time pass, all of it at work or all of it idle."""
        ...

    def read(self, t: float) -> GpuSample:
        """What a driver tells at second `t`; the first one with the power limits."""
        ...

    def limit_power(self, limit_w: float) -> None:
        """Hold it to so many watts."""
        ...

    def set_room(self, celsius: float) -> None:
        """The temperature around it."""
        ...

    def share_at(self, celsius: float) -> float:
        """The share of the time that it can be busy at full power and stay at `celsius`."""
        ...

    def hot_share_at(self, celsius: float, step_s: float) -> float:
        """The same with the hottest moment of each of its steps at `celsius`."""
        ...


class Night(Struct, frozen=True, kw_only=True):
    """What is to be rehearsed."""

    hours: float = 14.0
    step_s: float = 1.0
    """What a step takes at full speed."""
    poll_s: float = 1.0
    """Time between two readings."""
    room_c: tuple[float, ...] = (25.0,)
    """The room's temperature, at points evenly apart; in between along lines."""


class Rehearsal(Struct, frozen=True, kw_only=True):
    """What came of a night."""

    strategy: Strategy
    steps: float
    steps_per_hour: float
    share_of_bound: float
    """Of the work that a card can do by starting and stopping whose mean is the set point, and
    which is at no moment hotter than what pauses."""
    mean_c: float
    max_c: float
    lowest_settled_c: float
    highest_settled_c: float
    above_pause_s: float
    """Time above the pausing threshold."""
    pauses: int
    decisions: int
    """Lines of the journal."""
    energy_wh: float
    stopped: str = ""
    """Why a rule ended the run before the night was over."""

    @property
    def swing_c(self) -> float:
        """Between the coolest and the hottest moment, once settled."""
        return self.highest_settled_c - self.lowest_settled_c


def with_strategy(policy: PolicySection, strategy: Strategy) -> PolicySection:
    """The configured rules as a strategy has them."""
    thermal, pace = policy.thermal, policy.governor
    match strategy:
        case "none":
            return _replace(
                policy,
                thermal=_replace(thermal, enabled=False),
                governor=_replace(pace, enabled=False),
            )
        case "pause":
            return _replace(
                policy,
                thermal=_replace(thermal, enabled=True),
                governor=_replace(pace, enabled=False),
            )
        case "duty" | "power":
            return _replace(
                policy,
                thermal=_replace(thermal, enabled=True),
                governor=_replace(pace, enabled=True, actuator=strategy),
            )
        case _:
            assert_never(strategy)


def room_between(first_c: float, second_c: float) -> tuple[float, ...]:
    """A room that goes from the one to the other and back, once."""
    return (first_c, second_c, first_c)


def room_at(room_c: Sequence[float], share: float) -> float:
    """The room's temperature after that share (0 to 1) of the night."""
    place = min(1.0, max(0.0, share)) * (len(room_c) - 1)
    index = min(int(place), len(room_c) - 1)
    after = room_c[min(index + 1, len(room_c) - 1)]
    return room_c[index] + (place - index) * (after - room_c[index])


def rehearse(policy: PolicySection, strategy: Strategy, card: Card, night: Night) -> Rehearsal:
    """The night under `strategy`. `card` is used up by it."""
    rules = with_strategy(policy, strategy)
    pause_c = policy.thermal.pause_above_c
    target_c = governor.set_point_c(policy.governor, policy.thermal, RunState())
    supervised = _Supervised(rules, card)
    engine = _Engine(card, night.step_s, pause_c)
    polls = max(1, round(night.hours * 3600.0 / night.poll_s))
    bound_s, bound, t = 0.0, 0.0, 0.0
    for number in range(polls):
        if number % 60 == 0:
            card.set_room(room_at(night.room_c, number / polls))
            bound = min(card.share_at(target_c), card.hot_share_at(pause_c, night.step_s))
        supervised.looks(t)
        if supervised.state.stop is not None:
            break
        engine.advance(t, t + night.poll_s, supervised.state)
        supervised.hears(engine.standing, t + night.poll_s)
        bound_s += bound * night.poll_s
        t += night.poll_s
    hours = max(t, night.poll_s) / 3600.0
    seen = engine.seen
    return Rehearsal(
        strategy=strategy,
        steps=engine.steps,
        steps_per_hour=engine.steps / hours,
        share_of_bound=engine.steps * night.step_s / bound_s if bound_s > 0.0 else 0.0,
        mean_c=seen.degree_seconds / max(t, night.poll_s),
        max_c=seen.max_c,
        lowest_settled_c=min(seen.lowest_c, seen.highest_c),
        highest_settled_c=seen.highest_c if seen.highest_c > -1e9 else seen.max_c,
        above_pause_s=seen.above_s,
        pauses=supervised.state.pauses,
        decisions=supervised.decisions,
        energy_wh=card.energy_j / 3600.0,
        stopped=supervised.state.stop_reason,
    )


class _Supervised:
    """A supervisor's knowledge, and the rules that are asked after every reading."""

    def __init__(self, rules: PolicySection, card: Card) -> None:
        self._rules, self._card = rules, card
        self.decisions = 0
        self.recent: list[TimedSample] = []
        self.state = RunState()
        started = ev.RunStarted(run_id="night", name="night", engine="timellm", gpu="simulated")
        word = ev.ControlAcknowledged(sequence=0, desired="run", duty=1.0)
        for event in (started, ev.EngineStarted(pid=1), word):
            self._happens(event, 0.0)

    def looks(self, t: float) -> None:
        sample = self._card.read(t)
        self.recent.append(TimedSample(t, sample))
        if len(self.recent) > 2 * _KEPT:
            del self.recent[:-_KEPT]
        self._happens(ev.Telemetry(sample=sample), t)
        for decision in decide(self._rules, self.state, self.recent, t):
            self.decisions += 1
            self._happens(decision, t)
            if decision.action == "pace" and decision.unit == "W" and decision.value is not None:
                self._card.limit_power(decision.value)
                self._happens(ev.PowerLimitSet(limit_w=decision.value), t)

    def hears(self, standing: bool, t: float) -> None:
        """The engine says that it stands still, or that it moves again."""
        if standing != self.state.standing:
            self._happens(ev.Paused() if standing else ev.Resumed(), t)

    def _happens(self, event: ev.Event, t: float) -> None:
        self.state = reduce(self.state, _replace(event, t=t))


class _Seen:
    """What there is to tell of the card's temperature."""

    def __init__(self) -> None:
        self.max_c = -1e9
        self.lowest_c, self.highest_c = 1e9, -1e9
        self.above_s = self.degree_seconds = 0.0


class _Engine:
    """A loop of steps that rests between them and stands when it is told to, as ours does."""

    def __init__(self, card: Card, step_s: float, pause_c: float) -> None:
        self._card, self._step_s, self._pause_c = card, step_s, pause_c
        self.seen = _Seen()
        self.steps = 0.0
        self.standing = False
        self._left_s = step_s
        """Of the step under way, at full speed; 0: between two steps."""
        self._began_t = self._ended_t = 0.0

    def advance(self, t: float, until_t: float, state: RunState) -> None:
        told_to_stand = state.desired == "pause"
        while until_t - t > _DONE:
            between = self._left_s <= 0.0
            if between and told_to_stand:
                self.standing = True
                t = self._pass(t, until_t - t, busy=False)
                continue
            if self.standing:
                self.standing = False
                self._begin(t)
            elif between:
                worked_s = self._ended_t - self._began_t
                rest_s = self._ended_t + worked_s * (1.0 / state.pace.duty - 1.0) - t
                if rest_s > _DONE:
                    t = self._pass(t, min(rest_s, until_t - t), busy=False)
                    continue
                self._begin(t)
            t = self._work(t, until_t)

    def _begin(self, t: float) -> None:
        self._left_s, self._began_t = self._step_s, t

    def _work(self, t: float, until_t: float) -> float:
        speed = self._card.speed
        dt_s = min(self._left_s / speed, until_t - t)
        before_s = self._left_s
        self._left_s -= dt_s * speed
        if self._left_s <= _DONE:
            self._left_s = 0.0
        self.steps += (before_s - self._left_s) / self._step_s
        t = self._pass(t, dt_s, busy=True)
        if self._left_s == 0.0:
            self._ended_t = t
        return t

    def _pass(self, t: float, dt_s: float, *, busy: bool) -> float:
        self._card.advance(dt_s, busy=busy)
        celsius, seen = self._card.temperature_c, self.seen
        seen.degree_seconds += celsius * dt_s
        seen.max_c = max(seen.max_c, celsius)
        if celsius > self._pause_c:
            seen.above_s += dt_s
        if t >= SETTLING_S:
            seen.lowest_c = min(seen.lowest_c, celsius)
            seen.highest_c = max(seen.highest_c, celsius)
        return t + dt_s
