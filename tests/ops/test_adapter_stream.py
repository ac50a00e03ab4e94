"""A foreign engine's log while it grows, and when somebody takes over in the middle of it."""

from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from waiting import until

from timellm_ops.adapters import open_stream
from timellm_ops.adapters.log_stream import LogStream
from timellm_ops.adapters.published import PublishedLog
from timellm_ops.configfile import foreign_config
from timellm_ops.contract import events as ev
from timellm_ops.contract.layout import RunLayout
from timellm_ops.process.engine import launch

LOG = (Path(__file__).parents[1] / "fixtures" / "published.log").read_bytes()
EVENTS = PublishedLog().feed(LOG)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "engine.log"


def test_there_may_be_no_log_yet(path: Path) -> None:
    stream = LogStream(path)
    assert stream.poll() == []
    path.write_bytes(LOG)
    assert stream.poll() == EVENTS
    assert stream.poll() == []


@given(st.lists(st.integers(0, len(LOG)), max_size=8))
def test_a_growing_log_gives_each_event_once(
    tmp_path_factory: pytest.TempPathFactory, places: list[int]
) -> None:
    path = tmp_path_factory.mktemp("log") / "engine.log"
    stream, found = LogStream(path), []
    for start, stop in pairwise([0, *sorted(places), len(LOG)]):
        with path.open("ab") as file:
            file.write(LOG[start:stop])
        found += stream.poll()
    assert found == EVENTS


def test_who_takes_over_gets_exactly_what_is_not_in_the_journal(path: Path) -> None:
    path.write_bytes(LOG)
    for count, (_, offset) in enumerate(EVENTS, start=1):
        assert LogStream(path, offset).poll() == EVENTS[count:]


@given(st.integers(0, len(EVENTS)), st.integers(0, len(LOG)))
def test_who_takes_over_a_growing_log_goes_on_where_the_journal_ends(
    tmp_path_factory: pytest.TempPathFactory, journaled: int, there: int
) -> None:
    """The log may have been cut anywhere behind what is journaled when the other one vanished."""
    path = tmp_path_factory.mktemp("log") / "engine.log"
    start = EVENTS[journaled - 1][1] if journaled else 0
    there = max(there, start)
    path.write_bytes(LOG[:there])
    stream = LogStream(path, start)
    found = stream.poll()
    with path.open("ab") as file:
        file.write(LOG[there:])
    assert found + stream.poll() == EVENTS[journaled:]


def test_the_last_words_of_an_engine_that_is_gone_count_without_a_line_end(path: Path) -> None:
    path.write_bytes(LOG + b"\titers: 100, epoch: 4 | loss: 0.3333333")
    stream = LogStream(path)
    assert stream.poll() == EVENTS
    left = stream.finish()
    assert [event for event, _ in left] == [
        ev.EpochStarted(epoch=4, steps=230, epochs=5),
        ev.Progress(iteration=100, epoch=4, loss=0.3333333),
    ]
    assert left[-1][1] == path.stat().st_size


def test_a_log_that_has_become_shorter_is_read_anew(path: Path) -> None:
    path.write_bytes(LOG + LOG)
    stream = LogStream(path)
    stream.poll()
    path.write_bytes(LOG)
    assert stream.poll() == EVENTS
    assert LogStream(path, start=10 * len(LOG)).poll() == EVENTS


def test_a_folder_in_its_place_is_no_log(path: Path) -> None:
    path.mkdir()
    assert LogStream(path).poll() == []


def test_what_a_script_prints_is_understood_while_it_still_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Into a file, Python keeps back what is printed, unless it is told not to."""
    monkeypatch.delenv("PYTHONUNBUFFERED", raising=False)
    script = tmp_path / "train.py"
    lines = "Epoch: 1 | Train Loss: 0.1200985 Vali Loss: 0.0538890"
    script.write_text(f"import time\nprint({lines!r})\ntime.sleep(600)\n", encoding="utf-8")
    config = foreign_config("python3 train.py", workdir=tmp_path)
    layout = RunLayout(tmp_path)
    engine = launch(layout, config)
    try:
        stream = open_stream(layout, config, 0)
        found = until(stream.poll, "the epoch's results")
        assert [type(event).__name__ for event, _ in found] == ["EpochStarted", "EpochEnded"]
        assert engine.exit_status() is None
    finally:
        engine.kill()
