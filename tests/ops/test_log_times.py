"""When each line of a log was printed, against logs whose writing was watched."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from watched_logs import Watched, runs, step

from timellm_dashboard.log.times import LogTimes as Times
from timellm_ops.adapters.log_times import LogTimes
from timellm_ops.contract import events as ev
from timellm_ops.contract.events import JournalRecord

BEGIN_S = 1_000_000.0


def at(seconds: float) -> datetime:
    return datetime.fromtimestamp(BEGIN_S + seconds, UTC)


def timed(records: list[JournalRecord]) -> list[JournalRecord]:
    """The n-th record came n seconds after the beginning."""
    return [
        replace(record, event=replace(record.event, at=at(n))) for n, record in enumerate(records)
    ]


class Growing:
    """A log and a journal that are there as far as somebody has written them."""

    def __init__(self, folder: Path, records: list[JournalRecord], at_once: int = 3) -> None:
        self.path = folder / "engine.log"
        self.path.write_bytes(b"")
        self._records, self.there, self._at_once = timed(records), 0, at_once
        self.times = LogTimes(self.path, self._follow)

    def _follow(self) -> Callable[[], list[JournalRecord]]:
        taken = 0

        def poll() -> list[JournalRecord]:
            nonlocal taken
            found = self._records[taken : min(self.there, taken + self._at_once)]
            taken += len(found)
            return found

        return poll

    def grow(self, log: bytes, records: int) -> None:
        self.path.write_bytes(log)
        self.there = records
        self.times.catch_up()

    @property
    def shown(self) -> Times:
        return Times(self.times.ends, self.times.at_s)

    def seconds(self, end: int) -> float | None:
        """When the line that ends at that byte had been printed, by the record's number."""
        found = self.shown.printed(end)
        return None if found is None else found.timestamp() - BEGIN_S


def check(run: Watched, seen: Growing) -> None:
    """No place of the log is said to have been there before it was."""
    ends, times = list(seen.times.ends), list(seen.times.at_s)
    assert ends == sorted(set(ends))
    assert times == sorted(times)
    for end, time in zip(ends, times, strict=True):
        record = round(time - BEGIN_S)
        if record + 1 < len(run.came_at):
            assert end <= run.came_at[record + 1]


@given(runs())
def test_no_line_has_a_time_before_it_was_printed(
    tmp_path_factory: pytest.TempPathFactory, run: Watched
) -> None:
    seen = Growing(tmp_path_factory.mktemp("log"), run.records)
    seen.grow(run.log, len(run.records))
    check(run, seen)


@given(runs(losing=False), st.data())
def test_however_it_grows_each_line_gets_the_time_of_its_event(
    tmp_path_factory: pytest.TempPathFactory, run: Watched, data: st.DataObject
) -> None:
    seen = Growing(tmp_path_factory.mktemp("log"), run.records)
    count = len(run.records)
    for records in sorted(data.draw(st.lists(st.integers(0, count), max_size=4))):
        # The log may be ahead of the journal by what one event prints, cut off anywhere.
        came = run.came_at[records] if records < count else len(run.log)
        seen.grow(run.log[: data.draw(st.integers(0, came))], records)
        check(run, seen)
    seen.grow(run.log, count)
    check(run, seen)
    for number, end in enumerate(run.own_line):
        if end:
            time = seen.seconds(end)
            assert time is not None
            assert time <= number


def test_a_line_between_two_events_came_with_the_later_one(tmp_path: Path) -> None:
    run = Watched()
    run.event(ev.RunStarted(run_id="r", name="r", engine="timellm"), lost=False)
    run.event(ev.Progress(iteration=100, epoch=1, loss=0.5), after=step(1, 100), lost=False)
    run.log += b"a warning\n"
    run.event(ev.Progress(iteration=200, epoch=1, loss=0.5), after=step(1, 200), lost=False)
    seen = Growing(tmp_path, run.records)
    seen.grow(run.log + b"and more\n", 3)
    first, warning = run.own_line[1], run.log.index(b"a warning") + 10
    assert [seen.seconds(end) for end in (1, first, warning, len(run.log))] == [1, 1, 2, 2]
    assert seen.seconds(len(run.log) + 9) is None
    assert run.log[seen.shown.byte_at(at(1.5)) :].startswith(b"\na warning")
    assert seen.shown.byte_at(at(0)) == 0


