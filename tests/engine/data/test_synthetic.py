"""The synthetic series: like ETT, and the same numbers on every machine."""

import hashlib

import numpy as np
import pytest

from timellm_engine.data.prepare import prepare
from timellm_engine.data.synthetic import synthetic_series
from timellm_engine.errors import InputError
from timellm_ops.contract.config import DataSection


def test_its_numbers_are_the_same_everywhere() -> None:
    names, values = synthetic_series(300, 3, seed=2021)
    assert names == ["load1", "load2", "OT"]
    assert values.shape == (300, 3)
    digest = hashlib.sha256(values.astype("<f8").tobytes()).hexdigest()
    assert digest == "eb62dd590e484afa40520331034ccdc6e148b37a2d8d235a5b58d543ee364f83"


def test_another_seed_is_another_series_and_columns_differ() -> None:
    _, values = synthetic_series(300, 2, seed=1)
    assert not np.allclose(values, synthetic_series(300, 2, seed=2)[1])
    assert not np.allclose(values[:, 0], values[:, 1])


def test_a_longer_series_repeats_its_days_but_not_its_noise() -> None:
    _, values = synthetic_series(24 * 70, 1, seed=3)
    series = values[:, 0] - values[:, 0].mean()
    power = np.abs(np.fft.rfft(series))
    day, week = 70, 10
    others = np.delete(power[2:], [day - 2, week - 2])
    assert power[day] > 5 * others.max()
    assert power[week] > others.max()
    assert len(np.unique(series)) > 1000


def test_its_target_is_in_it_and_no_other() -> None:
    section = DataSection(dataset="synthetic", seq_len=16, pred_len=4, features="S")
    assert prepare(section, 0).columns == ("OT",)
    other = DataSection(dataset="synthetic", seq_len=16, pred_len=4, target="HUFL")
    with pytest.raises(InputError, match="one of load1, load2, OT"):
        prepare(other, 0)
