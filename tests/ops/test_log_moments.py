"""How much of the log there was at each record, against a log whose writing was watched."""

from pathlib import Path

import pytest
from hypothesis import given
from watched_logs import Watched, runs

from timellm_ops.adapters.log_moments import log_ends
from timellm_ops.contract import events as ev
from timellm_ops.contract.events import JournalRecord


def ends_of(run: Watched, folder: Path) -> list[int]:
    path = folder / "engine.log"
    path.write_bytes(run.log)
    return list(log_ends(run.records, path))


@given(runs())
def test_no_line_is_there_before_it_was_printed_and_each_comes_with_its_event(
    tmp_path_factory: pytest.TempPathFactory, run: Watched
) -> None:
    ends = ends_of(run, tmp_path_factory.mktemp("log"))
    assert ends == sorted(ends)
    assert ends[-1] == len(run.log)
    for index in range(len(ends) - 1):
        assert ends[index] <= run.came_at[index + 1]


@given(runs(losing=False))
def test_while_no_event_is_lost_each_comes_with_its_line(
    tmp_path_factory: pytest.TempPathFactory, run: Watched
) -> None:
    ends = ends_of(run, tmp_path_factory.mktemp("log"))
    assert all(end >= own for end, own in zip(ends, run.own_line, strict=True))


def record(seq: int, event: ev.Event, offset: int | None = None) -> JournalRecord:
    return JournalRecord(seq=seq, event=event, engine_offset=offset)


FOREIGN = [
    record(1, ev.RunStarted(run_id="r", name="r", engine="foreign")),
    record(2, ev.EngineStarted(pid=7)),
    record(3, ev.Progress(iteration=100, epoch=1, loss=0.5), 40),
    record(4, ev.Alert(level="info", message="hot")),
    record(5, ev.Progress(iteration=200, epoch=1, loss=0.5), 80),
]


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """A hundred bytes."""
    path = tmp_path / "engine.log"
    path.write_bytes(b"0123456789abcdefghi\n" * 5)
    return path


def test_the_events_of_a_foreign_engine_say_it_themselves(log: Path) -> None:
    more = record(6, ev.Progress(iteration=300, epoch=1, loss=0.5), 90)
    assert list(log_ends([*FOREIGN, more], log)) == [0, 0, 40, 40, 80, 100]


def test_once_the_engine_has_left_there_is_nothing_more_to_come(log: Path) -> None:
    left = [
        record(6, ev.EngineExited(code=1)),
        record(7, ev.Alert(level="error", message="it has failed")),
        record(8, ev.RunEnded(outcome="failed", exit_code=1, reason="it has failed")),
    ]
    assert list(log_ends([*FOREIGN, *left], log)) == [0, 0, 40, 40, 80, 100, 100, 100]
    again = [
        record(9, ev.EngineStarted(pid=8)),
        record(10, ev.Adopted(supervisor_pid=9, engine_pid=8)),
    ]
    assert list(log_ends([*FOREIGN, *left, *again], log))[5:] == [80, 80, 80, 80, 100]


def test_a_log_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        log_ends(FOREIGN, tmp_path / "engine.log")