def test_more_noise_than_is_read_at_once_is_gone_through(tmp_path: Path) -> None:
    run = Watched()
    run.event(ev.RunStarted(run_id="r", name="r", engine="timellm"), lost=False)
    run.log += b"UserWarning: again and again\n" * 30_000 + b"x" * 600_000 + b"\n"
    run.event(ev.Progress(iteration=100, epoch=1, loss=0.5), after=step(1, 100), lost=False)
    seen = Growing(tmp_path, run.records)
    seen.grow(run.log, 2)
    assert list(seen.times.ends) == [len(run.log)]


@pytest.mark.parametrize("quiet", [0, 2])
def test_in_a_long_run_every_line_gets_the_time_of_its_event(tmp_path: Path, quiet: int) -> None:
    run = Watched()
    run.event(ev.RunStarted(run_id="r", name="r", engine="timellm"), lost=False)
    for n in range(12_000):
        for _ in range(quiet):
            run.event(ev.Progress(iteration=n, epoch=9, loss=0.5), lost=False)
        run.event(ev.Progress(iteration=n, epoch=1, loss=0.5), lost=False)
    run.log = b"".join(step(1, n).encode() for n in range(12_000))
    seen = Growing(tmp_path, run.records, at_once=2_500)
    seen.grow(run.log, len(run.records))
    assert len(seen.times.ends) == 12_000
    assert seen.times.ends[-1] == len(run.log)
    assert list(seen.times.at_s)[:2] == [BEGIN_S + 1 + quiet, BEGIN_S + 2 * (1 + quiet)]


FOREIGN = [
    JournalRecord(seq=1, event=ev.RunStarted(run_id="r", name="r", engine="foreign")),
    JournalRecord(seq=2, event=ev.EngineStarted(pid=7)),
    JournalRecord(seq=3, event=ev.Progress(iteration=1, epoch=1, loss=0.5), engine_offset=40),
    JournalRecord(seq=4, event=ev.Alert(level="info", message="hot")),
    JournalRecord(seq=5, event=ev.Progress(iteration=2, epoch=1, loss=0.5), engine_offset=80),
    JournalRecord(seq=6, event=ev.EngineExited(code=1)),
    JournalRecord(seq=7, event=ev.EngineStarted(pid=8)),
    JournalRecord(seq=8, event=ev.Progress(iteration=1, epoch=1, loss=0.5), engine_offset=110),
]
LOG = b"0123456789abcdefghi\n" * 5


def test_the_events_of_a_foreign_engine_say_it_and_its_exit_covers_the_rest(tmp_path: Path) -> None:
    seen = Growing(tmp_path, FOREIGN)
    seen.grow(LOG, 5)
    assert [seen.seconds(end) for end in (20, 40, 60, 100)] == [2, 2, 4, None]
    seen.grow(LOG, 6)
    assert [seen.seconds(end) for end in (80, 100)] == [4, 5]
    seen.grow(LOG + b"started\nagain\n", 8)
    assert [seen.seconds(end) for end in (100, 110, 114)] == [5, 7, None]


def test_a_log_that_was_cut_off_is_read_anew(tmp_path: Path) -> None:
    seen = Growing(tmp_path, FOREIGN)
    seen.grow(LOG, 6)
    seen.grow(b"", 2)
    assert not seen.shown.known
    seen.grow(LOG, 3)
    assert list(seen.times.ends) == [40]


def test_without_clock_times_nothing_is_known(tmp_path: Path) -> None:
    path = tmp_path / "engine.log"
    path.write_bytes(LOG)
    polled = iter([FOREIGN[:5], []])
    times = LogTimes(path, lambda: lambda: next(polled))
    times.catch_up()
    assert list(times.ends) == []


def test_a_log_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        LogTimes(tmp_path / "engine.log", lambda: list).catch_up()
