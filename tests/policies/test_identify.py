"""The card and room of a recording: found again from readings of a card whose numbers are known."""

import pytest

from timellm_ops.contract import events as ev
from timellm_ops.contract.config import SimulatedGpuSection
from timellm_ops.contract.telemetry import GpuSample
from timellm_ops.probe.simulated import Thermometer, settled, step
from timellm_policies.identify import NotIdentifiable, identify

CARD = SimulatedGpuSection(
    ambient_c=27.0, resistance_c_per_w=0.6, time_constant_s=120.0, throttle_c=149.0,
    shutdown_c=150.0, whole_degrees=True, noise_c=0.5,
)  # fmt: skip


def recorded(
    card: SimulatedGpuSection, work: list[tuple[int, float]], drift_c: float = 0.0
) -> list[ev.JournalRecord]:
    """Stretches of seconds, each with how busy the card was; the room warms by `drift_c`."""
    state, thermometer = settled(card), Thermometer(card)
    events: list[ev.Event] = []
    total, t = sum(seconds for seconds, _ in work), 0
    for seconds, busy in work:
        for _ in range(seconds):
            state = step(state, 1.0, busy, card)
            celsius = thermometer.read(state.temperature_c, float(t)) + drift_c * t / total
            sample = GpuSample(
                source="nvml", temperature_c=round(celsius), power_w=round(state.power_w, 1)
            )
            events.append(ev.Telemetry(t=100.0 + t, sample=sample))
            if t % 60 == 0:
                events.append(
                    ev.Progress(iteration=t, epoch=1, loss=0.5, seconds_per_iteration=1.25)
                )
            t += 1
    return [ev.JournalRecord(seq=i, event=event) for i, event in enumerate(events)]


STOP_AND_GO = [(400, 1.0), (90, 0.0)] * 6


def test_the_card_is_found_again() -> None:
    found = identify(recorded(CARD, STOP_AND_GO))
    assert found.resistance_c_per_w == pytest.approx(0.6, rel=0.05)
    assert found.time_constant_s == pytest.approx(120.0, rel=0.15)
    assert sum(found.room_c) / len(found.room_c) == pytest.approx(27.0, abs=2.0)
    assert found.load_power_w == 115.0
    assert found.idle_power_w == 15.0
    assert found.step_s == 1.25
    assert found.error_c < 1.0


def test_a_room_that_warms_is_seen() -> None:
    room_c = identify(recorded(CARD, STOP_AND_GO * 2, drift_c=6.0)).room_c
    assert room_c[-2] - room_c[1] == pytest.approx(5.0, abs=1.5)


def test_gaps_and_clocks_that_run_backwards_do_no_harm() -> None:
    first, second = recorded(CARD, STOP_AND_GO), recorded(CARD, STOP_AND_GO)
    found = identify([*first, *second])
    assert found.resistance_c_per_w == pytest.approx(0.6, rel=0.06)
    assert found.hours == pytest.approx(2 * 2940 / 3600, rel=0.02)


def test_a_recording_that_is_too_short_or_has_no_power_is_refused() -> None:
    with pytest.raises(NotIdentifiable, match="expected at least 10"):
        identify(recorded(CARD, [(200, 1.0)]))
    blind = ev.Telemetry(t=1.0, sample=GpuSample(source="nvml", temperature_c=80.0))
    with pytest.raises(NotIdentifiable, match="found 0 minutes"):
        identify([ev.JournalRecord(seq=1, event=blind)] * 5000)


def test_a_card_that_never_changes_tells_nothing_of_itself() -> None:
    with pytest.raises(NotIdentifiable, match="hardly changes"):
        identify(recorded(CARD, [(2000, 0.0)]))
