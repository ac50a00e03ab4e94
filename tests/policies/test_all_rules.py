"""What holds for all rules together, whatever happens to a run and its machine."""

import math
from datetime import datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st
from watched_run import WatchedRun

from timellm_ops.contract import events as ev
from timellm_ops.contract.config import PolicySection, ThermalSection
from timellm_ops.contract.policy_sections import (
    HealthSection,
    PowerSection,
    ScheduleSection,
    SharingSection,
)
from timellm_ops.contract.telemetry import GpuProcess
from timellm_policies.rules import RULES, statuses
from timellm_policies.situation import Situation

MINE = GpuProcess(pid=7, name="python3", used_bytes=1 << 30, of_run=True)
GAME = GpuProcess(pid=8, name="a game; it says\n", used_bytes=1 << 30, of_run=False)

POLICIES = st.sampled_from(
    [
        PolicySection(),
        PolicySection(
            power=PowerSection(action="pause", limit_w=80.0, mean_over_s=5.0, min_pause_s=3.0),
            sharing=SharingSection(action="pause"),
            health=HealthSection(stall_action="stop", stall_min_s=5.0, stall_stop_after_s=60.0),
            schedule=ScheduleSection(
                quiet_from="12:01", quiet_until="12:02", deadline="2026-01-31 12:05"
            ),
        ),
        PolicySection(
            power=PowerSection(limit_w=80.0, mean_over_s=5.0),
            health=HealthSection(not_finite="alert", gpu_fault="alert", stall_min_s=5.0),
        ),
    ]
)
READINGS = st.fixed_dictionaries(
    {
        "power_w": st.none() | st.floats(0.0, 200.0),
        "memory_used_bytes": st.none() | st.integers(0, 100),
        "memory_total_bytes": st.none() | st.just(100),
        "processes": st.none() | st.sampled_from([(), (MINE,), (MINE, GAME), (GAME,)]),
        "ecc_errors": st.none() | st.integers(0, 2),
        "xids": st.none() | st.sampled_from([(), (31,), (45,), (79,)]),
    }
)
HOSTS = st.fixed_dictionaries(
    {
        "disk_free_bytes": st.none() | st.integers(0, 1 << 30),
        "battery_pct": st.none() | st.floats(0.0, 100.0),
        "on_battery": st.none() | st.booleans(),
    }
)
LOSSES = st.floats(0.1, 1.0) | st.sampled_from([50.0, math.nan, math.inf])
EVENTS = st.sampled_from(
    [
        ev.Command(who="me", what="pause"),
        ev.Command(who="me", what="resume"),
        ev.Paused(),
        ev.Resumed(),
        ev.EvaluationProgress(split="vali", done=1, total=9),
        ev.CheckpointWriting(kind="last"),
        ev.CheckpointSaved(kind="last", path="p", bytes=1 << 29, epoch=1, iteration=1),
        ev.TelemetryLost(reason="the GPU is lost", lost=True),
        ev.TelemetryLost(reason="no driver here", permanent=True),
        ev.PolicyDecision(action="stop", rule="thermal", reason="99 °C"),
    ]
)
HAPPENINGS = st.lists(
    st.one_of(
        st.tuples(st.just("reading"), st.floats(40.0, 95.0), READINGS, st.integers(1, 12)),
        st.tuples(st.just("host"), HOSTS),
        st.tuples(st.just("training"), LOSSES, st.integers(1, 30)),
        st.tuples(st.just("waiting"), st.integers(1, 200)),
        st.tuples(st.just("event"), EVENTS),
        st.tuples(st.just("override"), st.sampled_from([rule.name for rule in RULES])),
    ),
    max_size=15,
)


def happens(run: WatchedRun, happening: tuple[object, ...]) -> None:
    match happening:
        case ("reading", float(celsius), dict(more), int(times)):
            run.sees(*[celsius] * times, **more)
        case ("host", dict(fields)):
            run.host(**fields)
        case ("training", float(loss), int(times)):
            run.trains([loss] * times)
        case ("waiting", int(seconds)):
            run.waits(seconds, every_s=max(1.0, seconds / 20.0))
        case ("event", ev.BaseEvent() as event):
            run.happens(event)  # type: ignore[arg-type]
        case ("override", str(rule)):
            until: datetime = run.now_at + timedelta(seconds=1e4)
            override = ev.RulesOverridden(who="me", rules=(rule,), for_s=1e4, until=until)
            run.happens(override)
        case _:
            raise AssertionError(happening)


@given(policy=POLICIES, happenings=HAPPENINGS)
@settings(max_examples=80)
def test_no_rule_repeats_itself_or_contradicts_itself(
    policy: PolicySection, happenings: list[tuple[object, ...]]
) -> None:
    run = WatchedRun(ThermalSection(min_dwell_s=2.0), policy=policy)
    names = {rule.name for rule in RULES}
    for happening in happenings:
        overridden = {o.rule for o in run.state.overrides if (o.until_t or 0.0) > run.t + 300.0}
        seen = len(run.decisions)
        happens(run, happening)
        if happening[0] != "event":
            # What another rule's stronger wish has outranked comes with the next ask.
            made = [(d.rule, d.action) for _ in range(3) for d in run.decides()]
            assert len(set(made)) == len(made), "what is in force is not asked for again"
            assert run.decides() == []
        for decision in run.decisions[seen:]:
            assert decision.rule in names
            assert decision.reason.isprintable()
            assert len(decision.reason) < 400
            assert decision.value is None or math.isfinite(decision.value)
            assert (decision.action, decision.rule) not in {("pause", r) for r in overridden}
            assert decision.until or decision.action != "pause"
        assert len(set(run.held_by)) == len(run.held_by)
    stops = [decision for decision in run.decisions if decision.action == "stop"]
    assert len(stops) <= 1
    now = Situation(
        policy=policy, state=run.state, recent=run.recent, now_t=run.t, now_at=run.now_at
    )
    for status in statuses(now):
        assert status.next
        holds = status.rule in run.held_by
        assert not holds or status.standing in ("holding", "overridden", "off")
