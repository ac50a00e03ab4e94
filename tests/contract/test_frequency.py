"""The time between two rows, as a config writes it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from timellm_ops.contract.config import Config
from timellm_ops.contract.frequency import Frequency, of_nanoseconds, parse_frequency
from timellm_ops.contract.validation import ConfigError, parse_config


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("1h", "1h"), ("h", "1h"), ("60min", "1h"), ("15MIN", "15min"), (" 1 d ", "1d"),
        ("24h", "1d"), ("7d", "1w"), ("90s", "90s"), ("500ms", "500ms"), ("1mo", "1mo"),
        ("12mo", "12mo"),
    ],
)  # fmt: skip
def test_a_frequency_is_said_in_the_largest_unit_that_fits(text: str, meant: str) -> None:
    assert str(parse_frequency(text)) == meant


@pytest.mark.parametrize("text", ["", "hourly", "0h", "-1h", "1.5h", "1y", "1h30min", "15"])
def test_what_is_no_frequency_is_none(text: str) -> None:
    assert parse_frequency(text) is None


def test_a_month_has_no_length_of_its_own() -> None:
    assert Frequency(1, "mo").nanoseconds is None
    assert Frequency(2, "h").nanoseconds == 2 * 3600 * 10**9


@given(st.integers(1, 10**18))
def test_every_length_reads_back(length: int) -> None:
    found = of_nanoseconds(length)
    assert found.nanoseconds == length
    if found.number < 10**9:
        assert parse_frequency(str(found)) == found


def config(**data: str) -> Config:
    return parse_config({"data": {"dataset": "custom", "path": "a.csv", **data}}, "a.toml")


def test_a_config_names_a_frequency_that_is_one() -> None:
    assert config(frequency="15min").data.frequency == "15min"
    with pytest.raises(
        ConfigError, match=r'data\.frequency: found "hourly"; expected a number and'
    ):
        config(frequency="hourly")


def test_gaps_are_filled_only_with_a_way_to_fill_them() -> None:
    assert config(gaps="fill", missing="previous").data.gaps == "fill"
    with pytest.raises(ConfigError, match=r'data\.missing: found "error"; expected "previous" or'):
        config(gaps="fill")
