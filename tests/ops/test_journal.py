"""The journal on real disks: torn, full, full of garbage, growing under a reader, killed -9."""

import math
import resource
import subprocess
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from small_disk import fill, small_disk
from waiting import PATIENCE_S, python, until

from timellm_ops.contract.events import (
    Alert,
    Command,
    Event,
    JournalRecord,
    Progress,
    Resumed,
    RunEnded,
    Telemetry,
    encode_record,
)
from timellm_ops.contract.telemetry import GpuSample
from timellm_ops.journal import Journal, JournalFollower, newest_record, read_records

UNKNOWN_EVENT = b'{"seq":7,"event":{"type":"Teleported","at":"2026-01-31T21:45:03Z","to":"Mars"}}\n'

GARBAGE = [
    b"",
    b"not a record",
    b"\x00" * 64,
    b"\xff\xfe\xfd",
    b"null",
    b"[]",
    b"7",
    b"{}",
    b'{"seq":1}',
    b'{"seq":"1","event":{"type":"Resumed"}}',
    b'{"seq":1,"event":null}',
    b'{"seq":1,"event":{"type":[]}}',
    b'{"seq":1,"event":{"type":{}}}',
    b'{"seq":1,"event":{"type":"Alert","level":"info","message":"\xff"}}',
    b'{"seq":1,"event":{"type":"Alert","level":"loud","message":"x"}}',
    b'{"seq":1,"event":{"type":"Alert","level":"info","message":"x"',
    b"[" * 100_000,
    b'{"seq":1,"event":{"type":"Resumed","more":' + b"[" * 100_000,
    b'{"seq":1,"event":' + b'{"a":' * 100_000,
    b"x" * (1 << 20),
    UNKNOWN_EVENT.rstrip(),
]

events: st.SearchStrategy[Event] = st.one_of(
    st.builds(Alert, level=st.just("info"), message=st.text()),
    st.builds(Command, who=st.just("cli"), what=st.text()),
    st.builds(Progress, iteration=st.integers(0, 10**6), epoch=st.just(1), loss=st.floats()),
    st.builds(
        Telemetry,
        t=st.floats(0, 1e6),
        sample=st.builds(GpuSample, source=st.just("nvml"), temperature_c=st.floats(0, 120)),
    ),
    st.builds(
        RunEnded, outcome=st.just("finished"), exit_code=st.just(0), reason=st.text(max_size=20)
    ),
)
histories = st.lists(events, max_size=8)


def alert(message: str) -> Alert:
    return Alert(level="info", message=message)


def write(path: Path, *messages: str) -> list[JournalRecord]:
    journal = Journal.open(path)
    records = [journal.append(alert(message)) for message in messages]
    journal.close()
    return records


def lines(records: list[JournalRecord]) -> list[bytes]:
    """Comparable also where a loss is not a number."""
    return [encode_record(record) for record in records]


def whole(path: Path) -> list[JournalRecord]:
    return list(read_records(path))


def messages(path: Path) -> list[str]:
    return [record.event.message for record in whole(path) if isinstance(record.event, Alert)]


def numbers(path: Path) -> list[int]:
    return [record.seq for record in whole(path)]


