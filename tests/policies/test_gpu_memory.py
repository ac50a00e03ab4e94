"""The rules about who else is on the card, and how full its memory is."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from watched_run import WatchedRun, actions

from timellm_ops.contract import events as ev
from timellm_ops.contract.config import PolicySection
from timellm_ops.contract.policy_sections import SharingSection, VramSection
from timellm_ops.contract.telemetry import GpuProcess

GIB = 1 << 30
MINE = GpuProcess(pid=7, name="python3", used_bytes=5 * GIB, of_run=True)
GAME = GpuProcess(pid=99, name="game", used_bytes=GIB, of_run=False)
DESKTOP = GpuProcess(pid=3, name="Xwayland", used_bytes=20 << 20, of_run=False)
PAUSING = PolicySection(sharing=SharingSection(action="pause"))


# --- memory --------------------------------------------------------------------------------------


def fills(run: WatchedRun, *used: int | None, **more: object) -> list[ev.PolicyDecision]:
    made: list[ev.PolicyDecision] = []
    for count in used:
        made += run.sees(60.0, memory_used_bytes=count, memory_total_bytes=6 * GIB, **more)
    return made


def test_a_nearly_full_card_is_told_of_once_with_who_holds_it() -> None:
    run = WatchedRun(policy=PolicySection(sharing=SharingSection(action="off")))
    (alert,) = fills(run, *[int(5.9 * GIB)] * 200, processes=(GAME, MINE))
    assert (alert.action, alert.rule, alert.value) == ("alert", "vram", 98.3)
    assert "5.90 GiB of 6.00 GiB" in alert.reason
    assert alert.reason.index("python3 [7] 5.00 GiB") < alert.reason.index("game [99] 1.00 GiB")


def test_a_card_that_says_nothing_of_its_processes_is_told_of_without_them() -> None:
    (alert,) = fills(WatchedRun(), *[6 * GIB] * 5)
    assert "the driver does not say who" in alert.reason


@pytest.mark.parametrize("used", [[int(5.6 * GIB)] * 50, [6 * GIB, 6 * GIB, GIB] * 20, [None] * 9])
def test_a_card_with_room_is_not_told_of(used: list[int | None]) -> None:
    assert fills(WatchedRun(), *used) == []


def test_it_can_be_switched_off() -> None:
    off = PolicySection(vram=VramSection(enabled=False))
    assert fills(WatchedRun(policy=off), *[6 * GIB] * 9) == []


@given(used=st.lists(st.none() | st.integers(0, 6 * GIB), max_size=60))
def test_it_is_told_at_most_once_and_only_of_a_full_card(used: list[int | None]) -> None:
    made = fills(WatchedRun(), *used)
    full = [u is not None and 100.0 * u / (6 * GIB) >= 97.0 for u in used]
    three = any(all(full[i : i + 3]) for i in range(len(full) - 2))
    assert len(made) == three


# --- other programs ------------------------------------------------------------------------------


def test_another_program_is_told_of_by_name() -> None:
    run = WatchedRun()
    made = run.sees(*[60.0] * 100, processes=(MINE, GAME, DESKTOP))
    assert actions(made) == ["sharing alert"]
    assert "game [99]" in made[0].reason
    assert "Xwayland" not in made[0].reason, "a desktop holds a little and is not minded"


def test_where_asked_for_the_run_waits_until_the_other_has_gone() -> None:
    run = WatchedRun(policy=PAUSING)
    assert actions(run.sees(*[60.0] * 10, processes=(MINE, GAME))) == ["sharing pause"]
    assert run.sees(*[60.0] * 100, processes=(MINE, GAME)) == []
    assert actions(run.sees(*[60.0] * 10, processes=(MINE, DESKTOP))) == ["sharing resume"]


@pytest.mark.parametrize(
    "processes",
    [
        None,
        (),
        (MINE,),
        (MINE, DESKTOP),
        (GpuProcess(pid=1, used_bytes=GIB, of_run=False), GAME),
        (GpuProcess(pid=1, used_bytes=GIB), GAME),
    ],
    ids=["not told", "nobody", "mine", "small", "ids of another machine", "nobody looked"],
)
def test_where_others_cannot_be_told_from_ours_nothing_is_said(
    processes: tuple[GpuProcess, ...] | None,
) -> None:
    assert WatchedRun(policy=PAUSING).sees(*[60.0] * 20, processes=processes) == []


LISTS = st.lists(
    st.none() | st.lists(st.sampled_from([MINE, GAME, DESKTOP]), unique=True).map(tuple),
    max_size=40,
)


@given(lists=LISTS)
def test_pauses_and_resumes_alternate_and_three_readings_agree(
    lists: list[tuple[GpuProcess, ...] | None],
) -> None:
    run = WatchedRun(policy=PAUSING)
    for i, processes in enumerate(lists):
        for decision in run.sees(60.0, processes=processes):
            latest = lists[max(0, i - 2) : i + 1]
            assert len(latest) == 3
            if decision.action == "pause":
                assert all(p is not None and MINE in p and GAME in p for p in latest)
            else:
                assert decision.action == "resume"
                assert all(p is not None and GAME not in p for p in latest)
    moves = [d.action for d in run.decisions]
    assert moves == (["pause", "resume"] * len(moves))[: len(moves)]
