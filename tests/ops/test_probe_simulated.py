"""The simulated GPU: the laws of its model, and its coupling to what an engine really does."""

import math
import signal
import subprocess
import sys
import time

import psutil
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from timellm_ops.contract.config import GpuSection, SimulatedGpuSection
from timellm_ops.contract.telemetry import GpuSample
from timellm_ops.probe import open_probe
from timellm_ops.probe.simulated import SimulatedCard, SimulatedProbe, settled, step

DEFAULTS = SimulatedGpuSection()
COOL_RUNNING = SimulatedGpuSection(throttle_c=149.0, shutdown_c=150.0)

busy_shares = st.floats(0.0, 1.0)
params = st.builds(
    SimulatedGpuSection,
    ambient_c=st.floats(-10.0, 60.0),
    time_constant_s=st.floats(5.0, 300.0),
    resistance_c_per_w=st.floats(0.1, 1.0),
    chip_c_per_w=st.floats(0.0, 0.3),
    chip_time_constant_s=st.floats(0.2, 5.0),
)
QUICK_CHIP = SimulatedGpuSection(chip_c_per_w=0.1, throttle_c=149.0, shutdown_c=150.0)
"""Ten degrees between idling and full load come and go with the chip itself."""


def test_the_default_laptop_settles_where_its_numbers_say() -> None:
    idle = settled(DEFAULTS)
    assert idle.temperature_c == pytest.approx(25.0 + 15.0 * 0.5)
    hot = step(idle, 3600.0, 1.0, DEFAULTS)
    assert hot.temperature_c == pytest.approx(25.0 + 115.0 * 0.5)
    assert not hot.throttled


def test_one_time_constant_closes_all_but_a_share_1_over_e() -> None:
    idle, target_c = settled(COOL_RUNNING), 82.5
    later = step(idle, COOL_RUNNING.time_constant_s, 1.0, COOL_RUNNING)
    left = (target_c - later.temperature_c) / (target_c - idle.temperature_c)
    assert left == pytest.approx(0.36788, rel=1e-4)


@given(params=params, busy=busy_shares, dt_s=st.floats(0.0, 1e5), start_c=st.floats(-10.0, 120.0))
@settings(max_examples=60)
def test_temperature_stays_between_its_start_and_what_it_could_settle_at(
    params: SimulatedGpuSection, busy: float, dt_s: float, start_c: float
) -> None:
    start = settled(params)
    start = type(start)(
        temperature_c=start_c + start.chip_c, power_w=start.power_w, chip_c=start.chip_c
    )
    start_c = start.temperature_c
    after = step(start, dt_s, busy, params).temperature_c
    slow_c, busy_card = start_c - start.chip_c, settled(params, busy)
    lowest = min(slow_c, settled(params).temperature_c - start.chip_c) + start.chip_c
    highest = max(slow_c, busy_card.temperature_c - busy_card.chip_c)
    highest += max(start.chip_c, busy_card.chip_c)
    assert lowest - 1e-6 <= after <= highest + 1e-6


@given(
    card=st.sampled_from([COOL_RUNNING, QUICK_CHIP]),
    busy=busy_shares,
    first_s=st.floats(0.1, 300.0),
    second_s=st.floats(0.1, 300.0),
)
@settings(max_examples=60)
def test_two_steps_are_one_long_step(
    card: SimulatedGpuSection, busy: float, first_s: float, second_s: float
) -> None:
    start = settled(card)
    apart = step(step(start, first_s, busy, card), second_s, busy, card)
    whole = step(start, first_s + second_s, busy, card)
    assert apart.chip_c == pytest.approx(whole.chip_c, abs=1e-6)
    assert apart.temperature_c == pytest.approx(whole.temperature_c, abs=1e-6)
    assert apart.energy_j == pytest.approx(whole.energy_j, rel=1e-9)


@given(less=busy_shares, more=busy_shares)
@settings(max_examples=40)
def test_more_work_is_never_cooler(less: float, more: float) -> None:
    less, more = sorted((less, more))
    start = settled(DEFAULTS)
    cooler, hotter = (step(start, 60.0, busy, DEFAULTS) for busy in (less, more))
    assert cooler.temperature_c <= hotter.temperature_c
    assert cooler.power_w <= hotter.power_w


