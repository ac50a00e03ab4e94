"""What the engine says reaches its file whole and in order, whatever the disk does meanwhile."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from engine_clock import FakeClock
from full_disk import files_end_at

from timellm_engine.emit import MAX_PENDING, Emitter, PatientWriter
from timellm_ops.contract import events as ev
from timellm_ops.contract.events import Event, decode_event


def alert(text: str) -> ev.Alert:
    return ev.Alert(level="info", message=text)


def written(path: Path) -> list[Event]:
    return [decode_event(line) for line in path.read_bytes().splitlines()]


@pytest.fixture
def output(tmp_path: Path) -> Iterator[int]:
    descriptor = os.open(tmp_path / "engine.log", os.O_RDWR | os.O_CREAT | os.O_APPEND)
    yield descriptor
    os.close(descriptor)


def test_an_event_is_on_record_at_once_with_both_times(tmp_path: Path, output: int) -> None:
    clock = FakeClock(now=7.5)
    emitter = Emitter.open(tmp_path / "events", clock, output)
    emitter.event(alert("first"))
    (event,) = written(tmp_path / "events")
    assert (event.t, event.at) == (7.5, clock.wall())
    emitter.line("two\nlines")
    assert (tmp_path / "engine.log").read_text() == "two\nlines\n"
    emitter.close()


def test_a_second_start_adds_to_what_is_there(tmp_path: Path, output: int) -> None:
    for text in ("first", "second"):
        emitter = Emitter.open(tmp_path / "events", FakeClock(), output)
        emitter.event(alert(text))
        emitter.close()
    assert [getattr(event, "message", "") for event in written(tmp_path / "events")] == [
        "first", "second",
    ]  # fmt: skip


def test_a_torn_last_line_spoils_no_line_but_itself(tmp_path: Path, output: int) -> None:
    path = tmp_path / "events"
    path.write_bytes(b'{"type":"Alert","level":"info","mess')
    emitter = Emitter.open(path, FakeClock(), output)
    emitter.event(alert("after"))
    emitter.close()
    torn, whole = path.read_bytes().splitlines()
    assert torn == b'{"type":"Alert","level":"info","mess'
    assert getattr(decode_event(whole), "message", "") == "after"


def test_what_a_full_disk_refused_follows_in_order_and_whole(tmp_path: Path, output: int) -> None:
    path = tmp_path / "events"
    emitter = Emitter.open(path, FakeClock(), output)
    emitter.event(alert("before"))
    with files_end_at(path.stat().st_size + 20):  # room for a part of a line
        for number in range(5):
            emitter.event(alert(f"number {number}"))
            emitter.line(f"line {number} " + 200 * "x")
        assert not emitter.flush()
    assert emitter.flush()
    texts = [getattr(event, "message", "") for event in written(path)]
    assert texts == ["before", *(f"number {number}" for number in range(5))]
    lines = (tmp_path / "engine.log").read_text().splitlines()
    assert [line.split(" x")[0] for line in lines] == [f"line {number}" for number in range(5)]
    emitter.close()


def test_while_a_disk_stays_full_memory_is_bounded_and_progress_goes_first(tmp_path: Path) -> None:
    path = tmp_path / "events"
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    writer = PatientWriter(descriptor)
    with files_end_at(2):
        writer.write(b"begun\n")
        writer.write(b"kept\n")
        for number in range(MAX_PENDING + 10):
            writer.write(b"progress %d\n" % number, expendable=True)
        assert writer.waiting == MAX_PENDING
        assert writer.dropped == 12
    assert writer.flush()
    lines = path.read_bytes().splitlines()
    assert lines[:3] == [b"begun", b"kept", b"progress 12"]
    assert lines[-1] == b"progress %d" % (MAX_PENDING + 9)
    os.close(descriptor)


def test_a_reader_that_is_gone_does_not_end_the_writer() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    writer = PatientWriter(writing)
    writer.write(b"to nobody\n")
    assert writer.waiting == 1
    os.close(writing)


def test_secrets_of_the_environment_are_not_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_TOKEN", "open sesame")
    log = os.open(tmp_path / "log", os.O_WRONLY | os.O_CREAT)
    emitter = Emitter.open(tmp_path / "events", FakeClock(), log)
    emitter.alert("the hub did not take open sesame")
    emitter.event(ev.EngineFailed(message="open sesame is wrong", kind="preflight"))
    emitter.close()
    os.close(log)
    for name in ("events", "log"):
        text = (tmp_path / name).read_text()
        assert "***" in text
        assert "open sesame" not in text
