"""A value over time in bounded memory, cut into columns, with gaps where nothing was known."""

import math
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from timellm_dashboard.folds.track import Column, Track

values = st.floats(-1e6, 1e6)
steps = st.lists(st.tuples(st.floats(0.01, 50.0), st.none() | values), max_size=300)


def track_of(moves: list[tuple[float, float | None]], **kind: object) -> tuple[Track, float]:
    track, x = Track(**kind), 0.0  # type: ignore[arg-type]
    for passed, value in moves:
        x += passed
        track.add(x, value)
    return track, x


@given(steps, st.integers(8, 40))
def test_it_stays_bounded_and_keeps_the_extremes(
    moves: list[tuple[float, float | None]], capacity: int
) -> None:
    track, end = track_of(moves, capacity=capacity)
    known = [value for _, value in moves if value is not None]
    assert len(track) <= max(8, capacity)
    assert track.known is bool(known)
    if known:
        assert track.between(0.0, end + 1.0) == (min(known), max(known))
        assert track.latest == (moves[-1][1] if moves else None)


@given(st.lists(st.tuples(st.booleans(), steps), max_size=5), st.integers(8, 40))
def test_many_values_in_one_go_are_the_same_as_one_after_the_other(
    parts: list[tuple[bool, list[tuple[float, float | None]]]], capacity: int
) -> None:
    together, alone, x = Track(capacity=capacity), Track(capacity=capacity), 0.0
    for gap_after, moves in parts:
        known = [(passed, value) for passed, value in moves if value is not None or gap_after]
        xs = [x := x + passed for passed, _ in known]
        part = [value for _, value in known]
        together.extend(xs, part)
        for at, value in zip(xs, part, strict=True):
            alone.add(at, value)
        if gap_after:
            together.interrupt()
            alone.interrupt()
    for track in (together, alone):
        track.add(x + 1.0, 7.0)
    assert together.columns(0.0, x + 1.0, 97) == alone.columns(0.0, x + 1.0, 97)
    assert (len(together), together.latest) == (len(alone), alone.latest)


@given(steps, st.integers(1, 60))
def test_whatever_the_columns_no_value_is_lost_and_none_is_made_up(
    moves: list[tuple[float, float | None]], count: int
) -> None:
    track, end = track_of(moves)
    known = [value for _, value in moves if value is not None]
    columns = track.columns(0.0, end + 1.0, count)
    found = [column for column in columns if column is not None]
    assert len(columns) == count
    assert bool(found) is bool(known)
    if known:
        assert min(column.low for column in found) == min(known)
        assert max(column.high for column in found) == max(known)


@given(steps, st.floats(0, 1), st.floats(0, 1), st.integers(1, 30))
def test_a_window_shows_nothing_beyond_what_there_is_around_it(
    moves: list[tuple[float, float | None]], one: float, other: float, count: int
) -> None:
    track, end = track_of(moves)
    first, last = sorted((one * end, other * end))
    known = [value for _, value in moves if value is not None]
    for column in track.columns(first, last + 0.1, count):
        assert column is None or min(known) <= column.low <= column.high <= max(known)


def test_what_is_unknown_is_a_gap_and_no_line_goes_through_it() -> None:
    track, _ = track_of([(1, 70.0), (1, 71.0), (1, None), (5, 72.0), (1, 73.0)])
    columns = track.columns(0.0, 10.0, 10)
    assert [column is not None for column in columns] == [
        False, True, True, False, False, False, False, False, True, True,
    ]  # fmt: skip
    assert columns[8] == Column(72.0, 72.0, joined=False)
    assert columns[2] == Column(71.0, 71.0, joined=True)
    assert track.between(3.0, 7.0) is None


def test_a_short_gap_may_go_but_a_long_one_stays_whatever_is_merged() -> None:
    track = Track(capacity=16)
    for x in range(1_000):
        track.add(float(x), 70.0)
        if x % 10 == 9:
            track.interrupt()
    track.interrupt()
    for x in range(2_000, 3_000):
        track.add(float(x), 80.0)
    assert len(track) <= 16
    columns = [column for column in track.columns(0.0, 3_000.0, 30) if column is not None]
    assert {(c.low, c.high) for c in columns} == {(70.0, 70.0), (80.0, 80.0)}
    assert next(c.joined for c in columns if c.low == 80.0) is False
    assert track.between(1_200.0, 1_900.0) is None


def test_a_window_between_two_values_has_the_line_between_them() -> None:
    track, _ = track_of([(0.001, 10.0), (100, 20.0)])
    columns = track.columns(25.0, 75.0, 5)
    assert columns[0] is not None
    assert math.isclose(columns[0].low, 12.5, abs_tol=0.01)
    assert columns[-1] is not None
    assert math.isclose(columns[-1].low, 17.5, abs_tol=0.01)
    assert columns[1:-1] == (None,) * 3
    assert columns[-1].joined


def test_a_value_that_holds_is_a_step_and_lasts_to_the_present() -> None:
    pace = Track(holds=True)
    pace.change(10.0, 1.0)
    pace.change(50.0, 0.5)
    columns = pace.columns(0.0, 100.0, 10)
    assert columns[0] is None
    assert {(c.low, c.high) for c in columns[1:5] if c} == {(1.0, 1.0)}
    assert columns[5] == Column(0.5, 1.0, joined=True)
    assert {(c.low, c.high) for c in columns[6:] if c} == {(0.5, 0.5)}
    assert None not in columns[1:]
    pace.change(60.0, None)
    assert pace.columns(70.0, 100.0, 3) == (None, None, None)


def test_nan_and_infinity_have_no_place() -> None:
    track, _ = track_of([(1, 1.0), (1, math.nan), (1, math.inf), (1, 2.0)])
    assert [c for c in track.columns(0.0, 5.0, 5) if c] == [
        Column(1.0, 1.0, joined=False), Column(2.0, 2.0, joined=False),
    ]  # fmt: skip


def test_four_values_to_a_stretch_after_a_night_at_one_a_second() -> None:
    track = Track()
    for x in range(50_400):
        track.add(float(x), 70.0 + x % 5)
    assert len(track) <= 16_384
    columns = track.columns(30_000.0, 30_100.0, 20)
    assert all(column is not None for column in columns)
    assert all(first.joined for _, first in pairwise(c for c in columns if c))