def test_a_quick_chip_warms_by_its_own_degrees_at_once_and_by_the_rest_slowly() -> None:
    idle = settled(QUICK_CHIP)
    assert (idle.chip_c, idle.temperature_c) == pytest.approx((1.5, 25.0 + 15.0 * 0.6))
    after_1s, after_5s = (step(idle, dt_s, 1.0, QUICK_CHIP) for dt_s in (1.0, 5.0))
    assert after_1s.chip_c == pytest.approx(1.5 + 10.0 * (1.0 - math.exp(-1.0)))
    assert after_5s.temperature_c - idle.temperature_c == pytest.approx(
        10.0 * (1.0 - math.exp(-5.0)) + 50.0 * (1.0 - math.exp(-5.0 / 90.0))
    )
    hot = settled(QUICK_CHIP, 1.0)
    assert hot.temperature_c == pytest.approx(25.0 + 115.0 * 0.6)
    assert hot.temperature_c - step(hot, 4.0, 0.0, QUICK_CHIP).temperature_c > 10.0


@given(busy=busy_shares, dt_s=st.floats(0.1, 300.0), heat=st.floats(0.0, 0.3))
@settings(max_examples=40)
def test_the_chips_own_degrees_stand_on_top_of_the_others(
    busy: float, dt_s: float, heat: float
) -> None:
    quick = replace(COOL_RUNNING, chip_c_per_w=heat)
    plain = step(settled(COOL_RUNNING), dt_s, busy, COOL_RUNNING)
    found = step(settled(quick), dt_s, busy, quick)
    assert found.temperature_c - found.chip_c == pytest.approx(plain.temperature_c, abs=1e-6)
    assert 0.0 <= found.chip_c <= heat * COOL_RUNNING.load_power_w + 1e-9
    assert (found.power_w, found.energy_j) == (plain.power_w, pytest.approx(plain.energy_j))


@given(celsius=st.floats(60.0, 90.0), step_s=st.floats(0.05, 5.0), chip_s=st.floats(0.3, 5.0))
@settings(max_examples=20)
def test_steps_at_the_share_of_a_hottest_moment_are_that_hot(
    celsius: float, step_s: float, chip_s: float
) -> None:
    params = replace(
        QUICK_CHIP, resistance_c_per_w=0.7, chip_time_constant_s=chip_s, time_constant_s=1e5
    )
    card = SimulatedCard(params)
    share = card.hot_share_at(celsius, step_s)
    assert share <= card.share_at(celsius) + 1e-6
    state = settled(params, share)
    for _ in range(math.ceil(30.0 * chip_s / step_s)):
        state = step(state, step_s / share - step_s, 0.0, params)
        state = step(state, step_s, 1.0, params)
    assert state.temperature_c == pytest.approx(celsius, abs=0.2)


def test_a_quick_chip_is_throttled_for_its_own_degrees_too() -> None:
    warm = replace(QUICK_CHIP, ambient_c=20.0, time_constant_s=1e6, throttle_c=80.0)
    start = replace(settled(warm), temperature_c=75.0 + settled(warm).chip_c)
    at_once = step(start, 20.0, 1.0, warm)
    assert at_once.throttled
    assert 80.0 < at_once.temperature_c < 75.0 + 11.5
    little_by_little = start
    for _ in range(2000):
        little_by_little = step(little_by_little, 0.01, 1.0, warm)
    assert at_once.temperature_c == pytest.approx(little_by_little.temperature_c, abs=0.1)
    assert not step(start, 20.0, 1.0, replace(warm, chip_c_per_w=0.0)).throttled


def test_heat_takes_clocks_and_power_away_and_says_so() -> None:
    hot_room = SimulatedGpuSection(ambient_c=50.0)
    card = step(settled(hot_room), 3600.0, 1.0, hot_room)
    assert card.throttled
    assert card.power_w < hot_room.load_power_w
    assert hot_room.throttle_c < card.temperature_c < settled(hot_room, 1.0).temperature_c

    used_s = iter(float(second) for second in range(10_000))
    probe = SimulatedProbe(GpuSection(simulated=hot_room), lambda: next(used_s))
    samples = [reading(probe, float(t)) for t in range(600)]
    assert samples[-1].throttle_reasons == ("sw_thermal_slowdown",)
    assert samples[1].throttle_reasons == ()
    assert samples[1].slows_at_c == hot_room.throttle_c
    assert samples[-1].sm_clock_mhz < samples[1].sm_clock_mhz  # type: ignore[operator]


def test_the_busy_share_is_the_engines_cpu_time() -> None:
    used_s = [0.0]
    probe = SimulatedProbe(GpuSection(), lambda: used_s[0])
    assert reading(probe, 10.0).utilization_pct == 0.0
    used_s[0] = 0.5
    assert reading(probe, 11.0).utilization_pct == 50.0
    used_s[0] = 8.0
    assert reading(probe, 12.0).utilization_pct == 100.0
    assert reading(probe, 13.0).utilization_pct == 0.0
    used_s[0] = 0.25
    assert reading(probe, 14.0).utilization_pct == 0.0


