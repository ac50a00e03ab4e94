"""Learning rates: torch's own one-cycle, a cosine that ends at its floor, halves by epoch."""

from itertools import pairwise

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.optim.lr_scheduler import OneCycleLR

from timellm_engine.schedule import COSINE_FLOOR, Pace, pace
from timellm_ops.contract.config import TrainSection

rates = st.floats(1e-5, 1.0)
epoch_counts = st.integers(1, 12)
step_counts = st.integers(1, 40)


@given(rate=rates, pct_start=st.floats(0.05, 0.95), epochs=epoch_counts, steps=st.integers(4, 40))
def test_onecycle_is_torchs(rate: float, pct_start: float, epochs: int, steps: int) -> None:
    if pct_start * epochs * steps <= 1.0:
        return  # torch divides by zero where nothing is left to rise in
    train = TrainSection(learning_rate=rate, pct_start=pct_start, epochs=epochs)
    optimiser = torch.optim.Adam([torch.nn.Parameter(torch.zeros(1))])
    scheduler = OneCycleLR(
        optimiser, max_lr=rate, pct_start=pct_start, epochs=epochs, steps_per_epoch=steps
    )
    for step in range(epochs * steps):
        ours = pace(train, steps, step)
        group = optimiser.param_groups[0]
        assert ours.lr == pytest.approx(group["lr"], rel=1e-9)
        assert ours.beta1 == pytest.approx(group["betas"][0], rel=1e-9)
        if step + 1 < epochs * steps:
            optimiser.step()
            scheduler.step()


@pytest.mark.parametrize("schedule", ["onecycle", "cosine", "type1"])
@given(rate=rates, epochs=epoch_counts, steps=step_counts, pct_start=st.floats(0.01, 0.99))
def test_every_step_has_a_rate_up_to_the_configured_one(
    schedule: str, rate: float, epochs: int, steps: int, pct_start: float
) -> None:
    train = TrainSection(
        learning_rate=rate,
        epochs=epochs,
        schedule=schedule,
        pct_start=pct_start,  # type: ignore[arg-type]
    )
    paces = [pace(train, steps, step) for step in range(epochs * steps)]
    assert all(0.0 < each.lr <= rate * (1 + 1e-12) for each in paces)
    assert all(0.8 < each.beta1 < 1.0 for each in paces)
    assert pace(train, steps, epochs * steps + 3) == paces[-1]


@given(rate=rates, epochs=epoch_counts, steps=step_counts)
def test_cosine_falls_over_the_whole_run_from_the_configured_rate(
    rate: float, epochs: int, steps: int
) -> None:
    train = TrainSection(learning_rate=rate, epochs=epochs, schedule="cosine")
    lrs = [pace(train, steps, step).lr for step in range(epochs * steps)]
    assert lrs[0] == pytest.approx(rate)
    assert all(later < earlier for earlier, later in pairwise(lrs))
    assert lrs[-1] >= COSINE_FLOOR


def test_type1_halves_with_every_epoch_from_the_configured_rate() -> None:
    train = TrainSection(learning_rate=0.01, epochs=3, schedule="type1")
    assert [pace(train, 5, step) for step in (0, 4, 5, 9, 10)] == [
        Pace(0.01), Pace(0.01), Pace(0.005), Pace(0.005), Pace(0.0025),
    ]  # fmt: skip
