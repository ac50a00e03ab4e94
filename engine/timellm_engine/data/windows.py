"""Windows of a scaled series that is in memory once; a batch is one gather."""

import hashlib
from collections.abc import Iterable, Iterator
from itertools import chain, pairwise
from typing import TypeVar

import torch
from torch import Tensor

Item = TypeVar("Item")


class Windows:
    """Every window of every column: look-back and horizon, one column each.

    Numbered column by column, as in the published code: all windows of the first column, then all
    of the second. `series` is `[columns, rows]`.
    """

    def __init__(self, series: Tensor, seq_len: int, pred_len: int) -> None:
        self.seq_len = seq_len
        self._views = series.unfold(1, seq_len + pred_len, 1)  # a view: [columns, starts, time]

    def __len__(self) -> int:
        return self._views.shape[0] * self._views.shape[1]

    def batch(self, numbers: Tensor) -> tuple[Tensor, Tensor]:
        """The windows of these numbers: `[count, seq_len]` and `[count, pred_len]`."""
        starts = self._views.shape[1]
        both = self._views[numbers // starts, numbers % starts]
        return both[:, : self.seq_len], both[:, self.seq_len :]


def epoch_order(seed: int, epoch: int, count: int) -> Tensor:
    """In which order an epoch takes `count` windows: a permutation that only (seed, epoch) decide.

    So any step of any epoch can be computed again without the ones before it.
    """
    return torch.randperm(count, generator=generator_of(f"order of epoch {epoch} with seed {seed}"))


def generator_of(key: str) -> torch.Generator:
    """Random numbers on the CPU that depend on `key` alone."""
    digest = hashlib.sha256(key.encode()).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest[:8], "little") >> 1)


def in_batches(numbers: Tensor, size: int, first: int = 0) -> Iterator[Tensor]:
    """`numbers` in pieces of `size`, the last one smaller; begins with piece number `first`."""
    for begin in range(first * size, len(numbers), size):
        yield numbers[begin : begin + size]


def with_next(items: Iterable[Item]) -> Iterator[tuple[Item, Item | None]]:
    """Each item with the one that follows it; the last one with nothing."""
    return pairwise(chain(items, [None]))  # type: ignore[list-item]
