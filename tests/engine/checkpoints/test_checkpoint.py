"""Checkpoints: whole or not there, and one to go back to whatever happened to the newest."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from itertools import count
from pathlib import Path

import pytest
import torch
from full_disk import files_end_at
from small_disk import fill, small_disk

from timellm_engine.checkpoints.checkpoint import (
    CheckpointError,
    Contents,
    FolderStorage,
    Found,
)
from timellm_ops.contract.checkpoint_names import step_name


def contents(number: int, size: int = 50) -> Contents:
    return Contents(
        epoch=number,
        iteration=number * 10,
        tensors={
            "weights": {"a": torch.full((size,), float(number)), "b": torch.arange(3)},
            "optimiser": {"step/a": torch.tensor(float(number))},
            "random": {"cpu": torch.arange(9, dtype=torch.uint8)},
        },
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


@pytest.mark.parametrize(
    "file",
    [
        "weights.safetensors", "optimiser.safetensors", "random.safetensors", "state.json",
        "manifest.json",
    ],
)  # fmt: skip
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
    # It is there, and is what the manifest says.
    shutil.copy(path.with_name("state.json"), tmp_path / "state.json")
    found = storage.load("last")
    assert found.contents is None
    assert "names a file outside of its folder" in found.problems[0]


@pytest.mark.parametrize("room", [0, 100, 350])
def test_a_full_disk_leaves_the_one_before_and_nothing_half_written(
    storage: FolderStorage, tmp_path: Path, room: int
) -> None:
    storage.save("last", contents(1))
    with files_end_at(room), pytest.raises(CheckpointError) as caught:
        storage.save("last", contents(2))
    assert "\n" not in str(caught.value)
    assert "arge" in str(caught.value), caught.value  # the system's words: file too large
    assert "ulimit -f" in str(caught.value)
    assert names(tmp_path) == {"last"}
    assert number_of(storage.load("last")) == 1
    storage.save("last", contents(3))
    assert number_of(storage.load("last")) == 3


def test_a_full_file_system_says_how_much_to_free_and_where(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", kib=2048) as disk:
        storage = FolderStorage(disk / "checkpoints")
        storage.save("last", contents(1))
        filler = fill(disk)
        for number in (2, 3):
            with pytest.raises(CheckpointError, match=r"No space left .*: free 2.00 MiB in .*disk"):
                storage.save("last", contents(number, size=300_000))
        assert [path.name for path in (disk / "checkpoints").iterdir()] == ["last"]
        assert number_of(storage.load("last")) == 1
        filler.unlink()
        storage.save("last", contents(4))
        assert number_of(storage.load("last")) == 4


def test_a_folder_that_cannot_be_written_keeps_what_is_in_it(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", kib=2048) as disk:
        storage = FolderStorage(disk / "checkpoints")
        storage.save("last", contents(1))
        subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
        with pytest.raises(CheckpointError, match=r"make .*checkpoints writable"):
            storage.save("last", contents(2))
        assert number_of(storage.load("last")) == 1


def test_a_place_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "checkpoints").write_text("in the way")
    with pytest.raises(CheckpointError, match=r"checkpoints must be a folder"):
        FolderStorage(tmp_path / "checkpoints").save("best", contents(1))


def test_of_the_steps_the_newest_are_kept(storage: FolderStorage, tmp_path: Path) -> None:
    for number in (1, 9, 10, 11):
        storage.save(step_name(number), contents(number))
        storage.keep(2)
    assert storage.steps() == [10, 11]
    assert names(tmp_path) == {"step-10", "step-11"}
    assert number_of(storage.load("step-10")) == 10
    storage.save("step-11", contents(11))  # a run that went on from an older one comes here again
    assert names(tmp_path) == {"step-10", "step-11"}
    storage.keep(0)
    assert storage.steps() == []


def test_a_step_that_cannot_be_written_costs_none_of_the_others(
    storage: FolderStorage, tmp_path: Path
) -> None:
    storage.save("step-5", contents(5))
    with files_end_at(100), pytest.raises(CheckpointError):
        storage.save("step-10", contents(10))
    assert names(tmp_path) == {"step-5"}


@pytest.mark.parametrize("name", ["step-", "step-x", "step--1", "../best", "first", ""])
def test_what_is_no_name_of_a_checkpoint_is_refused(storage: FolderStorage, name: str) -> None:
    with pytest.raises(ValueError, match="no checkpoint's name"):
        storage.save(name, contents(1))


def test_a_folder_with_another_name_is_no_step(storage: FolderStorage, tmp_path: Path) -> None:
    storage.save("step-5", contents(5))
    (tmp_path / "checkpoints" / "step-mine").mkdir()
    (tmp_path / "checkpoints" / "step-7").write_text("a file")
    storage.keep(1)
    assert storage.steps() == [5]


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


def killed_at(number: int, work: Callable[[], object]) -> bool:
    """Do `work` in a copy of this process that kills itself at its n-th touch of the file system;
    whether it came to that."""
    child = os.fork()
    if child == 0:
        touches = count(1)

        def touch(event: str, _arguments: tuple[object, ...]) -> None:
            counts = event == "open" or event.startswith(("os.", "shutil."))
            if counts and next(touches) == number:
                os.kill(os.getpid(), signal.SIGKILL)

        sys.addaudithook(touch)
        try:
            work()
        finally:
            os._exit(0)
    _, status = os.waitpid(child, 0)
    return os.WIFSIGNALED(status)


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_killed_at_any_touch_of_the_disk_the_new_one_or_the_one_before_is_whole(
    tmp_path: Path,
) -> None:
    for number in count(1):
        folder = tmp_path / str(number)
        storage = FolderStorage(folder)
        for before in (1, 2):
            storage.save("last", contents(before))
        killed = killed_at(number, lambda: storage.save("last", contents(3)))  # noqa: B023
        storage.clean()
        found = storage.load("last")
        assert found.problems == (), number
        assert number_of(found) in ((2, 3) if killed else (3,)), number
        assert {path.name for path in folder.iterdir()} <= {"last", ".previous-last"}
        storage.save("last", contents(4))
        assert number_of(storage.load("last")) == 4
        if not killed:
            break
    assert number > 12  # it was killed at every instant, not at none


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_killed_at_any_touch_of_the_disk_no_kept_step_is_half_there(tmp_path: Path) -> None:
    for number in count(1):
        folder = tmp_path / str(number)
        storage = FolderStorage(folder)
        for step in (10, 20):
            storage.save(step_name(step), contents(step))

        def work() -> None:
            storage.save("step-20", contents(20))  # noqa: B023
            storage.save("step-30", contents(30))  # noqa: B023
            storage.keep(2)  # noqa: B023

        killed = killed_at(number, work)
        storage.clean()
        kept = storage.steps()
        assert kept in ([10, 20], [10, 20, 30], [20, 30]), number
        assert [number_of(storage.load(step_name(step))) for step in kept] == kept
        assert {path.name for path in folder.iterdir()} == {step_name(step) for step in kept}
        if not killed:
            break
    assert kept == [20, 30]
    assert number > 24


_SAVER = """
import sys
from pathlib import Path
sys.path[:0] = {here!r}
from test_checkpoint import contents
from timellm_engine.checkpoints.checkpoint import FolderStorage
storage = FolderStorage(Path(sys.argv[1]))
for number in range(1, 100000):
    storage.save("last", contents(number, size=20000))
    print(number, flush=True)
"""


@pytest.mark.slow
@pytest.mark.parametrize("after", [1, 7, 30])
def test_killed_at_any_instant_a_whole_one_is_left(tmp_path: Path, after: int) -> None:
    script = _SAVER.format(here=[str(folder) for folder in Path(__file__).parents[:3]])
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
