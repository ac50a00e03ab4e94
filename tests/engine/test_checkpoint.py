"""Checkpoints: whole or not there, and one to go back to whatever happened to the newest."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from full_disk import files_end_at

from timellm_engine.checkpoint import CheckpointError, Contents, FolderStorage, Found


def contents(number: int, size: int = 50) -> Contents:
    return Contents(
        epoch=number,
        iteration=number * 10,
        tensors={"weights": {"a": torch.full((size,), float(number)), "b": torch.arange(3)}},
        state=b'{"number": %d}' % number,
        digests={"data": "d" * 64},
    )


def number_of(found: Found) -> int | None:
    """Which one was found, every part of it being of that one."""
    if found.contents is None:
        return None
    number = found.contents.epoch
    expected = contents(number)
    tensors = found.contents.tensors["weights"]
    assert bool((tensors["a"] == number).all())
    assert torch.equal(tensors["b"], torch.arange(3))
    assert (found.contents.state, found.contents.digests) == (expected.state, expected.digests)
    assert found.contents.iteration == number * 10
    return number


@pytest.fixture
def storage(tmp_path: Path) -> FolderStorage:
    return FolderStorage(tmp_path / "checkpoints")


def names(tmp_path: Path) -> set[str]:
    return {path.name for path in (tmp_path / "checkpoints").iterdir()}


def test_what_was_saved_is_found_again(storage: FolderStorage, tmp_path: Path) -> None:
    saved = storage.save("best", contents(1))
    assert saved.path == tmp_path / "checkpoints" / "best"
    assert saved.bytes == sum(file.stat().st_size for file in saved.path.iterdir())
    assert number_of(storage.load("best")) == 1
    assert number_of(storage.load("last")) is None


def test_the_newest_is_found_and_the_one_before_is_kept(
    storage: FolderStorage, tmp_path: Path
) -> None:
    for number in (1, 2, 3):
        storage.save("last", contents(number))
    assert number_of(storage.load("last")) == 3
    assert names(tmp_path) == {"last", ".previous-last"}


@pytest.mark.parametrize("file", ["weights.safetensors", "state.json", "manifest.json"])
@pytest.mark.parametrize("harm", ["altered", "cut", "gone"])
def test_a_damaged_one_is_set_aside_and_the_one_before_is_used(
    storage: FolderStorage, tmp_path: Path, file: str, harm: str
) -> None:
    storage.save("last", contents(1))
    storage.save("last", contents(2))
    path = tmp_path / "checkpoints" / "last" / file
    whole = path.read_bytes()
    match harm:
        case "altered":
            path.write_bytes(whole[:-9] + bytes([whole[-9] ^ 1]) + whole[-8:])
        case "cut":
            path.write_bytes(whole[: len(whole) // 2])
        case _:
            path.unlink()
    if (file, harm) == ("manifest.json", "altered"):
        path.write_bytes(whole.replace(b'"sha256": "', b'"sha256": "0'))
    found = storage.load("last")
    assert number_of(found) == 1
    (problem,) = found.problems
    assert "damaged" in problem
    assert "\n" not in problem
    assert len([name for name in names(tmp_path) if name.startswith("broken-last-")]) == 1
    assert number_of(storage.load("last")) == 1
    storage.save("last", contents(3))
    assert number_of(storage.load("last")) == 3


def test_two_damaged_ones_leave_none(storage: FolderStorage, tmp_path: Path) -> None:
    storage.save("last", contents(1))
    storage.save("last", contents(2))
    for folder in ("last", ".previous-last"):
        (tmp_path / "checkpoints" / folder / "manifest.json").write_bytes(b"{")
    found = storage.load("last")
    assert (found.contents, len(found.problems)) == (None, 2)


def test_a_manifest_cannot_name_files_elsewhere(storage: FolderStorage, tmp_path: Path) -> None:
    storage.save("last", contents(1))
    path = tmp_path / "checkpoints" / "last" / "manifest.json"
    path.write_bytes(path.read_bytes().replace(b'"state.json"', b'"../../state.json"'))
    assert storage.load("last").contents is None


@pytest.mark.parametrize("room", [0, 100, 400])
def test_a_full_disk_leaves_the_one_before_and_nothing_half_written(
    storage: FolderStorage, tmp_path: Path, room: int
) -> None:
    storage.save("last", contents(1))
    with files_end_at(room), pytest.raises(CheckpointError) as caught:
        storage.save("last", contents(2))
    assert "\n" not in str(caught.value)
    assert "arge" in str(caught.value), caught.value  # the system's words: file too large
    assert names(tmp_path) == {"last"}
    assert number_of(storage.load("last")) == 1
    storage.save("last", contents(3))
    assert number_of(storage.load("last")) == 3


def test_a_place_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "checkpoints").write_text("in the way")
    with pytest.raises(CheckpointError, match="checkpoints"):
        FolderStorage(tmp_path / "checkpoints").save("best", contents(1))


def test_killed_between_the_two_renames_the_one_before_is_the_newest(
    storage: FolderStorage, tmp_path: Path
) -> None:
    storage.save("last", contents(1))
    folder = tmp_path / "checkpoints"
    (folder / "last").rename(folder / ".previous-last")
    (folder / ".tmp-last-0000").mkdir()
    assert number_of(FolderStorage(folder).load("last")) == 1
    assert names(tmp_path) == {"last", ".tmp-last-0000"}
    storage.clean()
    assert names(tmp_path) == {"last"}


def test_killed_there_and_never_loaded_the_next_save_keeps_it_until_the_end(
    storage: FolderStorage, tmp_path: Path
) -> None:
    storage.save("last", contents(1))
    folder = tmp_path / "checkpoints"
    (folder / "last").rename(folder / ".previous-last")
    with files_end_at(100), pytest.raises(CheckpointError):
        storage.save("last", contents(2))
    assert number_of(storage.load("last")) == 1


_SAVER = """
import sys
from pathlib import Path
sys.path.insert(0, {here!r})
from test_checkpoint import contents
from timellm_engine.checkpoint import FolderStorage
storage = FolderStorage(Path(sys.argv[1]))
for number in range(1, 100000):
    storage.save("last", contents(number, size=20000))
    print(number, flush=True)
"""


@pytest.mark.slow
@pytest.mark.parametrize("after", [1, 7, 30])
def test_killed_at_any_instant_a_whole_one_is_left(tmp_path: Path, after: int) -> None:
    script = _SAVER.format(here=str(Path(__file__).parent))
    folder = tmp_path / "checkpoints"
    with subprocess.Popen(
        [sys.executable, "-c", script, str(folder)], stdout=subprocess.PIPE
    ) as child:
        assert child.stdout is not None
        seen = 0
        while seen < after:
            seen = int(child.stdout.readline())
        child.kill()
        rest = child.stdout.read().split()
    told = max([seen, *map(int, rest)])
    found = FolderStorage(folder).load("last")
    assert found.problems == ()
    assert found.contents is not None
    assert found.contents.epoch in (told, told + 1)
    assert bool((found.contents.tensors["weights"]["a"] == found.contents.epoch).all())
    shutil.rmtree(folder)
