"""Errors over all windows: the same whatever the batches, and interruptible between them."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from timellm_engine.data.windows import Windows
from timellm_engine.training.evaluate import evaluate


class LastValue(nn.Module):
    """Forecasts that nothing changes any more; in training it would forecast nonsense."""

    def __init__(self) -> None:
        super().__init__()
        self.made = 0

    def text_prototypes(self) -> Tensor:
        self.made += 1
        return torch.zeros(1)

    def forward(self, x: Tensor, prototypes: Tensor | None = None) -> Tensor:
        assert prototypes is not None
        return x[:, -1:].expand(-1, 3) + (1e3 if self.training else 0.0)


@given(rows=st.integers(8, 60), columns=st.integers(1, 3), batch_size=st.integers(1, 200))
def test_every_value_of_every_window_counts_the_same(
    rows: int, columns: int, batch_size: int
) -> None:
    series = torch.randn(columns, rows, generator=torch.Generator().manual_seed(rows))
    windows = Windows(series, 5, 3)
    errors = evaluate(LastValue().train(), windows, batch_size)
    x, y = windows.batch(torch.arange(len(windows)))
    difference = (x[:, -1:] - y).double()
    assert errors.mse == pytest.approx(difference.square().mean().item(), rel=1e-12)
    assert errors.mae == pytest.approx(difference.abs().mean().item(), rel=1e-12)


def test_between_two_batches_it_tells_how_far_it_is() -> None:
    told: list[int] = []
    windows = Windows(torch.randn(1, 17), 5, 3)
    evaluate(LastValue(), windows, 4, told.append)
    assert told == [0, 4, 8, 10]


def test_it_can_be_ended_between_two_batches() -> None:
    def end(done: int) -> None:
        if done >= 4:
            raise InterruptedError

    with pytest.raises(InterruptedError):
        evaluate(LastValue(), Windows(torch.randn(1, 17), 5, 3), 4, end)
    assert not torch.is_inference_mode_enabled()


def test_prototypes_are_made_once_for_all_windows() -> None:
    model = LastValue()
    evaluate(model, Windows(torch.randn(2, 40), 5, 3), 4)
    assert model.made == 1
