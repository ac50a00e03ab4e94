"""Sizes as people read them: three digits, a binary unit, and never a made-up one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from timellm_ops.contract.sizes import part_text, size_text

UNITS = ("B", "KiB", "MiB", "GiB", "TiB", "PiB")
GIB, MIB = 1 << 30, 1 << 20


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1_000, "0.977 KiB"),
        (1_024, "1.00 KiB"),
        (5_208, "5.09 KiB"),
        (614_877_656, "586 MiB"),
        (5_742 * MIB, "5.61 GiB"),
        (6 * GIB, "6.00 GiB"),
        (9.996 * MIB, "10.0 MiB"),
        (99.96 * MIB, "100 MiB"),
        (999.4 * MIB, "999 MiB"),
        (999.6 * MIB, "0.976 GiB"),
        (2.5 * GIB * MIB, "2.50 PiB"),
    ],
)
def test_a_size_has_the_unit_that_makes_it_three_digits(size: float, text: str) -> None:
    assert size_text(size) == text


def bytes_of(text: str) -> float:
    number, unit = text.split()
    return float(number) * 1024.0 ** UNITS.index(unit)


@given(st.integers(0, 10**17))
def test_it_says_the_size_to_three_digits(size: int) -> None:
    text = size_text(size)
    assert bytes_of(text) == pytest.approx(size, rel=0.0051)
    number = text.split()[0]
    assert len(number.replace(".", "")) <= 3 or number.startswith("0.")
    assert number == "0" or len(number.lstrip("0.").replace(".", "")) <= 3


@given(st.integers(0, 10**17))
def test_room_that_must_be_there_is_never_told_too_small(size: int) -> None:
    text = size_text(size, up=True)
    assert bytes_of(text) >= size * (1 - 1e-12)
    assert bytes_of(text) == pytest.approx(size, rel=0.011)
    assert len(text.split()[0].lstrip("0.").replace(".", "")) <= 3


def test_a_part_of_a_whole_has_the_unit_once_where_it_is_the_same() -> None:
    assert part_text(5_742 * MIB, 6 * GIB) == "5.61 of 6.00 GiB"
    assert part_text(5_742 * MIB, 6 * GIB, " / ") == "5.61 / 6.00 GiB"
    assert part_text(200 * MIB, 6 * GIB) == "200 MiB of 6.00 GiB"
    assert part_text(0, 6 * GIB) == "0 B of 6.00 GiB"
