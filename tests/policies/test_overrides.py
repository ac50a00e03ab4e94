"""A person's word against a rule: it counts for a while, never against a stop, and ends."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from watched_run import QUICK, WatchedRun, actions

from timellm_ops.contract import events as ev
from timellm_ops.contract.config import PolicySection
from timellm_ops.contract.policy_sections import BatterySection, DiskSection, PowerSection
from timellm_policies.rules import RULES, statuses
from timellm_policies.situation import Situation


def overrides(run: WatchedRun, *rules: str, for_s: float = 600.0) -> None:
    until = run.now_at + timedelta(seconds=for_s)
    run.happens(ev.RulesOverridden(who="me", rules=rules, for_s=for_s, until=until))


def test_an_override_lifts_the_hold_at_once_and_keeps_the_rule_from_pausing_until_it_ends() -> None:
    run = WatchedRun(QUICK)
    assert actions(run.sees(90.0)) == ["thermal pause"]
    overrides(run, "thermal")
    assert run.state.desired == "run"
    assert run.sees(*[95.0] * 599) == []
    assert actions(run.sees(95.0)) == ["thermal pause"]


def test_the_emergency_stop_is_never_overridden() -> None:
    run = WatchedRun(QUICK, shutdown_c=100.0)
    run.sees(90.0)
    overrides(run, "thermal", "telemetry")
    assert actions(run.sees(98.0)) == ["thermal stop"]


def test_other_rules_hold_the_run_as_before() -> None:
    run = WatchedRun(QUICK)
    run.sees(90.0)
    overrides(run, "thermal")
    assert actions(run.host(on_battery=True, battery_pct=10.0)) == ["battery pause"]


def test_a_suspended_machine_does_not_stretch_an_override() -> None:
    """Its monotonic clock stands still meanwhile; the one on the wall does not."""
    run = WatchedRun(QUICK)
    run.sees(90.0)
    overrides(run, "thermal")
    run.began += timedelta(hours=2)
    assert actions(run.sees(90.0)) == ["thermal pause"]
    assert run.state.overrides == (), "nobody is told of it any more"


def test_a_clock_on_the_wall_that_is_set_back_does_not_stretch_it_either() -> None:
    run = WatchedRun(QUICK)
    run.sees(90.0)
    overrides(run, "thermal", for_s=600.0)
    run.began -= timedelta(hours=2)
    assert run.state.override_of("thermal", run.t + 599.0, run.now_at) is not None
    assert run.state.override_of("thermal", run.t + 600.0, run.now_at) is None
    assert run.sees(*[95.0] * 599) == []
    assert actions(run.sees(95.0)) == ["thermal pause"]


def test_a_pause_of_the_users_own_ends_every_override() -> None:
    run = WatchedRun(QUICK)
    run.sees(90.0)
    overrides(run, "thermal")
    run.happens(ev.Command(who="me", what="pause"), ev.Command(who="me", what="resume"))
    assert actions(run.sees(90.0)) == ["thermal pause"]


def test_a_new_start_knows_nothing_of_it() -> None:
    run = WatchedRun(QUICK)
    overrides(run, "thermal")
    run.happens(ev.RunStarted(run_id="r", name="n", engine="timellm", resumed=True))
    assert run.state.overrides == ()


def test_a_full_disk_that_is_overridden_is_not_told_of_again_and_again() -> None:
    run = WatchedRun(gpu="none")
    run.host(disk_free_bytes=0)
    overrides(run, "disk")
    assert run.host(disk_free_bytes=0) == []


def test_a_rule_that_is_switched_off_lets_go_of_the_run() -> None:
    run = WatchedRun(gpu="none")
    run.host(on_battery=True, battery_pct=10.0, disk_free_bytes=0)
    assert sorted(run.held_by) == ["battery", "disk"]
    run.policy = PolicySection(
        battery=BatterySection(enabled=False), disk=DiskSection(enabled=False)
    )
    assert sorted(actions(run.decides())) == ["battery resume", "disk resume"]
    assert run.held_by == []


HAPPENINGS = st.lists(
    st.one_of(
        st.tuples(st.just("heat"), st.floats(40.0, 84.0) | st.floats(86.0, 95.0)),
        st.tuples(st.just("override"), st.sampled_from([5.0, 60.0, 600.0])),
        st.tuples(st.just("wait"), st.integers(1, 40).map(float)),
    ),
    max_size=30,
)


@given(happenings=HAPPENINGS)
def test_an_overridden_rule_never_pauses_and_one_that_is_not_always_does(
    happenings: list[tuple[str, float]],
) -> None:
    run, until_t = WatchedRun(QUICK), 0.0
    for what, number in happenings:
        if what == "override":
            overrides(run, "thermal", for_s=number)
            until_t = run.t + number
            continue
        made = run.waits(number) if what == "wait" else run.sees(number)
        for decision in made:
            if decision.action == "pause" and decision.rule == "thermal":
                assert decision.t is not None
                assert decision.t >= until_t
        if what == "heat" and number > 85.0 and run.t >= until_t:
            assert run.state.desired == "pause"


# --- how rules stand -----------------------------------------------------------------------------


def standing(run: WatchedRun, policy: PolicySection | None = None) -> dict[str, tuple[str, str]]:
    policy = policy or PolicySection(thermal=run.thermal)
    now = Situation(
        policy=policy, state=run.state, recent=run.recent, now_t=run.t, now_at=run.now_at
    )
    return {status.rule: (status.standing, status.next) for status in statuses(now)}


def test_every_rule_tells_how_it_stands_whatever_is_known() -> None:
    run = WatchedRun(QUICK)
    names = [rule.name for rule in RULES]
    assert list(standing(run)) == names
    run.trains([0.5] * 30, every_s=0.5)
    run.host(on_battery=True, battery_pct=10.0, disk_free_bytes=0)
    run.sees(90.0, power_w=80.0, memory_used_bytes=5, memory_total_bytes=10)
    told = standing(run)
    assert list(told) == names
    for rule in ("thermal", "battery", "disk"):
        assert told[rule][0] == "holding"
        assert told[rule][1].startswith("resumes")
    assert all(text.isprintable() and text for _, text in told.values())
    assert told["power"] == ("off", "policy.power.limit_w is not set")
    overrides(run, "thermal")
    assert standing(run)["thermal"] == ("overridden", "may not hold the run for now, says me")


READS_THE_GPU = ("thermal", "telemetry", "governor", "power", "vram", "sharing")


@pytest.mark.parametrize(
    ("happened", "standing_of_all", "why"),
    [
        (None, "off", "this run looks at no GPU"),
        (ev.TelemetryLost(reason="no driver", permanent=True), "off", "there is no GPU or driver"),
        (ev.TelemetryLost(reason="it sleeps", asleep=True), "unknown", "the GPU sleeps"),
    ],
)
def test_a_rule_about_a_gpu_that_is_not_there_is_off_and_says_why(
    happened: ev.TelemetryLost | None, standing_of_all: str, why: str
) -> None:
    policy = PolicySection(power=PowerSection(limit_w=80.0))
    run = WatchedRun(gpu="none" if happened is None else "nvml", policy=policy)
    if happened is not None:
        run.happens(happened)
    run.waits(60.0)
    told = standing(run, policy)
    for rule in READS_THE_GPU:
        assert told[rule][0] == standing_of_all, rule
        assert told[rule][1].startswith(why), rule
    assert told["schedule"][0] == "off"
    assert told["health"][0] == "watching"
