"""A run's weights, read while the run may be going on: whole ones, or one line that says why."""

import shutil
import threading
from pathlib import Path

import pytest
import torch
from torch import Tensor

from timellm_engine.checkpoints.checkpoint import Contents, FolderStorage
from timellm_engine.errors import InputError
from timellm_engine.results.trained import checkpoint_names, read_checkpoint


def contents(epoch: int) -> Contents:
    weights: dict[str, Tensor] = {"w": torch.full((64, 64), float(epoch))}
    return Contents(epoch=epoch, iteration=1, tensors={"weights": weights}, state=b"{}")


def files(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_a_checkpoint_is_read_and_nothing_is_changed(tmp_path: Path) -> None:
    storage = FolderStorage(tmp_path)
    for epoch in (1, 2):
        storage.save("best", contents(epoch))
    before = files(tmp_path)
    assert read_checkpoint(tmp_path, "best").epoch == 2
    assert files(tmp_path) == before


def test_a_checkpoint_that_is_replaced_all_the_time_is_read_whole(tmp_path: Path) -> None:
    storage, over = FolderStorage(tmp_path), threading.Event()
    storage.save("best", contents(1))

    def write() -> None:
        epoch = 1
        while not over.is_set():
            epoch += 1
            storage.save("best", contents(epoch))

    writer = threading.Thread(target=write)
    writer.start()
    try:
        for _ in range(20):
            found = read_checkpoint(tmp_path, "best")
            assert torch.equal(
                found.tensors["weights"]["w"], torch.full((64, 64), float(found.epoch))
            )
    finally:
        over.set()
        writer.join()


def test_where_a_writer_was_killed_between_its_renames_the_one_before_is_read(
    tmp_path: Path,
) -> None:
    FolderStorage(tmp_path).save("best", contents(3))
    (tmp_path / "best").rename(tmp_path / ".previous-best")
    assert read_checkpoint(tmp_path, "best").epoch == 3
    assert (tmp_path / ".previous-best").is_dir()


@pytest.mark.parametrize("damage", ["altered", "torn", "missing", "no manifest"])
def test_a_damaged_checkpoint_is_refused_by_its_path_and_stays_where_it_is(
    tmp_path: Path, damage: str
) -> None:
    storage = FolderStorage(tmp_path)
    storage.save("best", contents(1))
    storage.save("last", contents(1))
    path = tmp_path / "best" / "weights.safetensors"
    whole = path.read_bytes()
    match damage:
        case "altered":
            path.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
        case "torn":
            path.write_bytes(whole[:100])
        case "missing":
            path.unlink()
        case _:
            (tmp_path / "best" / "manifest.json").unlink()
    before = files(tmp_path)
    with pytest.raises(InputError) as raised:
        read_checkpoint(tmp_path, "best")
    assert str(tmp_path / "best") in str(raised.value)
    assert "damaged" in raised.value.found
    assert raised.value.expected == "one of last"
    assert files(tmp_path) == before


def test_a_checkpoint_that_is_not_there_names_those_that_are(tmp_path: Path) -> None:
    storage = FolderStorage(tmp_path)
    storage.save("last", contents(1))
    shutil.copytree(tmp_path / "last", tmp_path / "step-40")
    (tmp_path / ".tmp-best-0123").mkdir()
    (tmp_path / "broken-best-0123").mkdir()
    assert checkpoint_names(tmp_path) == ["last", "step-40"]
    with pytest.raises(InputError, match="no checkpoint; expected one of last, step-40"):
        read_checkpoint(tmp_path, "best")


@pytest.mark.parametrize("name", ["", "..", "../best", ".previous-best", "a/b"])
def test_a_name_that_leads_elsewhere_is_none(tmp_path: Path, name: str) -> None:
    FolderStorage(tmp_path / "checkpoints").save("best", contents(1))
    with pytest.raises(InputError, match="expected one of best"):
        read_checkpoint(tmp_path / "checkpoints", name)


def test_without_any_checkpoint_it_says_what_is_missing(tmp_path: Path) -> None:
    assert checkpoint_names(tmp_path / "none") == []
    with pytest.raises(InputError, match="a run that has saved its weights once"):
        read_checkpoint(tmp_path / "none", "best")
