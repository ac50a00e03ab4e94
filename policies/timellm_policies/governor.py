"""The governor: holds a set point by pace, so that a run need not be stopped for heat.

A PI controller for a slow plant, in velocity form. With u the share of full pace, the card is
taken for first order: its temperature T goes towards `room + rise * u` with the time constant τ.
Each decision changes u by the integral, over the time since the decision before, of

    (set point - (T + τ * dT/dt)) / (rise * (τ + 20 s))

which is a PI controller whose integral time is the card's own time constant and whose closed loop
is about as slow as the card (Skogestad, "Simple analytic rules for model reduction and PID
controller tuning", J. Process Control 13 (2003) 291-309). `T + τ * dT/dt` is where the card is
heading: full pace is kept until that is above the set point, so a card that stays cool is not
paced. Being a change of the pace before, it winds nothing up at its bounds, a pause hands over
where it began, and all there is to remember is the last decision, which the journal has.

Drivers tell whole degrees, work comes in pulses, and τ and rise may be wrong by 2. So T is the
end of a line through the readings of 30 s; near the set point only what stands out of its noise
counts as movement, and the rest is left to the integral, in decisions at least a minute apart;
and a card that will be too hot in half a minute is slowed down at once, whatever τ and rise are
taken to be.

Where a quick chip makes the readings at work stand out of their mean (`hotphase`), it is they that
come near the temperature that pauses: the mean is then held so much lower.
"""

import math
from collections.abc import Sequence
from typing import Literal

from msgspec import Struct

from timellm_ops.contract.config import GovernorSection, ThermalSection
from timellm_ops.contract.events import PolicyDecision
from timellm_ops.contract.state import PowerControl, RunState
from timellm_ops.contract.telemetry import TimedSample
from timellm_policies.holds import stopping
from timellm_policies.hotphase import HotPhase, hot_phase
from timellm_policies.limits import limits
from timellm_policies.movement import moved_c, too_hot_soon_c
from timellm_policies.readings import Temperature, degrees, known
from timellm_policies.trend import FIT_S, Trend, trend, trend_at

RULE = "governor"

SET_POINT_BELOW_PAUSE_C = 3.0
"""Where no set point is configured, and the least distance where the card's own limits have
pushed pausing down."""

_LOOK_S = 5.0
"""How often readings are looked at."""
_EVERY_S = 10.0
"""Shortest time between two decisions."""
_UNHURRIED_S = 60.0
"""The same for small changes near the set point."""
_LONGEST_S = 300.0
"""Readings older than this are not looked at."""
_DELAY_S = 20.0
"""Of readings, the fit and the engine's next step, together."""
_NEAR_C = 2.5
"""So close to the set point, movement must stand out of the noise."""
_ON_IT_C = 0.25
"""A mean this close to the set point is on it."""
_SOON_GAIN = 0.02
"""A card that will be so much above the set point so soon is slowed down by this share a degree."""
_SMALLEST_CHANGE = 0.005
_QUICK_CHANGE = 0.015
"""Changes below this wait for `_UNHURRIED_S`."""
_LARGEST_CHANGE = 0.1
_DUTY_GRID = 200
"""Duties are multiples of 1/200, power limits of half a watt."""
_WATT_GRID = 2

Actuator = Literal["duty", "power"]


def set_point_c(config: GovernorSection, thermal: ThermalSection, state: RunState) -> float:
    """The temperature to hold: the configured one, kept below what pauses on this card."""
    pause_c = limits(thermal, state.sample).pause_above_c
    if config.set_point_c is None:
        return pause_c - SET_POINT_BELOW_PAUSE_C
    if pause_c < thermal.pause_above_c:
        return min(config.set_point_c, pause_c - SET_POINT_BELOW_PAUSE_C)
    return config.set_point_c