def test_what_is_appended_is_read_back_in_order_with_numbers_from_one(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    journal = Journal.open(path)
    journal.append(alert("one"))
    journal.append(Resumed(), engine_offset=17)
    assert whole(path) == [
        JournalRecord(seq=1, event=alert("one")),
        JournalRecord(seq=2, event=Resumed(), engine_offset=17),
    ]
    assert journal.problem == ""
    assert journal.dropped == 0
    journal.close()


def test_there_are_no_records_where_there_is_no_file(tmp_path: Path) -> None:
    assert whole(tmp_path / "none.jsonl") == []
    assert JournalFollower(tmp_path / "none.jsonl").poll() == []


def test_a_loss_that_is_not_a_number_stays_on_record(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    journal = Journal.open(path)
    for loss in (math.nan, math.inf, 0.5):
        journal.append(Progress(iteration=1, epoch=1, loss=loss))
    journal.close()
    losses = [record.event.loss for record in whole(path)]  # type: ignore[union-attr]
    assert [math.isfinite(loss) for loss in losses] == [False, False, True]


def test_a_text_that_utf8_cannot_hold_is_recorded_and_not_raised(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    write(path, "cannot write caf\udce9.bin")
    assert messages(path) == ["cannot write caf\\udce9.bin"]


@given(histories)
def test_every_history_is_read_back_as_it_was(
    tmp_path_factory: pytest.TempPathFactory, history: list[Event]
) -> None:
    path = tmp_path_factory.mktemp("journal") / "journal.jsonl"
    journal = Journal.open(path)
    written = [journal.append(event) for event in history]
    journal.close()
    assert lines(whole(path)) == lines(written)


@given(histories, st.data())
def test_a_prefix_of_the_bytes_gives_a_prefix_of_the_records(
    tmp_path_factory: pytest.TempPathFactory, history: list[Event], data: st.DataObject
) -> None:
    path = tmp_path_factory.mktemp("journal") / "journal.jsonl"
    full = [JournalRecord(seq=n, event=event) for n, event in enumerate(history, start=1)]
    whole_file = b"".join(lines(full))
    cut = data.draw(st.integers(0, len(whole_file)))
    path.write_bytes(whole_file[:cut])
    found = lines(whole(path))
    assert found == lines(full)[: len(found)]
    assert len(found) == whole_file[:cut].count(b"\n")
    assert lines(JournalFollower(path).poll()) == found


@given(st.lists(st.tuples(histories, st.integers(0, 200)), min_size=1, max_size=4))
def test_writers_that_are_killed_in_turn_never_use_a_number_twice(
    tmp_path_factory: pytest.TempPathFactory, lives: list[tuple[list[Event], int]]
) -> None:
    """Each writer dies having written all but some last bytes of its last record."""
    path = tmp_path_factory.mktemp("journal") / "journal.jsonl"
    kept: list[bytes] = []
    for history, torn in lives:
        journal = Journal.open(path)
        mine = lines([journal.append(event) for event in history])
        journal.close()
        if mine and torn:
            lost = min(torn, len(mine[-1]))
            path.write_bytes(path.read_bytes()[:-lost])
            # All that is missing is the line's end, which the next writer adds.
            whole_but_for_its_end = lost == 1
            mine = mine if whole_but_for_its_end else mine[:-1]
        kept += mine
    write(path, "the last writer")
    found = whole(path)
    assert lines(found)[:-1] == kept
    used = [record.seq for record in found]
    assert used == sorted(set(used))


@pytest.mark.parametrize("garbage", GARBAGE, ids=lambda line: repr(line[:40]))
def test_garbage_is_skipped_by_readers_and_writers(tmp_path: Path, garbage: bytes) -> None:
    path = tmp_path / "journal.jsonl"
    (first,) = write(path, "before")
    with path.open("ab") as file:
        file.write(garbage + b"\n")
    follower = JournalFollower(path)
    assert follower.poll() == [first]
    (second,) = write(path, "after")
    assert whole(path) == [first, second]
    assert follower.poll() == [second]
    assert second.seq > first.seq


@given(st.lists(st.binary(max_size=40).map(lambda raw: raw.replace(b"\n", b"")), max_size=5))
def test_binary_noise_between_two_records_hides_neither(
    tmp_path_factory: pytest.TempPathFactory, noise: list[bytes]
) -> None:
    path = tmp_path_factory.mktemp("journal") / "journal.jsonl"
    write(path, "before")
    with path.open("ab") as file:
        file.writelines(line + b"\n" for line in noise)
    write(path, "after")
    assert messages(path) == ["before", "after"]


def test_garbage_with_an_enormous_number_does_not_use_the_numbers_up(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    write(path, "before")
    with path.open("ab") as file:
        file.write(b'{"seq":' + b"9" * 300 + b"}\n")
    write(path, "after")
    assert numbers(path) == [1, 2]


def test_an_event_of_a_later_version_is_skipped_but_its_number_is_taken(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    path.write_bytes(UNKNOWN_EVENT)
    assert whole(path) == []
    write(path, "after")
    assert numbers(path) == [8]


def test_a_field_of_a_later_version_is_ignored(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    path.write_bytes(b'{"seq":1,"mood":"fine","event":{"type":"Resumed","colour":"red"}}\n')
    assert whole(path) == [JournalRecord(seq=1, event=Resumed())]


def test_lines_that_hold_no_record_are_counted(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    write(path, "before")
    follower = JournalFollower(path)
    assert (len(follower.poll()), follower.damaged) == (1, 0)
    with path.open("ab") as file:
        file.write(b"garbage\n\n{}\ntorn")
    assert (follower.poll(), follower.damaged) == ([], 2)
    write(path, "after")
    assert (len(follower.poll()), follower.damaged) == (1, 3)
    assert (follower.poll(), follower.damaged) == ([], 3)


def test_a_torn_line_is_ended_and_never_cut_away(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    write(path, "one", "two")
    torn = path.read_bytes()[:-20]
    path.write_bytes(torn)
    follower = JournalFollower(path)
    assert [record.seq for record in follower.poll()] == [1]
    write(path, "three")
    assert path.read_bytes().startswith(torn + b"\n")
    assert messages(path) == ["one", "three"]
    assert [record.event for record in follower.poll()] == [alert("three")]


def test_a_record_that_lacks_only_its_line_end_is_kept_with_its_number(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    write(path, "one", "two")
    path.write_bytes(path.read_bytes()[:-1])
    assert numbers(path) == [1]
    write(path, "three")
    assert messages(path) == ["one", "two", "three"]
    assert numbers(path) == [1, 2, 3]


def test_a_closed_journal_takes_nothing_and_closes_again(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    journal = Journal.open(path)
    journal.close()
    journal.close()
    with pytest.raises(ValueError, match="closed"):
        journal.append(alert("late"))
    assert whole(path) == []


def test_opening_where_there_is_no_folder_says_so(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        Journal.open(tmp_path / "none" / "journal.jsonl")


@given(histories, st.lists(st.integers(1, 60), min_size=1))
def test_a_follower_gets_every_record_once_however_the_bytes_arrive(
    tmp_path_factory: pytest.TempPathFactory, history: list[Event], portions: list[int]
) -> None:
    path = tmp_path_factory.mktemp("journal") / "journal.jsonl"
    full = [JournalRecord(seq=n, event=event) for n, event in enumerate(history, start=1)]
    rest = b"".join(lines(full))
    follower, seen = JournalFollower(path), []
    with path.open("wb", buffering=0) as file:
        for portion in (*portions, len(rest)):
            file.write(rest[:portion])
            rest = rest[portion:]
            seen += follower.poll()
    assert lines(seen) == lines(full)
    assert follower.poll() == []


FAST_WRITER = """
import sys
from pathlib import Path
from timellm_ops.contract.events import Alert
from timellm_ops.journal import Journal
journal = Journal.open(Path(sys.argv[1]))
while True:
    journal.append(Alert(level="info", message="x" * 3000))
"""


def test_following_a_writer_that_is_killed_while_it_writes(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    follower, seen = JournalFollower(path), []
    for life in range(1, 4):
        with python(FAST_WRITER, path) as writer:
            enough = len(seen) + 100

            def watch(enough: int = enough) -> bool:
                seen.extend(follower.poll())
                return len(seen) >= enough

            until(watch, f"what writer {life} appends")
            writer.kill()
            writer.wait()
    write(path, "the end")
    for piece in iter(follower.poll, []):
        seen += piece
    assert seen == whole(path)
    assert [record.seq for record in seen] == list(range(1, len(seen) + 1))
    assert seen[-1].event == alert("the end")


def test_a_full_disk_keeps_records_waiting_until_there_is_room(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", kib=64) as disk:
        path = disk / "journal.jsonl"
        journal = Journal.open(path)
        sent = ["before the disk is full"]
        journal.append(alert(sent[0]))
        filler = fill(disk)
        follower, seen = JournalFollower(path), []
        while len(sent) < 100:  # the last page of the file has room for a few more
            sent.append(f"number {len(sent)} " + "x" * 100)
            journal.append(alert(sent[-1]))
            seen += follower.poll()
        assert "No space left" in journal.problem
        assert not journal.retry()
        assert len(messages(path)) < len(sent)
        assert messages(path) == sent[: len(messages(path))]

        filler.unlink()
        assert journal.retry()
        assert journal.problem == ""
        journal.append(alert("after"))
        journal.close()
        assert messages(path) == [*sent, "after"]
        assert numbers(path) == list(range(1, len(sent) + 2))
        assert seen + follower.poll() == whole(path)
        assert journal.dropped == 0


def test_a_torn_line_on_a_full_disk_is_ended_once_there_is_room(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", kib=64) as disk:
        path = disk / "journal.jsonl"
        write(path, "one", "two" + "x" * 5000)
        path.write_bytes(path.read_bytes()[:4096])  # a whole page: the line's end needs another
        filler = fill(disk)
        journal = Journal.open(path)
        journal.append(alert("three"))
        assert messages(path) == ["one"]
        filler.unlink()
        journal.close()
        assert messages(path) == ["one", "three"]


LIMITED_WRITER = """
import resource, sys
from pathlib import Path
from timellm_ops.contract.events import Alert, Command, Progress
from timellm_ops.journal import MAX_PENDING, Journal

path, limit = Path(sys.argv[1]), int(sys.argv[2])
_, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
journal = Journal.open(path)
journal.append(Alert(level="info", message="first"))
resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard))
for number in range(MAX_PENDING // 2):
    journal.append(Progress(iteration=number, epoch=1, loss=0.5))
    journal.append(Command(who="cli", what=f"order {number}"))
print(journal.problem)
print(journal.dropped)
for number in range(300):
    journal.append(Command(who="cli", what=f"late {number}"))
print(journal.dropped)
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, hard))
journal.append(Alert(level="info", message="last"))
print(journal.problem)
journal.close()
"""


@pytest.mark.parametrize("limit", [100, 4096, 4097, 4150, 5000])
def test_when_too_much_waits_readings_are_given_up_and_orders_are_not(
    tmp_path: Path, limit: int
) -> None:
    """A file that may not grow ends in the middle of a record: a limit is not a line's end."""
    _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    if hard != resource.RLIM_INFINITY:
        pytest.skip("the size of files is limited here")
    path = tmp_path / "journal.jsonl"
    with python(LIMITED_WRITER, path, limit, stdout=subprocess.PIPE) as writer:
        said, _ = writer.communicate(timeout=PATIENCE_S)
    problem, dropped_early, dropped, problem_at_last = said.decode().split("\n")[:4]
    assert "File too large" in problem
    assert dropped_early == "0"
    assert problem_at_last == ""
    found = whole(path)
    given_up = int(dropped)
    assert 0 < given_up < 400
    orders = [r.event.what for r in found if isinstance(r.event, Command)]
    assert orders == [f"order {n}" for n in range(5000)] + [f"late {n}" for n in range(300)]
    assert sum(isinstance(r.event, Progress) for r in found) == 5000 - given_up
    assert found[0].event == alert("first")
    assert found[-1].event == alert("last")
    used = [record.seq for record in found]
    assert used == sorted(set(used))
    assert used[-1] == 10_302
    assert len(path.read_bytes().splitlines()) == len(found)


@settings(max_examples=20)
@given(st.integers(0, 400))
def test_a_journal_that_was_torn_anywhere_can_be_opened_and_added_to(
    tmp_path_factory: pytest.TempPathFactory, length: int
) -> None:
    path = tmp_path_factory.mktemp("journal") / "journal.jsonl"
    write(path, "one", "two", "three", "four", "five")
    path.write_bytes(path.read_bytes()[:length])
    before = messages(path)
    write(path, "six")
    assert messages(path)[-1] == "six"
    assert messages(path)[: len(before)] == before


def test_a_long_journal_comes_in_pieces_and_garbage_is_no_end_of_it(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    write(path, *(f"{number} {'x' * 1000}" for number in range(3000)))
    long = path.read_bytes()
    garbage = b"no record\n" * 300_000
    path.write_bytes(long[: len(long) // 2].rpartition(b"\n")[0] + b"\n" + garbage + long)
    follower = JournalFollower(path)
    pieces = list(iter(follower.poll, []))
    assert len(pieces) > 2
    assert max(map(len, pieces)) < 3000
    assert [record for piece in pieces for record in piece] == whole(path)


def test_the_newest_record_is_found_from_the_end(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    assert newest_record(path) is None
    lines = [encode_record(JournalRecord(seq=n, event=Alert(level="info", message="m" * 999)))
             for n in range(1, 200)]  # fmt: skip
    path.write_bytes(b"".join(lines) + b'{"seq":200,"event":{"ty')
    newest = newest_record(path)
    assert newest is not None
    assert newest.seq == 199
    path.write_bytes(b"no record\n")
    assert newest_record(path) is None
