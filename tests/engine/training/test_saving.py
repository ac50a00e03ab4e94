"""What is saved when, what a disk has refused, and what is never saved."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from engine_clock import FakeClock

from timellm_engine.checkpoints.checkpoint import CheckpointError, Contents, Found, Saved
from timellm_engine.checkpoints.snapshot import Position
from timellm_engine.emit import Emitter
from timellm_engine.errors import TrainingError
from timellm_engine.training.evaluate import Errors
from timellm_engine.training.saving import Saver
from timellm_ops.contract.bundle import Exported
from timellm_ops.contract.config import CheckpointSection

STEPS = 10


class Disk:
    """Keeps what it is given, unless it is full."""

    def __init__(self) -> None:
        self.full = False
        self.kept: dict[str, list[float]] = {}

    def save(self, name: str, contents: Contents) -> Saved:
        if self.full:
            raise CheckpointError("no room")
        self.kept[name] = contents.tensors["weights"]["w"].tolist()
        return Saved(path=Path(name), bytes=1, sha256="0")

    def load(self, name: str) -> Found:
        return Found(contents=None)

    def steps(self) -> list[int]:
        return []

    def keep(self, count: int) -> None:
        pass


class Bench:
    """A saver over a model of two weights, which training changes in their place."""

    def __init__(self, root: Path) -> None:
        self.disk, self.weights = Disk(), torch.tensor([1.0, 2.0])
        self.log = os.open(os.devnull, os.O_WRONLY)
        self.clock = FakeClock()
        self.emitter = Emitter.open(root / "events", self.clock, self.log)
        self.saver = Saver(
            self.disk, self.emitter, self.clock, CheckpointSection(), STEPS,
            take_best=self.contents, take_last=self.contents, make_bundle=self.no_bundle,
        )  # fmt: skip

    def contents(self, position: Position) -> Contents:
        tensors = {"weights": {"w": self.weights}}
        at = (position.epoch, position.iteration)
        return Contents(epoch=at[0], iteration=at[1], tensors=tensors, state=b"{}")

    def no_bundle(self, epoch: int, test: Errors | None) -> Exported:
        raise NotImplementedError

    def close(self) -> None:
        self.emitter.close()
        os.close(self.log)


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    made = Bench(tmp_path)
    yield made
    made.close()


AT_BEST = Position(epoch=1, iteration=STEPS, best_epoch=1, best_vali_mse=0.5)
LATER = Position(epoch=2, iteration=3, best_epoch=1, best_vali_mse=0.5)


def test_the_best_that_a_full_disk_refused_is_written_as_it_was_once_there_is_room(
    bench: Bench,
) -> None:
    bench.disk.full = True
    assert not bench.saver.best(AT_BEST, None)
    bench.weights += 5.0  # no later epoch is better, so no other best will come
    assert not bench.saver.last(LATER)
    assert bench.disk.kept == {}
    bench.disk.full = False
    bench.weights += 5.0
    assert bench.saver.last(LATER)
    assert bench.disk.kept == {"best": [1.0, 2.0], "last": [11.0, 12.0]}
    assert bench.saver.unsaved_best is None


def test_a_better_one_takes_the_place_of_a_best_that_was_refused(bench: Bench) -> None:
    bench.disk.full = True
    bench.saver.best(AT_BEST, None)
    bench.disk.full = False
    bench.weights += 5.0
    assert bench.saver.best(LATER, 0.5)
    assert bench.saver.last(LATER)
    assert bench.disk.kept["best"] == [6.0, 7.0]


def test_a_stop_fails_where_the_best_is_still_not_on_disk(bench: Bench) -> None:
    class BestRefused(Disk):
        def save(self, name: str, contents: Contents) -> Saved:
            self.full = name == "best"
            return super().save(name, contents)

    bench.saver._storage = BestRefused()
    bench.saver.best(AT_BEST, None)
    with pytest.raises(TrainingError, match="the best weights, of epoch 1, could not be written"):
        bench.saver.last_or_fail(LATER)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_weights_that_are_no_numbers_are_never_saved(bench: Bench, value: float) -> None:
    assert bench.saver.best(AT_BEST, None)
    assert bench.saver.last(AT_BEST)
    bench.weights[1] = value
    for save in (lambda: bench.saver.best(LATER, 0.5), lambda: bench.saver.last(LATER)):
        with pytest.raises(TrainingError, match="no longer finite in epoch 2, step 3"):
            save()
    assert bench.disk.kept == {"best": [1.0, 2.0], "last": [1.0, 2.0]}
