"""The rules about the machine: disk and battery."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from watched_run import WatchedRun, actions

from timellm_ops.contract import events as ev
from timellm_ops.contract.config import PolicySection
from timellm_ops.contract.policy_sections import BatterySection, DiskSection
from timellm_policies.disk import needed_bytes

MIB = 1 << 20
GIB = 1 << 30


def watched(policy: PolicySection | None = None) -> WatchedRun:
    return WatchedRun(gpu="none", policy=policy or PolicySection())


def saved(kind: ev.CheckpointKind, size: int) -> ev.CheckpointSaved:
    return ev.CheckpointSaved(kind=kind, path="p", bytes=size, epoch=1, iteration=1)


# --- disk ----------------------------------------------------------------------------------------


def test_a_disk_that_would_not_hold_the_next_checkpoint_pauses_the_run_and_tells_why() -> None:
    run = watched()
    run.happens(saved("last", 500 * MIB), saved("best", 100 * MIB))
    assert run.host(disk_free_bytes=757 * MIB) == []
    pause, alert = run.host(disk_free_bytes=755 * MIB)
    assert actions([pause, alert]) == ["disk pause", "disk alert"]
    assert "755 MiB free" in pause.reason
    assert "the next checkpoint needs 500 MiB" in pause.reason
    assert "make room" in alert.reason
    assert run.state.notices[-1].message == alert.reason
    assert run.host(disk_free_bytes=100 * MIB) == []


def test_it_goes_on_by_itself_once_there_is_room_and_some_more() -> None:
    run = watched()
    run.happens(saved("last", 500 * MIB))
    run.host(disk_free_bytes=700 * MIB)
    assert "resumes when 772 MiB are free" in run.state.holds[0].until
    assert run.host(disk_free_bytes=771 * MIB) == []
    assert actions(run.host(disk_free_bytes=772 * MIB)) == ["disk resume"]


def test_with_two_checkpoints_there_must_be_room_for_both_to_be_replaced() -> None:
    run = watched()
    run.happens(saved("last", 500 * MIB), saved("best", 100 * MIB))
    run.host(disk_free_bytes=700 * MIB)
    assert run.host(disk_free_bytes=855 * MIB) == []
    assert actions(run.host(disk_free_bytes=856 * MIB)) == ["disk resume"]


def test_before_the_first_checkpoint_its_size_follows_from_the_weights() -> None:
    run = watched()
    assert needed_bytes(run.state) == 12_000_000
    assert actions(run.host(disk_free_bytes=260 * MIB)) == ["disk pause", "disk alert"]


def test_a_disk_nobody_knows_of_is_left_alone() -> None:
    assert watched().host() == []
    assert watched().host(battery_pct=90.0) == []
    off = PolicySection(disk=DiskSection(enabled=False))
    assert watched(off).host(disk_free_bytes=0) == []


@given(
    sizes=st.lists(st.integers(0, 3 * GIB), min_size=1, max_size=3),
    free=st.lists(st.none() | st.integers(0, 8 * GIB), max_size=30),
    margin_mib=st.floats(0.0, 2000.0),
)
def test_a_run_never_goes_on_without_room_and_never_waits_with_plenty(
    sizes: list[int], free: list[int | None], margin_mib: float
) -> None:
    run = watched(PolicySection(disk=DiskSection(margin_mib=margin_mib)))
    run.happens(*(saved("last", size) for size in sizes))
    needed = sizes[-1] + margin_mib * MIB
    for count in free:
        run.host(disk_free_bytes=count)
        if count is not None and count < needed:
            assert run.held_by == ["disk"]
        if count is not None and count >= needed + 16 * MIB + 4 * 1_000_000:
            assert run.held_by == []
    moves = [d.action for d in run.decisions if d.action != "alert"]
    assert moves == (["pause", "resume"] * len(moves))[: len(moves)]


# --- battery -------------------------------------------------------------------------------------


def test_a_low_battery_pauses_the_run_until_the_mains_are_back() -> None:
    run = watched()
    assert run.host(on_battery=True, battery_pct=80.0) == []
    assert run.host(on_battery=True, battery_pct=50.0) == []
    (pause,) = run.host(on_battery=True, battery_pct=49.0)
    assert actions([pause]) == ["battery pause"]
    assert pause.reason == "on battery at 49 % < 50 %"
    assert pause.until == "resumes on mains power or at 60 %"
    assert run.host(on_battery=True, battery_pct=40.0) == []
    assert actions(run.host(on_battery=False, battery_pct=40.0)) == ["battery resume"]
    assert run.host(on_battery=False, battery_pct=10.0) == []


def test_it_goes_on_with_charge_as_well() -> None:
    run = watched()
    run.host(on_battery=True, battery_pct=30.0)
    assert run.host(on_battery=True, battery_pct=59.0) == []
    assert actions(run.host(on_battery=True, battery_pct=60.0)) == ["battery resume"]


@pytest.mark.parametrize("told", [{}, {"battery_pct": 3.0}, {"on_battery": True}])
def test_a_machine_that_does_not_tell_is_left_alone_and_a_held_run_stays_so(
    told: dict[str, object],
) -> None:
    assert watched().host(**told) == []
    run = watched()
    run.host(on_battery=True, battery_pct=30.0)
    assert run.host(**told) == []


HOSTS = st.lists(
    st.tuples(st.none() | st.booleans(), st.none() | st.floats(0.0, 100.0)), max_size=40
)


@given(hosts=HOSTS, pause=st.floats(1.0, 99.0), width=st.floats(0.0, 30.0))
def test_it_pauses_below_and_resumes_above_and_nothing_happens_between(
    hosts: list[tuple[bool | None, float | None]], pause: float, width: float
) -> None:
    above = min(100.0, pause + width)
    section = BatterySection(pause_below_pct=pause, resume_above_pct=above)
    run = watched(PolicySection(battery=section))
    for on_battery, charge in hosts:
        made = run.host(on_battery=on_battery, battery_pct=charge)
        if on_battery is not True and made:
            assert actions(made) == ["battery resume"]
        if on_battery is True and charge is not None and charge < pause:
            assert run.held_by == ["battery"]
        if on_battery is False or (charge is not None and charge >= above):
            assert run.held_by == []
    moves = [d.action for d in run.decisions]
    assert moves == (["pause", "resume"] * len(moves))[: len(moves)]
