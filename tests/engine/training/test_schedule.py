"""Learning rates: torch's own one-cycle, a cosine to its floor, the published types, warm-up."""

from itertools import pairwise

import msgspec
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.optim.lr_scheduler import OneCycleLR

from timellm_engine.training.schedule import COSINE_FLOOR, Pace, pace
from timellm_ops.contract.config import TrainSection

rates = st.floats(1e-5, 1.0)
epoch_counts = st.integers(1, 12)
step_counts = st.integers(1, 40)
NOT_CYCLED = ["cosine", "type1", "type2", "type3", "constant"]


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
        assert ours.momentum == pytest.approx(group["betas"][0], rel=1e-9)
        if step + 1 < epochs * steps:
            optimiser.step()
            scheduler.step()


@pytest.mark.parametrize("schedule", ["onecycle", *NOT_CYCLED])
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
    assert all(0.8 < each.momentum < 1.0 for each in paces)
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


@pytest.mark.parametrize(
    ("schedule", "shares"),
    [
        ("type1", [1, 1, 0.5, 0.25, 0.125, 0.0625]),
        ("type2", [1, 1, 0.5, 0.5, 0.1, 0.1, 0.05, 0.05, 0.01, 0.01, 0.005, 0.005, 0.005]),
        ("type3", [1, 1, 1, 1, 0.9, 0.81, 0.729]),
        ("constant", [1, 1, 1]),
    ],
)
def test_the_rate_of_an_epoch_is_a_share_of_the_configured_one(
    schedule: str, shares: list[float]
) -> None:
    train = TrainSection(
        learning_rate=0.01,
        epochs=len(shares),
        schedule=schedule,  # type: ignore[arg-type]
    )
    for epoch, share in enumerate(shares):
        for step in (5 * epoch, 5 * epoch + 4):
            assert pace(train, 5, step) == Pace(pytest.approx(0.01 * share))


def test_type2_is_the_published_table_at_the_published_rate() -> None:
    train = TrainSection(learning_rate=1e-4, epochs=30, schedule="type2")
    published = {2: 5e-5, 4: 1e-5, 6: 5e-6, 8: 1e-6, 10: 5e-7, 15: 1e-7, 20: 5e-8}
    for after, rate in published.items():
        assert pace(train, 3, 3 * after).lr == pytest.approx(rate)
    assert pace(train, 3, 89).lr == pytest.approx(5e-8)


@pytest.mark.parametrize("schedule", NOT_CYCLED)
@given(epochs=epoch_counts, steps=step_counts, data=st.data())
def test_a_warm_up_rises_in_equal_parts_up_to_the_schedule(
    schedule: str, epochs: int, steps: int, data: st.DataObject
) -> None:
    warmup = data.draw(st.integers(0, epochs * steps - 1))
    warm = TrainSection(
        epochs=epochs,
        schedule=schedule,  # type: ignore[arg-type]
        warmup_steps=warmup,
    )
    cold = msgspec.structs.replace(warm, warmup_steps=0)
    rates = [pace(warm, steps, step).lr for step in range(epochs * steps)]
    unwarmed = [pace(cold, steps, step).lr for step in range(epochs * steps)]
    if schedule == "cosine":
        assert rates[warmup] == pytest.approx(warm.learning_rate)
        assert all(later < earlier for earlier, later in pairwise(rates[warmup:]))
        full = [warm.learning_rate] * warmup
    else:
        assert rates[warmup:] == unwarmed[warmup:]
        full = unwarmed[:warmup]
    for step, rate in enumerate(full):
        assert rates[step] == pytest.approx(rate * (step + 1) / (warmup + 1))
        assert rates[step] < rate