def decisions(
    config: GovernorSection,
    thermal: ThermalSection,
    state: RunState,
    recent: Sequence[TimedSample],
    now_t: float,
) -> tuple[PolicyDecision, ...]:
    """The pace that the temperature asks for, where it is another than the one in force."""
    if stopping(state):
        return ()
    if not config.enabled or not thermal.enabled:
        return _let_go(state)
    if state.holds or state.standing or not recent or not _is_due(state, recent):
        return ()
    if known(recent[-1]) is None or now_t - recent[-1].t > _EVERY_S:
        return ()  # unknown is another rule's affair
    readings = _readings(state, recent)
    moved = actuator(config, state)
    target_c = set_point_c(config, thermal, state)
    pause_c = limits(thermal, state.sample).pause_above_c
    change = _change(config, state, readings, target_c, pause_c)
    if change is None:
        return ()
    if moved == "power" and state.power is not None:
        made = _power_decision(config, state, state.power, recent, change, target_c)
    else:
        made = _duty_decision(config, state, change, target_c)
    if made and config.actuator == "power" and moved == "duty":
        return (*made, *_no_power_limit(state))
    return made


def _let_go(state: RunState) -> tuple[PolicyDecision, ...]:
    """Full pace, of a run that was paced before this rule was switched off under it."""
    if state.pace.duty >= 1.0 and state.pace.power_limit_w is None:
        return ()
    reason = "this rule is switched off"
    return (PolicyDecision(action="pace", rule=RULE, reason=reason, value=1.0),)


def actuator(config: GovernorSection, state: RunState) -> Actuator:
    """What is moved. Who may not slow a script down by stops leaves its duties undone."""
    power = state.power
    if config.actuator != "duty" and power is not None and not power.refused:
        return "power"
    return "duty"


def _readings(state: RunState, recent: Sequence[TimedSample]) -> list[Temperature]:
    """Known temperatures since the engine began to move, oldest first, of the last minutes."""
    since_t = recent[-1].t - _LONGEST_S
    if state.moving_since_t is not None:
        since_t = max(since_t, state.moving_since_t)
    if state.pace.since_t is not None:
        since_t = max(since_t, state.pace.since_t - FIT_S)
    found: list[Temperature] = []
    for reading in reversed(recent):
        if reading.t <= since_t:
            break
        temperature = known(reading)
        if temperature is not None:
            found.append(temperature)
    found.reverse()
    return found


def _is_due(state: RunState, recent: Sequence[TimedSample]) -> bool:
    """Whether the newest attempt is the first of its stretch of `_LOOK_S`, and none too early."""
    newest_t, since_t = recent[-1].t, state.pace.since_t
    if since_t is not None and newest_t - since_t < _EVERY_S:
        return False
    return len(recent) < 2 or recent[-2].t // _LOOK_S != newest_t // _LOOK_S


class _Change(Struct, frozen=True):
    """How much the share of full pace is to change, and what was seen."""

    share: float
    seen: Trend
    hot: HotPhase


def _change(
    config: GovernorSection,
    state: RunState,
    readings: Sequence[Temperature],
    target_c: float,
    pause_c: float,
) -> _Change | None:
    """What the time since the last decision asks for; `None`: nothing, or too little is known."""
    seen = None if not readings else trend([r for r in readings if r.t > readings[-1].t - FIT_S])
    if seen is None:
        return None
    hot = hot_phase(readings)
    spare_c = max(0.0, pause_c - SET_POINT_BELOW_PAUSE_C - target_c)
    swings = hot.over_c > spare_c
    target_c -= max(0.0, hot.over_c - spare_c)
    near = abs(target_c - seen.celsius) < _NEAR_C
    newest_t, from_t = readings[-1].t, state.pace.since_t
    if from_t is None or from_t < readings[0].t:
        from_t = readings[0].t
    if _at_full_pace(state):
        # What full pace could not use up is not owed to it later.
        from_t = max(from_t, newest_t - (_UNHURRIED_S if near else FIT_S))
    elapsed_s = newest_t - from_t
    since = [r for r in readings if r.t > from_t]
    before = trend_at(readings, from_t)
    if elapsed_s < _EVERY_S or before is None:
        return None
    gain = 1.0 / (config.full_load_rise_c * (config.time_constant_s + _DELAY_S))
    error_c = target_c - sum(r.celsius for r in since) / len(since)
    unhurried = 0.0 if abs(error_c) < _ON_IT_C else gain * error_c * elapsed_s
    moved = moved_c(before, seen, near=near, swings=swings)
    share = unhurried - gain * config.time_constant_s * moved
    share -= _SOON_GAIN * too_hot_soon_c(seen, target_c, near=near, swings=swings)
    if near and abs(share) < _QUICK_CHANGE:
        if elapsed_s < _UNHURRIED_S:
            return None
        share = unhurried
    if abs(share) < _SMALLEST_CHANGE:
        return None
    return _Change(min(_LARGEST_CHANGE, max(-_LARGEST_CHANGE, share)), seen, hot)


