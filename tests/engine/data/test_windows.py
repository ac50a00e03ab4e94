"""Windows: each a piece of its column, in an order that only seed and epoch decide."""

from collections.abc import Iterator

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from timellm_engine.data.windows import Windows, epoch_order, in_batches, with_next

COLUMNS, ROWS = 3, 40


@given(
    seq_len=st.integers(1, 12),
    pred_len=st.integers(1, 12),
    numbers=st.lists(st.integers(0, 10_000), min_size=1, max_size=20),
)
def test_a_window_is_a_piece_of_one_column(seq_len: int, pred_len: int, numbers: list[int]) -> None:
    series = torch.randn(COLUMNS, ROWS)
    windows = Windows(series, seq_len, pred_len)
    starts = ROWS - seq_len - pred_len + 1
    assert len(windows) == COLUMNS * starts
    numbers = [number % len(windows) for number in numbers]
    x, y = windows.batch(torch.tensor(numbers))
    for row, number in enumerate(numbers):
        column, start = divmod(number, starts)
        assert torch.equal(x[row], series[column, start : start + seq_len])
        assert torch.equal(y[row], series[column, start + seq_len : start + seq_len + pred_len])


def test_windows_take_no_memory_of_their_own() -> None:
    series = torch.randn(2, 1000)
    views = Windows(series, 500, 100)._views
    assert views.untyped_storage().data_ptr() == series.untyped_storage().data_ptr()


@given(seed=st.integers(0, 2**31 - 1), epoch=st.integers(1, 1000), count=st.integers(1, 300))
def test_an_epochs_order_is_a_permutation_that_can_be_made_again(
    seed: int, epoch: int, count: int
) -> None:
    state = torch.get_rng_state()
    order = epoch_order(seed, epoch, count)
    assert sorted(order.tolist()) == list(range(count))
    assert torch.equal(order, epoch_order(seed, epoch, count))
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize(("seed", "epoch"), [(2021, 2), (2022, 1)])
def test_another_epoch_and_another_seed_are_another_order(seed: int, epoch: int) -> None:
    assert not torch.equal(epoch_order(2021, 1, 1000), epoch_order(seed, epoch, 1000))


@given(count=st.integers(1, 100), size=st.integers(1, 30), data=st.data())
def test_batches_are_everything_once_and_can_begin_anywhere(
    count: int, size: int, data: st.DataObject
) -> None:
    numbers = torch.arange(count)
    batches = list(in_batches(numbers, size))
    assert torch.equal(torch.cat(batches), numbers)
    assert all(len(batch) == size for batch in batches[:-1])
    first = data.draw(st.integers(0, len(batches)))
    rest = list(in_batches(numbers, size, first=first))
    assert [batch.tolist() for batch in rest] == [batch.tolist() for batch in batches[first:]]


@given(st.lists(st.integers()))
def test_each_item_comes_with_the_one_that_follows_it(items: list[int]) -> None:
    assert list(with_next(items)) == list(zip(items, [*items[1:], None], strict=False))


def test_no_more_than_the_next_item_is_made() -> None:
    made: list[int] = []

    def make() -> Iterator[int]:
        for number in range(5):
            made.append(number)
            yield number

    pairs = with_next(make())
    assert next(pairs) == (0, 1)
    assert made == [0, 1]
