"""Our own engine's stream, as its file grows, is torn, or holds what it should not."""

import os
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from timellm_ops.adapters import open_stream, open_watch
from timellm_ops.adapters.protocol import NoWatch
from timellm_ops.adapters.timellm import LONGEST_LINE, TimellmStream
from timellm_ops.contract import events as ev
from timellm_ops.contract.config import Config, DataSection
from timellm_ops.contract.layout import RunLayout
from timellm_ops.contract.state import RunState

EVENTS: list[ev.Event] = [
    ev.EpochStarted(epoch=1, steps=230, t=1.5),
    ev.Progress(iteration=100, epoch=1, loss=float("inf"), t=2.5),
    ev.Alert(level="info", message="Größe: 8 MB"),
    ev.EpochEnded(epoch=1, train_mse=0.4, vali_mse=0.3, t=3.5),
]
LINES = [ev.encode_event(event) + b"\n" for event in EVENTS]
GARBAGE = [
    b"\n",
    b"\xff\xfe\x00garbage\n",
    b'{"type":"NoSuchEvent"}\n',
    b'{"type":"Progress","iteration":1}\n',
    b"[" * 5000 + b"\n",
    b'{"type":"Alert","level":"info","message":"\xe4"}\n',
    LINES[0][:-9] + b"\n",
]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "engine-events.jsonl"


def kinds(found: list[tuple[ev.Event, int]]) -> list[str]:
    return [type(event).__name__ for event, _ in found]


def test_events_come_once_each_with_the_end_of_its_line(path: Path) -> None:
    path.write_bytes(b"".join(LINES))
    stream = TimellmStream(path)
    found = stream.poll()
    assert kinds(found) == ["EpochStarted", "Progress", "Alert", "EpochEnded"]
    assert [offset for _, offset in found] == [
        sum(len(line) for line in LINES[: i + 1]) for i in range(len(LINES))
    ]
    assert stream.poll() == []


def test_there_may_be_no_file_yet(path: Path) -> None:
    stream = TimellmStream(path)
    assert stream.poll() == []
    path.write_bytes(LINES[0])
    assert kinds(stream.poll()) == ["EpochStarted"]


def test_a_folder_in_its_place_is_no_stream(path: Path) -> None:
    path.mkdir()
    assert TimellmStream(path).poll() == []


@pytest.mark.parametrize("garbage", GARBAGE)
def test_garbage_is_passed_over_and_accounted_for_with_the_next_event(
    path: Path, garbage: bytes
) -> None:
    path.write_bytes(LINES[0] + garbage + LINES[2])
    found = TimellmStream(path).poll()
    assert kinds(found) == ["EpochStarted", "Alert"]
    assert [offset for _, offset in found] == [len(LINES[0]), path.stat().st_size]


@given(st.lists(st.sampled_from(LINES + GARBAGE), max_size=12), st.data())
def test_a_reader_sees_the_same_however_the_file_grows(
    tmp_path_factory: pytest.TempPathFactory, content: list[bytes], data: st.DataObject
) -> None:
    path = tmp_path_factory.mktemp("stream") / "engine-events.jsonl"
    written = b"".join(content)
    path.write_bytes(written)
    whole = TimellmStream(path).poll()
    places = sorted(data.draw(st.lists(st.integers(0, len(written)), max_size=6)))
    path.write_bytes(b"")
    stream, found = TimellmStream(path), []
    for start, stop in zip([0, *places], [*places, len(written)], strict=True):
        with path.open("ab") as file:
            file.write(written[start:stop])
        found += stream.poll()
    assert found == whole
    for count, (_, offset) in enumerate(whole, start=1):
        assert TimellmStream(path, offset).poll() == whole[count:]


def test_a_megabyte_in_one_line_hurts_nothing(path: Path) -> None:
    path.write_bytes(LINES[0] + b"x" * (1 << 20) + b"\n" + LINES[2])
    assert kinds(TimellmStream(path).poll()) == ["EpochStarted", "Alert"]


def test_a_line_of_hundreds_of_megabytes_is_never_kept(path: Path) -> None:
    with path.open("wb") as file:
        file.write(LINES[0])
        file.seek(20 * LONGEST_LINE, os.SEEK_CUR)
        file.write(b"\n" + LINES[2])
    stream = TimellmStream(path)
    tracemalloc.start()
    found = stream.poll()
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert kinds(found) == ["EpochStarted", "Alert"]
    assert found[-1][1] == path.stat().st_size
    assert peak < 5 * LONGEST_LINE


@pytest.mark.parametrize("blocks", range(1, 4))
def test_the_end_of_a_line_that_is_too_long_is_no_event(path: Path, blocks: int) -> None:
    path.write_bytes(b"x" * (LONGEST_LINE + (blocks << 18)) + LINES[2] + LINES[0])
    assert kinds(TimellmStream(path).poll()) == ["EpochStarted"]


def test_a_file_that_has_become_shorter_is_read_anew(path: Path) -> None:
    path.write_bytes(b"".join(LINES))
    stream = TimellmStream(path)
    stream.poll()
    path.write_bytes(LINES[2])
    assert stream.poll() == [(EVENTS[2], len(LINES[2]))]


def test_a_run_of_our_own_engine_has_this_stream_and_nothing_to_watch(path: Path) -> None:
    layout = RunLayout(path.parent)
    config = Config(data=DataSection(dataset="ETTh1"))
    path.write_bytes(LINES[0] + LINES[2])
    assert kinds(open_stream(layout, config, len(LINES[0])).poll()) == ["Alert"]
    watch = open_watch(layout, config, RunState())
    assert isinstance(watch, NoWatch)
    watch.expect(ev.CheckpointWriting(kind="last"))
    assert not watch.pending
    assert watch.poll(1.0) == []
