"""Result files: the old one or the new one, and nothing beside it."""

import os
import time
from pathlib import Path

import pytest

from timellm_engine.aside import written_aside
from timellm_engine.errors import PreflightError


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_file_is_in_place_once_it_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "deeper" / "x.csv"
    with written_aside(path) as aside:
        aside.write_text("new")
        assert not path.exists()
    assert path.read_text() == "new"
    assert names(path.parent) == ["x.csv"]


@pytest.mark.parametrize("error", [ValueError("mine"), KeyboardInterrupt()])
def test_what_breaks_off_leaves_the_old_file_and_nothing_else(
    tmp_path: Path, error: BaseException
) -> None:
    path = tmp_path / "x.csv"
    path.write_text("old")

    def write() -> None:
        with written_aside(path) as aside:
            aside.write_text("half")
            raise error

    with pytest.raises(type(error)):
        write()
    assert path.read_text() == "old"
    assert names(tmp_path) == ["x.csv"]


def test_a_full_disk_is_one_line_that_names_the_file_and_leaves_the_old_one(
    tmp_path: Path,
) -> None:
    path = tmp_path / "x.csv"
    path.write_text("old")

    def write() -> None:
        with written_aside(path) as aside:
            aside.write_text("half")
            raise OSError(28, os.strerror(28), str(aside))

    with pytest.raises(PreflightError, match="No space left") as raised:
        write()
    assert str(raised.value).startswith(f"{path}: ")
    assert "\n" not in str(raised.value)
    assert path.read_text() == "old"
    assert names(tmp_path) == ["x.csv"]


def test_a_file_in_the_place_of_a_folder_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    def write() -> None:
        with written_aside(tmp_path / "file" / "x.csv") as aside:
            aside.write_text("new")

    with pytest.raises(PreflightError, match="cannot be written"):
        write()


def test_what_killed_writers_left_is_swept_and_other_writers_are_not(tmp_path: Path) -> None:
    long_ago = time.time() - 7200
    for name, old in ((".tmp-x.csv-00", True), (".tmp-x.csv-01", False), (".tmp-y.csv-00", True)):
        (tmp_path / name).write_text("")
        if old:
            os.utime(tmp_path / name, (long_ago, long_ago))
    with written_aside(tmp_path / "x.csv") as aside:
        aside.write_text("new")
    assert names(tmp_path) == [".tmp-x.csv-01", ".tmp-y.csv-00", "x.csv"]
