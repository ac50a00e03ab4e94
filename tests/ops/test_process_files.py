"""Files that are the old or the new whole, whoever is killed and whatever is full."""

import json
import os
import stat
import threading
from pathlib import Path

import pytest
from msgspec import Struct
from small_disk import fill, small_disk
from waiting import python, until

from timellm_ops.process.files import (
    read_json,
    replace_file,
    replace_small_json,
    sync_folder,
    write_all,
)


class Small(Struct):
    number: int


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("durable", [True, False])
def test_a_file_is_made_and_replaced(tmp_path: Path, durable: bool) -> None:
    path = tmp_path / "x.json"
    for content in (b"one", b"", b"three" * 100_000):
        replace_file(path, content, durable=durable)
        assert path.read_bytes() == content
        assert names(tmp_path) == ["x.json"]


def test_a_new_file_has_the_rights_that_the_user_gives_new_files(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        replace_file(tmp_path / "x", b"")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "x").stat().st_mode) == 0o640


REPLACER = """
import sys
from pathlib import Path
from timellm_ops.process.files import replace_file
number = 0
while True:
    number += 1
    replace_file(Path(sys.argv[1]), (b"%d " % number) * 20_000, durable=number % 2)
"""


def test_a_reader_never_sees_half_a_file_though_writers_are_killed(tmp_path: Path) -> None:
    path = tmp_path / "x"
    for _ in range(4):
        with python(REPLACER, path):
            seen: set[bytes] = set()

            def look(seen: set[bytes] = seen) -> bool:
                if path.exists():
                    words = path.read_bytes().split()
                    assert len(words) == 20_000
                    assert len(set(words)) == 1
                    seen.add(words[0])
                return len(seen) > 20

            until(look, "twenty versions")
    words = path.read_bytes().split()
    assert len(words) == 20_000
    assert len(set(words)) == 1


def test_writers_at_once_leave_one_whole_file(tmp_path: Path) -> None:
    path = tmp_path / "x"

    def write(mark: int) -> None:
        for _ in range(30):
            replace_file(path, bytes([mark]) * 50_000)

    writers = [threading.Thread(target=write, args=(mark,)) for mark in range(1, 5)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert len(set(path.read_bytes())) == 1
    assert names(tmp_path) == ["x"]


def test_on_a_full_disk_the_old_file_stands_and_nothing_lies_beside_it(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk") as disk:
        path = disk / "x"
        replace_file(path, b"old")
        filler = fill(disk)
        with pytest.raises(OSError, match="No space left"):
            replace_file(path, b"new" * 5000)
        assert path.read_bytes() == b"old"
        assert names(disk) == ["filler", "x"]
        os.truncate(filler, filler.stat().st_size - 8192)
        with pytest.raises(OSError, match="No space left"):
            replace_file(path, b"new" * 5000)  # the first part of it finds room
        assert path.read_bytes() == b"old"
        assert names(disk) == ["filler", "x"]
        filler.unlink()
        replace_file(path, b"new")
        assert path.read_bytes() == b"new"


def test_a_small_file_is_written_over_in_its_place_where_there_is_no_room(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk") as disk:
        path = disk / "x"
        replace_small_json(path, b'{"number":1}')
        before = path.stat()
        assert replace_small_json(path, b'{"number":2}')
        assert path.stat().st_ino != before.st_ino, "while there is room it is replaced"
        fill(disk)
        before = path.stat()
        assert not replace_small_json(path, b'{"number":3}')
        assert read_json(path, Small) == Small(number=3)
        after = path.stat()
        assert (after.st_ino, after.st_size) == (before.st_ino, before.st_size)
        assert after.st_mtime_ns > before.st_mtime_ns, "a reader sees by it that there is news"
        assert names(disk) == ["filler", "x"]
        with pytest.raises(OSError, match="No space left"):
            replace_small_json(disk / "another", b"{}")
        with pytest.raises(OSError, match="No space left"):
            replace_small_json(path, b'{"number":4}'.ljust(8192))
        assert read_json(path, Small) == Small(number=3)


def test_where_there_is_no_folder_or_a_folder_is_in_the_way(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        replace_file(tmp_path / "none" / "x", b"")
    (tmp_path / "x").mkdir()
    with pytest.raises(IsADirectoryError):
        replace_file(tmp_path / "x", b"")
    assert names(tmp_path) == ["x"]
    with pytest.raises(FileNotFoundError):
        sync_folder(tmp_path / "none")


def test_every_byte_is_written_however_little_goes_through_at_once() -> None:
    content = os.urandom(1 << 20)
    out, into = os.pipe()
    read = bytearray()

    def drain() -> None:
        while portion := os.read(out, 1000):
            read.extend(portion)

    reader = threading.Thread(target=drain)
    reader.start()
    write_all(into, content)
    os.close(into)
    reader.join()
    os.close(out)
    assert bytes(read) == content


def test_json_is_read_where_it_is_what_it_should_be(tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    assert read_json(path, Small) is None
    path.write_text(json.dumps({"number": 7, "later": "more"}))
    assert read_json(path, Small) == Small(7)


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"null", b"[]", b"{}", b'{"number":"7"}', b"\xff", b'{"number":7,"x":"\xff',
     b"[" * 100_000, b'{"x":' * 100_000, b'{"number":7} {"number":8}'],
    ids=lambda content: repr(content[:16]),
)  # fmt: skip
def test_anything_else_is_nothing(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "x.json"
    path.write_bytes(content)
    assert read_json(path, Small) is None
    assert read_json(tmp_path, Small) is None
