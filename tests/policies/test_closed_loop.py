"""The policies and a card that heats when the run works: whole nights, by the thermal model."""

from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from watched_run import WatchedRun

from timellm_ops.contract import events as ev
from timellm_ops.contract.config import SimulatedGpuSection, ThermalSection
from timellm_ops.probe.simulated import settled, step
from timellm_policies.limits import DANGER_ABOVE_PAUSE_C

BRICK = SimulatedGpuSection(
    ambient_c=30.0, resistance_c_per_w=0.65, throttle_c=149.0, shutdown_c=150.0
)
"""A laptop on a blanket: 105 °C if nobody paused it."""


@dataclass
class Night:
    """A run on a simulated card, read every `poll_s`, whose engine obeys after `lag` readings."""

    card: SimulatedGpuSection
    thermal: ThermalSection = field(default_factory=ThermalSection)
    poll_s: float = 1.0
    lag: int = 1
    temperatures_c: list[float] = field(init=False, default_factory=list)
    works: list[bool] = field(init=False, default_factory=list)

    def __post_init__(self) -> None:
        self.run = WatchedRun(self.thermal)
        self.state = settled(self.card)

    def passes(self, hours: float) -> "Night":
        orders = [True] * (self.lag + 1)
        for _ in range(round(hours * 3600.0 / self.poll_s)):
            busy = orders.pop(0)
            self.state = step(self.state, self.poll_s, 1.0 if busy else 0.0, self.card)
            self.temperatures_c.append(self.state.temperature_c)
            self.works.append(busy)
            self.run.sees(round(self.state.temperature_c), every_s=self.poll_s)
            orders.append(self.run.state.desired == "run")
        return self

    def moves(self, action: ev.Action) -> list[ev.PolicyDecision]:
        return [decision for decision in self.run.decisions if decision.action == action]

    def warming_c_per_s(self) -> float:
        """How fast the card warms at the pausing threshold and, at most, above it."""
        load_c = settled(self.card, 1.0).temperature_c
        return max(0.0, load_c - self.thermal.pause_above_c) / self.card.time_constant_s


@pytest.mark.slow
def test_through_a_night_the_card_stays_below_the_threshold_and_the_run_goes_on_and_on() -> None:
    night = Night(BRICK, poll_s=2.0).passes(hours=10.0)
    assert max(night.temperatures_c) < 88.0
    pauses, resumes = night.moves("pause"), night.moves("resume")
    assert len(pauses) > 100
    assert len(pauses) - len(resumes) in (0, 1)
    assert sum(night.works) > len(night.works) / 3, "most of what the cooling allows is used"
    assert {decision.rule for decision in night.run.decisions} == {"thermal"}


def test_each_pause_lasts_about_as_long_as_was_expected() -> None:
    night = Night(BRICK).passes(hours=1.0)
    pairs = list(zip(night.moves("pause"), night.moves("resume"), strict=False))
    assert len(pairs) > 10
    for pause, resume in pairs:
        assert pause.expected_s is not None
        assert pause.t is not None
        assert resume.t is not None
        assert pause.expected_s == pytest.approx(resume.t - pause.t, rel=0.4)


def test_a_card_that_stays_cool_is_never_paused() -> None:
    assert Night(SimulatedGpuSection()).passes(hours=1.0).run.decisions == []


def test_in_a_room_too_hot_to_cool_down_in_the_run_stays_paused() -> None:
    oven = SimulatedGpuSection(ambient_c=72.0, throttle_c=149.0, shutdown_c=150.0)
    night = Night(oven).passes(hours=1.0)
    assert len(night.moves("pause")) == 1
    assert night.moves("resume") == []
    assert not any(night.works[-3000:])


CARDS = st.builds(
    SimulatedGpuSection,
    ambient_c=st.floats(5.0, 45.0),
    load_power_w=st.floats(60.0, 170.0),
    resistance_c_per_w=st.floats(0.3, 0.8),
    time_constant_s=st.floats(15.0, 300.0),
    throttle_c=st.just(149.0),
    shutdown_c=st.just(150.0),
)


@given(
    card=CARDS,
    poll_s=st.sampled_from([0.5, 1.0, 2.0]),
    lag=st.integers(0, 3),
    samples=st.integers(1, 4),
    min_dwell_s=st.sampled_from([0.0, 30.0, 120.0]),
)
@settings(max_examples=15)
def test_whatever_the_card_it_never_gets_much_hotter_than_the_threshold(
    card: SimulatedGpuSection, poll_s: float, lag: int, samples: int, min_dwell_s: float
) -> None:
    thermal = ThermalSection(samples=samples, window=samples + 1, min_dwell_s=min_dwell_s)
    night = Night(card, thermal, poll_s=poll_s, lag=lag).passes(hours=0.4)
    reaction_s = (samples + 1 + lag + 1) * poll_s
    margin_c = DANGER_ABOVE_PAUSE_C + 1.0 + night.warming_c_per_s() * reaction_s
    assert max(night.temperatures_c) <= thermal.pause_above_c + margin_c
    moves = [decision.action for decision in night.run.decisions]
    assert moves == ["pause", "resume"] * (len(moves) // 2) + ["pause"] * (len(moves) % 2)


@given(card=CARDS, blind_from=st.integers(10, 900), blind_for=st.integers(1, 400))
@settings(max_examples=15)
def test_a_card_that_cannot_be_read_for_a_while_is_not_cooked_in_the_meantime(
    card: SimulatedGpuSection, blind_from: int, blind_for: int
) -> None:
    night = Night(card)
    busy = True
    for second in range(1500):
        night.state = step(night.state, 1.0, 1.0 if busy else 0.0, card)
        blind = blind_from <= second < blind_from + blind_for
        night.temperatures_c.append(night.state.temperature_c)
        night.run.sees(None if blind else night.state.temperature_c)
        busy = night.run.state.desired == "run"
    blind_s = night.thermal.unknown_after_s + night.thermal.min_dwell_s
    reaction_s = blind_s + night.thermal.window + 2
    margin_c = DANGER_ABOVE_PAUSE_C + night.warming_c_per_s() * reaction_s
    assert max(night.temperatures_c) <= night.thermal.pause_above_c + margin_c
    idle_c = settled(card).temperature_c
    if blind_from + blind_for < 500 and idle_c < night.thermal.resume_below_c - 20.0:
        assert night.moves("resume") or not night.moves("pause"), "and the run went on afterwards"
