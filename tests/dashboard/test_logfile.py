"""Reading a growing file by line number, against what reading all of it gives."""

import asyncio
import os
import tracemalloc
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from timellm_dashboard.log import file as logfile
from timellm_dashboard.log.file import LogFile
from timellm_dashboard.log.index import BLOCK, LineIndex, count_lines
from timellm_dashboard.log.search import BadPatternError, LineFilter, find, finder
from timellm_dashboard.log.text import LONGEST, shown, shown_lines, tone_of


def naive_lines(data: bytes) -> list[bytes]:
    lines = data.split(b"\n")
    return lines if lines[-1] else lines[:-1]


def caught_up(log: LogFile) -> LogFile:
    while log.take(log.scan()):
        pass
    return log


@st.composite
def logs(draw: st.DrawFn) -> tuple[bytes, list[int]]:
    """Bytes with lines around the edges of blocks, and where they are cut into pieces."""
    lengths = st.one_of(st.integers(0, 80), st.integers(BLOCK - 40, BLOCK + 40))
    lines = draw(st.lists(lengths, max_size=12))
    data = b"".join(b"x" * length + b"\n" for length in lines) + b"y" * draw(st.integers(0, 60))
    cuts = draw(st.lists(st.integers(0, len(data)), max_size=6))
    return data, sorted({0, *cuts, len(data)})


@given(logs())
@settings(max_examples=150, deadline=None)
def test_the_index_counts_what_splitting_counts(log: tuple[bytes, list[int]]) -> None:
    data, cuts = log
    index = LineIndex()
    for start, end in pairwise(cuts):
        index.add(count_lines(data[start:end], start))
    assert index.size == len(data)
    assert index.line_ends == data.count(b"\n")
    assert index.lines == len(naive_lines(data))
    for block in range(len(data) // BLOCK + (len(data) % BLOCK > 0)):
        assert index.ends_before(block) == data[: block * BLOCK].count(b"\n")


@given(logs())
@settings(max_examples=60, deadline=None)
def test_every_line_is_found_by_its_number(
    tmp_path_factory: pytest.TempPathFactory, log: tuple[bytes, list[int]]
) -> None:
    data, cuts = log
    path = tmp_path_factory.mktemp("logs") / "engine.log"
    path.touch()
    read = LogFile(path)
    for start, end in pairwise(cuts):
        with path.open("ab") as file:
            file.write(data[start:end])
        caught_up(read)
    expected = [shown(line) for line in naive_lines(data)]
    assert read.texts(range(read.index.lines)) == expected
    assert read.generation == (1 if data else 0)
    forward, at = [], 0
    while (piece := read.piece(at, forward=True)) is not None:
        forward += read.read(piece)
        at = piece.last
    assert forward == expected
    backward, at = [], read.index.lines
    while (piece := read.piece(at, forward=False)) is not None:
        backward = read.read(piece) + backward
        at = piece.first
    assert backward == expected


@given(logs(), st.lists(st.floats(0.0, 1.1), max_size=6))
@settings(max_examples=60, deadline=None)
def test_it_may_end_anywhere_further_on_and_back(
    tmp_path_factory: pytest.TempPathFactory, log: tuple[bytes, list[int]], shares: list[float]
) -> None:
    data, cuts = log
    path = tmp_path_factory.mktemp("logs") / "engine.log"
    path.touch()
    read = LogFile(path)
    for start, end in pairwise(cuts):
        with path.open("ab") as file:
            file.write(data[start:end])
        caught_up(read)
        for share in shares:
            at = int(share * len(data))
            read.end_at(at)
            there = naive_lines(data[:end])
            ended = len(there) if at >= end else data[:at].count(b"\n")
            assert read.lines == ended
            assert read.texts(range(ended)) == [shown(line) for line in there[:ended]]
            assert read.read_share == 1.0
    read.end_at(None)
    assert read.lines == read.index.lines


@given(st.lists(st.binary(max_size=40).map(lambda b: b.replace(b"\n", b"")), max_size=8))
@settings(max_examples=200, deadline=None)
def test_whatever_bytes_there_are_what_is_shown_is_printable(lines: list[bytes]) -> None:
    data = b"".join(line + b"\n" for line in lines)
    texts = shown_lines(data)
    assert texts == [shown(line) for line in lines]
    assert all(text.isprintable() for text in texts)


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        (b"\titers: 100, epoch: 1 | loss: 0.5", "    iters: 100, epoch: 1 | loss: 0.5"),
        (b"plain\r", "plain"),
        (b"\r 10%|#| 1/10\r 20%|##| 2/10\r", " 20%|##| 2/10"),
        (b"\r100%|###| 10/10\r            ", "100%|###| 10/10"),
        (b"\x1b[1;31mred\x1b[0m and \x1b]0;title\x07plain", "red and plain"),
        (b"\x1b]52;c;c3RvbGVu\x07clip", "clip"),
        (b"\x1bPq#0\x1b\\dcs \x1b(Bset \x1b7keys", "dcs set keys"),
        (b"bell\x07, nul\x00", "bell\N{REPLACEMENT CHARACTER}, nul\N{REPLACEMENT CHARACTER}"),
        (b"caf\xe9", "caf\N{REPLACEMENT CHARACTER}"),
        ("损失 0.5".encode(), "损失 0.5"),
        ("\N{RIGHT-TO-LEFT OVERRIDE}txt".encode(), "\N{REPLACEMENT CHARACTER}txt"),
        (b"\x1b", "\N{REPLACEMENT CHARACTER}"),
    ],
)  # fmt: skip
def test_a_line_is_made_harmless(raw: bytes, text: str) -> None:
    assert shown(raw) == text