def _at_full_pace(state: RunState) -> bool:
    limit_w = state.pace.power_limit_w
    limited = limit_w is not None and state.power is not None and limit_w < state.power.found_w
    return state.pace.duty >= 1.0 and not limited


def _duty_decision(
    config: GovernorSection, state: RunState, change: _Change, target_c: float
) -> tuple[PolicyDecision, ...]:
    before = state.pace.duty
    duty = _stepped(before, change.share, _DUTY_GRID)
    duty = min(1.0, max(config.lowest_duty, duty))
    if duty == before:
        return ()
    return (
        PolicyDecision(
            action="pace",
            rule=RULE,
            reason=(
                f"{_seen_words(change)}, to be held at {degrees(target_c)}:"
                f" computing {100.0 * duty:g} % of the time after {100.0 * before:g} %"
            ),
            value=duty,
        ),
    )


def _power_decision(
    config: GovernorSection,
    state: RunState,
    power: PowerControl,
    recent: Sequence[TimedSample],
    change: _Change,
    target_c: float,
) -> tuple[PolicyDecision, ...]:
    """A limit between the lowest and the one that the card was found with."""
    before_w = state.pace.power_limit_w
    before_w = power.found_w if before_w is None else before_w
    lowest_w = min(power.found_w, max(power.lowest_w, config.lowest_power_w or 0.0))
    start_w = before_w
    drawn_w = _most_drawn_w(state, recent)
    if change.share < 0.0 and drawn_w is not None:
        # A limit above what is drawn holds nothing back: begin where it does.
        start_w = max(lowest_w, min(start_w, drawn_w))
    limit_w = start_w + change.share * power.found_w
    if abs(limit_w - before_w) < _SMALLEST_CHANGE * power.found_w:
        return ()
    limit_w = min(power.found_w, max(lowest_w, round(limit_w * _WATT_GRID) / _WATT_GRID))
    if limit_w == before_w:
        return ()
    return (
        PolicyDecision(
            action="pace",
            rule=RULE,
            reason=(
                f"{_seen_words(change)}, to be held at {degrees(target_c)}:"
                f" a power limit of {limit_w:g} W after {before_w:g} W"
            ),
            value=limit_w,
            unit="W",
        ),
    )


def _most_drawn_w(state: RunState, recent: Sequence[TimedSample]) -> float | None:
    """The most power of the last readings since the pace was decided."""
    since_t = recent[-1].t - FIT_S
    if state.pace.since_t is not None:
        since_t = max(since_t, state.pace.since_t)
    drawn: list[float] = []
    for reading in reversed(recent):
        if reading.t <= since_t:
            break
        if reading.sample is not None and reading.sample.power_w is not None:
            drawn.append(reading.sample.power_w)
    return max(drawn, default=None)


def _stepped(before: float, change: float, grid: int) -> float:
    if abs(change) < _SMALLEST_CHANGE:
        return before
    return round((before + change) * grid) / grid


def _seen_words(change: _Change) -> str:
    seen, hot = change.seen, change.hot
    if hot.over_c > 0.0:
        # Its swing makes lines steep that go nowhere.
        return f"{degrees(seen.celsius)}, up to {degrees(seen.celsius + hot.above_c)} at work"
    per_minute = round(60.0 * seen.per_s, 1)
    if per_minute == 0.0 or not math.isfinite(per_minute):
        return degrees(seen.celsius)
    way = "rising" if per_minute > 0.0 else "falling"
    return f"{degrees(seen.celsius)}, {way} {abs(per_minute):g} °C a minute"


def _no_power_limit(state: RunState) -> tuple[PolicyDecision, ...]:
    """Said once where the power limit was asked for by name. A refusal has its own notice."""
    reason = "the driver tells of no power limit here; the governor rests between steps instead"
    said = any(notice.message == reason for notice in state.notices)
    if state.power is not None or said or state.engine != "timellm":
        return ()
    return (PolicyDecision(action="alert", rule=RULE, reason=reason),)
