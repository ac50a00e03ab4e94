"""Files that a person names: written whole, or refused in one line with nothing changed."""

import os
from pathlib import Path

import pytest
from small_disk import fill, small_disk

from timellm_ops.cli.errors import OutputRefused, UsageError
from timellm_ops.cli.output_file import write_output


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working folder, with things in it that are no place for a file."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a-folder").mkdir()
    (tmp_path / "a-file").write_text("mine")
    (tmp_path / "a-loop").symlink_to("a-loop")
    os.mkfifo(tmp_path / "a-pipe")
    return tmp_path.resolve()


def write(name: str) -> Path:
    return write_output("--html", Path(name), b"new", "report.html")


@pytest.mark.parametrize("name", ["x.html", "made/for/it/x.html", "a-file"])
def test_it_is_written_in_a_folder_that_is_made_if_need_be(here: Path, name: str) -> None:
    assert write(name) == here / name
    assert (here / name).read_bytes() == b"new"


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("a-folder", " (Is a directory)"),
        (".", " (Is a directory)"),
        ("a-file/x.html", " (Not a directory)"),
        ("a-file/x/y.html", " (Not a directory)"),
        ("x" * 300, " (File name too long)"),
        ("a-loop/x.html", " (Not a directory)"),
        ("a-pipe", ", which is not a file"),
        ("/dev/null", ", which is not a file"),
    ],
)
def test_a_place_that_no_file_can_have_is_bad_input(here: Path, name: str, reason: str) -> None:
    before = {path.name: path.lstat() for path in here.iterdir()}
    with pytest.raises(UsageError) as refused:
        write(name)
    expected = "; expected a file such as report.html"
    assert str(refused.value) == f"--html: found {name}{reason}{expected}"
    assert {path.name: path.lstat() for path in here.iterdir()} == before


def test_a_full_disk_leaves_what_was_there(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk") as disk:
        page = disk / "x.html"
        page.write_text("old")
        fill(disk)
        with pytest.raises(OutputRefused) as refused:
            write(str(page))
        said = f"--html: {page} cannot be written (No space left on device)"
        assert str(refused.value) == said
        assert page.read_text() == "old"
        assert sorted(path.name for path in disk.iterdir()) == ["filler", "x.html"]


def test_a_disk_that_is_read_only_is_named(tmp_path: Path) -> None:
    said = pytest.raises(OutputRefused, match=r"y.html cannot be written \(Read-only file sys")
    with small_disk(tmp_path / "disk", read_only=True) as disk, said:
        write(str(disk / "x" / "y.html"))