def test_what_a_line_is_has_a_tone() -> None:
    tones = {
        "    iters: 100, epoch: 1 | loss: 0.1234567": "plain",
        "    speed: 0.1300s/iter; left time: 110.0s": "muted",
        "Epoch: 1 | Train Loss: 0.12 Vali Loss: 0.05 Test Loss: 0.02 MAE Loss: 0.1": "accent",
        "Validation loss decreased (inf --> 0.053889).  Saving model ...": "good",
        "EarlyStopping counter: 1 out of 10": "held",
        "Traceback (most recent call last):": "bad",
        "torch.cuda.OutOfMemoryError: CUDA out of memory. Tried to allocate": "bad",
        "ValueError: x": "bad",
        "/x/y.py:3: UserWarning: lr_scheduler.step": "held",
        "an ordinary sentence": "plain",
    }
    assert {text: tone_of(text) for text in tones} == tones


def test_a_line_of_megabytes_is_cut_off_and_costs_no_more(tmp_path: Path) -> None:
    path = tmp_path / "engine.log"
    path.write_bytes(b"a\n" + b"x" * 30_000_000 + b"\nz\n")
    log = caught_up(LogFile(path))
    tracemalloc.start()
    assert log.texts([0, 1, 2]) == ["a", "x" * LONGEST + "…", "z"]
    piece = log.piece(1, forward=True)
    assert piece is not None
    assert log.read(piece) == ["x" * LONGEST + "…"]
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 2_000_000


def test_a_progress_bar_of_megabytes_shows_its_last_state(tmp_path: Path) -> None:
    path = tmp_path / "engine.log"
    path.write_bytes(b"".join(b"\r%6d of 100000" % n for n in range(100_000)))
    log = caught_up(LogFile(path))
    assert log.texts([0]) == [" 99999 of 100000"]
    with path.open("ab") as file:
        file.write(b"\r100000 of 100000\ndone\n")
    caught_up(log)
    assert log.texts([0, 1]) == ["100000 of 100000", "done"]


def test_a_file_that_is_not_there_yet_comes_later(tmp_path: Path) -> None:
    log = LogFile(tmp_path / "engine.log")
    assert log.stirred()
    caught_up(log)
    assert log.looked
    assert not log.there
    assert not log.stirred()
    log.path.write_bytes(b"one\n")
    assert log.stirred()
    caught_up(log)
    assert log.texts([0]) == ["one"]
    assert not log.stirred() or not log.stirred()


def rewrite(path: Path) -> None:
    path.write_bytes(b"something else\nand more of it, longer than before\n" * 10)


def truncate(path: Path) -> None:
    os.truncate(path, 0)
    with path.open("ab") as file:
        file.write(b"new\n")


def replace(path: Path) -> None:
    other = path.with_suffix(".new")
    other.write_bytes(b"first line\nsecond line\nthird line\n")
    other.replace(path)


@pytest.mark.parametrize("change", [rewrite, truncate, replace])
def test_a_file_that_is_another_one_is_begun_anew(tmp_path: Path, change: object) -> None:
    path = tmp_path / "engine.log"
    path.write_bytes(b"first line\nsecond line\n")
    log = caught_up(LogFile(path))
    begun = log.generation
    change(path)  # type: ignore[operator]
    assert log.stirred()
    caught_up(log)
    assert log.generation == begun + 1
    expected = [shown(line) for line in naive_lines(path.read_bytes())]
    assert log.texts(range(log.index.lines)) == expected


def test_a_file_that_goes_is_gone_and_what_was_asked_of_it_empty(tmp_path: Path) -> None:
    path = tmp_path / "engine.log"
    path.write_bytes(b"first\nsecond\n")
    log = caught_up(LogFile(path))
    path.unlink()
    assert log.texts([0, 1]) == ["", ""]
    caught_up(log)
    assert not log.there
    assert log.index.lines == 0


def test_a_line_that_was_asked_for_too_early_is_there_later(tmp_path: Path) -> None:
    path = tmp_path / "engine.log"
    path.write_bytes(b"first\n")
    log = caught_up(LogFile(path))
    assert log.texts([0, 1, 7]) == ["first", "", ""]
    with path.open("ab") as file:
        file.write(b"second\n")
    assert caught_up(log).texts([0, 1, 7]) == ["first", "second", ""]


def test_a_folder_in_its_place_is_a_problem_and_no_crash(tmp_path: Path) -> None:
    log = caught_up(LogFile(tmp_path))
    assert "directory" in log.problem.lower()


