"""Remembered states: always what the whole journal comes to, whatever is in the cache."""

import os
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from timellm_ops.cli.run_states import RunStates, state_cache
from timellm_ops.cli.runs import state_of
from timellm_ops.contract import events as ev
from timellm_ops.contract.events import JournalRecord, encode_record
from timellm_ops.contract.layout import RunLayout
from timellm_ops.contract.state import RunState

START = datetime(2026, 1, 31, 13, 45, tzinfo=UTC)


def records(count: int, *, loss: float = 0.5, ended: bool = True) -> bytes:
    """A journal of so many steps; some of its losses are not finite."""
    events: list[ev.Event] = [
        ev.RunStarted(run_id="r", name="n", engine="timellm", gpu="none", supervisor_pid=1)
    ]
    for step in range(1, count + 1):
        value = float("nan") if step % 7 == 0 else loss / step
        events.append(ev.Progress(iteration=step, epoch=1, loss=value))
    events.append(ev.EpochEnded(epoch=1, train_mse=loss, vali_mse=loss, seconds=1.0, test_mse=loss))
    if ended:
        events.append(ev.RunEnded(outcome="finished", exit_code=0, reason="done"))
    stamped = [
        msgspec.structs.replace(event, at=START + timedelta(seconds=i), t=1000.0 + i)
        for i, event in enumerate(events)
    ]
    numbered = [JournalRecord(seq=i, event=event) for i, event in enumerate(stamped, 1)]
    return b"".join(map(encode_record, numbered))


def same(found: RunState, layout: RunLayout) -> bool:
    """Whether it is what the whole journal says; NaN is like NaN here."""
    return msgspec.json.encode(found) == msgspec.json.encode(state_of(layout))


@pytest.fixture
def layout(tmp_path: Path) -> RunLayout:
    made = RunLayout(tmp_path / "runs" / "20260131-214503-x-7f3a")
    made.root.mkdir(parents=True)
    return made


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "cache" / "states"


def test_an_ended_run_is_read_once(layout: RunLayout, cache: Path) -> None:
    layout.journal.write_bytes(records(50))
    first = RunStates(cache).state(layout)
    (kept,) = cache.iterdir()
    again = RunStates(cache).state(layout)
    assert same(first, layout)
    assert same(again, layout)
    # It is really taken from there: what is kept says something else, and that is believed.
    before, _, after = kept.read_bytes().rpartition(b"done")
    kept.write_bytes(before + b"kept" + after)
    assert RunStates(cache).state(layout).end_reason == "kept"


@given(data=st.data())
def test_a_journal_that_grows_bit_by_bit_comes_to_the_same(
    data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("grows")
    layout, whole = RunLayout(folder / "20260131-214503-x-7f3a"), records(30)
    layout.root.mkdir()
    long_lived = RunStates(folder / "cache")
    for cut in sorted(data.draw(st.lists(st.integers(0, len(whole)), max_size=4))):
        layout.journal.write_bytes(b"")  # the same file, as an appending writer keeps it
        layout.journal.write_bytes(whole[:cut])
        for states in (long_lived, RunStates(folder / "cache")):
            assert same(states.state(layout), layout)


def test_a_torn_line_is_read_when_its_end_has_come(layout: RunLayout, cache: Path) -> None:
    whole = records(20)
    states = RunStates(cache)
    layout.journal.write_bytes(whole[:-10])
    assert states.state(layout).outcome is None
    with layout.journal.open("ab") as file:
        file.write(whole[-10:])
    assert states.state(layout).outcome == "finished"
    assert same(RunStates(cache).state(layout), layout)


def test_a_resumed_run_goes_on_from_what_is_kept(layout: RunLayout, cache: Path) -> None:
    layout.journal.write_bytes(records(20))
    RunStates(cache).state(layout)
    more = ev.RunStarted(run_id="r", name="n", engine="timellm", gpu="none", supervisor_pid=2,
                         resumed=True, at=START, t=1.0)  # fmt: skip
    with layout.journal.open("ab") as file:
        file.write(encode_record(JournalRecord(seq=99, event=more)))
    found = RunStates(cache).state(layout)
    assert found.outcome is None
    assert same(found, layout)


@pytest.mark.parametrize("how", ["shorter", "as long", "longer", "touched", "other file"])
def test_another_journal_in_its_place_is_read_anew(
    layout: RunLayout, cache: Path, how: str
) -> None:
    layout.journal.write_bytes(records(50))
    long_lived = RunStates(cache)
    assert long_lived.state(layout).best_vali_mse == 0.5
    match how:
        case "shorter":
            layout.journal.write_bytes(records(10, loss=0.4))
        case "as long":
            layout.journal.write_bytes(records(50, loss=0.4))
        case "longer":
            layout.journal.write_bytes(records(90, loss=0.4))
        case "touched":
            layout.journal.write_bytes(records(50, loss=0.4))
            os.utime(layout.journal, (1, 1))
        case _:
            layout.journal.unlink()
            layout.journal.write_bytes(records(50, loss=0.4))
    assert same(RunStates(cache).state(layout), layout)
    if how != "longer":  # a process that follows a journal takes it for one that only grows
        assert same(long_lived.state(layout), layout)


@pytest.mark.parametrize("content", [b"", b"\xff", b"\x80", records(1)])
def test_a_spoilt_cache_is_no_error(layout: RunLayout, cache: Path, content: bytes) -> None:
    layout.journal.write_bytes(records(50))
    RunStates(cache).state(layout)
    (kept,) = cache.iterdir()
    kept.write_bytes(content)
    assert same(RunStates(cache).state(layout), layout)


def test_a_copy_of_a_run_has_a_state_of_its_own(layout: RunLayout, cache: Path) -> None:
    layout.journal.write_bytes(records(50))
    RunStates(cache).state(layout)
    copy = RunLayout(layout.root.with_name("20260131-214503-y-0000"))
    shutil.copytree(layout.root, copy.root)
    assert same(RunStates(cache).state(copy), copy)
    assert len(list(cache.iterdir())) == 2


def test_where_nothing_can_be_kept_it_works_all_the_same(layout: RunLayout, tmp_path: Path) -> None:
    layout.journal.write_bytes(records(50))
    (tmp_path / "file").write_text("no folder")
    assert same(RunStates(tmp_path / "file" / "states").state(layout), layout)


def test_a_run_without_a_journal_has_not_begun(layout: RunLayout, cache: Path) -> None:
    assert RunStates(cache).state(layout) == RunState()
    assert not cache.exists()


def test_states_are_kept_in_the_users_cache_and_for_this_user_alone(
    layout: RunLayout, tmp_path: Path
) -> None:
    folder = state_cache({"XDG_CACHE_HOME": str(tmp_path / "c")})
    layout.journal.write_bytes(records(50))
    RunStates(folder).state(layout)
    assert folder == tmp_path / "c" / "timellm-ops" / "states"
    assert folder.stat().st_mode & 0o077 == 0
    assert {path.name for path in layout.root.iterdir()} == {"journal.jsonl"}