@given(cores=st.floats(1.0, 16.0), pace=st.floats(0.05, 1.0))
def test_rests_show_however_many_threads_the_engine_works_with(cores: float, pace: float) -> None:
    used_s, shares = 0.0, []
    probe = SimulatedProbe(GpuSection(), lambda: used_s)
    for second in range(60):
        used_s += cores if second < 20 else cores * pace
        share = reading(probe, float(second)).utilization_pct
        assert share is not None
        shares.append(share)
    assert shares[1:20] == [100.0] * 19
    assert shares[-1] == pytest.approx(min(100.0, 125.0 * pace), abs=0.1) or cores < 1.25
    assert shares[-1] <= 100.0


def test_work_of_before_that_is_found_all_at_once_is_not_how_it_works() -> None:
    used_s, shares = 0.0, []
    probe = SimulatedProbe(GpuSection(), lambda: used_s)
    for second in range(30):
        used_s += 500.0 if second == 10 else 1.0
        shares.append(reading(probe, float(second)).utilization_pct)
    assert shares[1:] == [100.0] * 29


def test_a_card_idles_while_an_engine_that_stands_still_looks_up_now_and_then() -> None:
    used = [0.0]
    probe = SimulatedProbe(GpuSection(), lambda: used[0])
    clocks = []
    for now_t, worked_s in ((0.0, 0.0), (1.0, 0.9), (2.0, 0.01), (3.0, 0.0), (4.0, 0.5)):
        used[0] += worked_s
        clocks.append(reading(probe, now_t).sm_clock_mhz)
    _, working, looking_up, still, working_again = clocks
    assert looking_up == still
    assert working is not None
    assert working_again is not None
    assert still is not None
    assert min(working, working_again) > 2 * still


def test_readings_come_at_the_configured_pace_and_say_that_they_are_simulated() -> None:
    probe = open_probe(GpuSection(probe="simulated", poll_s=2.0), lambda: 0.0)
    readings = [probe.poll(t / 2) for t in range(9)]
    assert [r is not None for r in readings] == [True, False, False, False] * 2 + [True]
    sample = readings[0]
    assert isinstance(sample, GpuSample)
    assert sample.source == probe.source == "simulated"
    assert sample.name is not None
    assert sample.name.startswith("simulated")


def test_time_scale_makes_simulated_time_run_faster() -> None:
    def after_a_minute(time_scale: float) -> float:
        used_s = iter(range(1000))
        simulated = SimulatedGpuSection(time_scale=time_scale)
        probe = SimulatedProbe(GpuSection(simulated=simulated), lambda: float(next(used_s)))
        return [reading(probe, float(t)) for t in range(61)][-1].temperature_c  # type: ignore[return-value]

    expected = step(settled(DEFAULTS), 600.0, 1.0, DEFAULTS).temperature_c
    assert after_a_minute(10.0) == pytest.approx(expected, abs=0.1)
    assert after_a_minute(1.0) < expected - 1.0


def test_a_stopped_process_cools_and_a_continued_one_heats() -> None:
    engine = subprocess.Popen([sys.executable, "-c", "while True: pass"])
    watched = psutil.Process(engine.pid)

    def cpu_s() -> float:
        times = watched.cpu_times()
        return times.user + times.system

    def waits_until_used(more_s: float) -> None:
        start_s, end = cpu_s(), time.monotonic() + 60.0
        while cpu_s() - start_s < more_s:
            assert time.monotonic() < end
            time.sleep(0.02)

    try:
        simulated = SimulatedGpuSection(time_scale=30.0)
        probe = SimulatedProbe(GpuSection(simulated=simulated), cpu_s)
        cold = reading(probe, 0.0)
        waits_until_used(0.3)
        heated = reading(probe, 1.0)
        engine.send_signal(signal.SIGSTOP)
        while watched.status() != psutil.STATUS_STOPPED:
            time.sleep(0.01)
        stopping = reading(probe, 2.0)
        standing = reading(probe, 4.0)
        engine.send_signal(signal.SIGCONT)
        waits_until_used(0.3)
        moving = reading(probe, 5.0)
    finally:
        engine.kill()
        engine.wait()
    assert cold.temperature_c < heated.temperature_c  # type: ignore[operator]
    assert standing.utilization_pct == 0.0
    assert standing.temperature_c < stopping.temperature_c  # type: ignore[operator]
    assert moving.utilization_pct > 0.0  # type: ignore[operator]


def reading(probe: SimulatedProbe, now_t: float) -> GpuSample:
    sample = probe.poll(now_t)
    assert isinstance(sample, GpuSample)
    return sample