# --- searching -----------------------------------------------------------------------------------


def test_large_letters_count_only_where_there_are_any() -> None:
    assert finder("loss").matches("Train Loss: 1")
    assert not finder("Loss").matches("train loss: 1")
    assert finder(r"re:LOSS\s").matches("LOSS ")
    assert finder(r"re:loss\S").matches("LOSS:")
    assert finder("a.b").spans("axb a.b") == [(4, 7)]
    assert finder("re:a.b").spans("axb a.b") == [(0, 3), (4, 7)]
    assert finder("re:x*").spans("axx") == [(1, 3)]


@given(
    st.text(st.sampled_from("aAbB1. ſK损\t"), min_size=1, max_size=3),
    st.lists(st.text(st.sampled_from("aAbB1. ſK损\t"), max_size=8), max_size=5),
)
@settings(max_examples=300, deadline=None)
def test_looking_at_many_lines_at_once_misses_none(text: str, lines: list[str]) -> None:
    wanted = finder(text)
    if wanted.in_none_of("\n".join(lines)):
        assert not any(wanted.matches(line) for line in lines)


@pytest.mark.parametrize("text", ["re:(", "re:*", "re:[a", "re:a{99999999999}"])
def test_a_pattern_that_is_none_is_one_clear_message(text: str) -> None:
    with pytest.raises(BadPatternError) as raised:
        finder(text)
    assert "\n" not in str(raised.value)
    assert str(raised.value)


LINES = 300_000


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("large") / "engine.log"
    with path.open("w") as file:
        file.writelines(
            f"\titers: {n}, epoch: {n // 1000} | loss: {1000 / (n + 1000):.7f}\n"
            if n % 1000
            else f"Epoch: {n // 1000} cost time: 12.5\n"
            for n in range(LINES)
        )
    return path


def test_searching_finds_what_there_is_in_both_directions(large: Path) -> None:
    log = caught_up(LogFile(large))
    assert log.index.lines == LINES

    async def search(text: str, line: int, *, forward: bool = True) -> int | None:
        return await find(log, finder(text), line, forward=forward)

    async def all_of_it() -> None:
        assert await search("cost time", 0) == 1000
        assert await search("cost time", 0, forward=False) == 299_000
        assert await search("iters: 250123,", 0) == 250_123
        assert await search("iters: 250123,", 299_999) == 250_123
        assert await search("iters: 250123,", 250_122, forward=False) == 250_123
        assert await search("iters: 250123,", 250_123) == 250_123
        assert await search("no such thing", 123_456) is None
        assert await search("no such thing", 123_456, forward=False) is None

    asyncio.run(all_of_it())


def test_a_filter_keeps_the_lines_that_match_and_goes_on_with_the_file(
    large: Path, tmp_path: Path
) -> None:
    path = tmp_path / "engine.log"
    path.write_bytes(large.read_bytes()[:5_000_000])
    log = caught_up(LogFile(path))
    kept, shares = LineFilter(finder("re:^Epoch")), []
    asyncio.run(kept.catch_up(log, shares.append))
    assert list(kept.lines) == list(range(0, log.index.lines, 1000))
    assert shares == sorted(shares)
    assert shares[-1] == 1.0
    assert len(shares) > 5
    with path.open("ab") as file:
        file.write(b"\nEpoch: x\nEpoch: y")
    caught_up(log)
    asyncio.run(kept.catch_up(log))
    assert log.texts(kept.lines[-1:]) == ["Epoch: x"]
    truncate(path)
    caught_up(log)
    asyncio.run(kept.catch_up(log))
    assert list(kept.lines) == []


def test_the_end_of_a_file_is_searched_in_one_piece(tmp_path: Path) -> None:
    path = tmp_path / "engine.log"
    for lines in (1, 100, 120_000):
        path.write_text("iters: 1\n" * lines + "no end")
        log = caught_up(LogFile(path))
        at, pieces = 0, 0
        while (piece := log.piece(at, forward=True)) is not None:
            assert log.read(piece)[-1] in ("iters: 1", "no end")
            at, pieces = piece.last, pieces + 1
        assert at == log.index.lines == lines + 1
        assert pieces <= 1 + path.stat().st_size // (logfile.PIECE_BYTES - BLOCK)


def test_a_search_can_be_cancelled(large: Path) -> None:
    log = caught_up(LogFile(large))
    shares: list[float] = []

    async def give_up_early() -> None:
        def told(share: float) -> None:
            shares.append(share)
            if len(shares) == 2:
                task.cancel()

        wanted = finder("no such thing")
        task = asyncio.create_task(find(log, wanted, 0, forward=True, progress=told))
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(give_up_early())
    assert shares[-1] < 0.5


def test_what_is_kept_of_a_large_file_is_small(large: Path) -> None:
    tracemalloc.start()
    log = caught_up(LogFile(large))
    for at in range(0, LINES, 1999):
        log.texts(range(at, min(LINES, at + 40)))
    kept, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert kept < 2_000_000
    assert large.stat().st_size > 6 * kept
    assert len(log._texts) <= logfile._KEPT_TEXTS + 40
