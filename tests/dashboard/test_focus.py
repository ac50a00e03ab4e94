"""Zoom and pan: whatever is pressed, the window lies within the run and the cursor within it."""

from hypothesis import given
from hypothesis import strategies as st

from timellm_dashboard.viewmodel.focus import SHORTEST_SPAN_S, Focus

extents = st.floats(0.0, 60_000.0)
acts = st.lists(
    st.one_of(
        st.tuples(st.just("at"), st.floats(-100.0, 70_000.0)),
        st.tuples(st.just("zoom"), st.integers(-3, 3)),
        st.tuples(st.just("pan"), st.integers(-3, 3)),
        st.tuples(st.sampled_from(["whole", "follow"]), st.just(0)),
    ),
    max_size=12,
)


def acted(focus: Focus, name: str, value: float, extent_s: float) -> Focus:
    match name:
        case "at":
            return focus.at(value, extent_s)
        case "zoom":
            return focus.zoomed(int(value), extent_s)
        case "pan":
            return focus.panned(int(value), extent_s)
        case "whole":
            return focus.whole()
        case _:
            return focus.following()


@given(acts, extents, st.floats(0.0, 5_000.0))
def test_the_window_lies_within_the_run_and_the_cursor_within_the_window(
    moves: list[tuple[str, float]], extent_s: float, later_s: float
) -> None:
    focus = Focus()
    for name, value in moves:
        focus = acted(focus, name, value, extent_s)
        start_s, end_s = focus.window(extent_s)
        assert 0.0 <= start_s < end_s <= max(extent_s, 1.0) + 1e-6
        assert start_s - 1e-6 <= focus.place(extent_s) <= end_s + 1e-6
        if focus.span_s is not None:
            assert focus.span_s >= SHORTEST_SPAN_S
            assert (focus.end_s is None) is (focus.cursor_s is None)
    # As the run goes on, a window with a cursor in it stays where it is.
    if focus.end_s is not None:
        assert focus.window(extent_s + later_s)[1] <= extent_s + 1e-6


def test_it_begins_with_the_whole_run_and_follows_it() -> None:
    assert Focus().window(100.0) == (0.0, 100.0)
    assert Focus().window(200.0) == (0.0, 200.0)
    assert Focus().place(200.0) == 200.0


def test_zooming_at_the_present_follows_it() -> None:
    focus = Focus().zoomed(1, 1_000.0)
    assert focus.window(1_000.0) == (500.0, 1_000.0)
    assert focus.window(1_100.0) == (600.0, 1_100.0)


def test_zooming_keeps_the_cursor_where_it_is_on_the_screen() -> None:
    focus = Focus().at(250.0, 1_000.0).zoomed(1, 1_000.0)
    assert focus.window(1_000.0) == (125.0, 625.0)
    assert focus.window(2_000.0) == (125.0, 625.0)
    assert focus.zoomed(-1, 1_000.0).window(1_000.0) == (0.0, 1_000.0)


def test_zooming_about_the_mouse_keeps_what_is_under_it() -> None:
    focus = Focus().zoomed(2, 1_000.0, about_s=800.0)
    start_s, end_s = focus.window(1_000.0)
    assert (end_s - start_s, (800.0 - start_s) / (end_s - start_s)) == (250.0, 0.8)


def test_the_window_follows_a_cursor_that_leaves_it() -> None:
    focus = Focus(span_s=100.0, end_s=500.0, cursor_s=450.0)
    assert focus.at(399.0, 1_000.0).window(1_000.0) == (399.0, 499.0)
    assert focus.at(510.0, 1_000.0).window(1_000.0) == (410.0, 510.0)


def test_panning_takes_the_cursor_along() -> None:
    focus = Focus(span_s=100.0).panned(-1, 1_000.0)
    assert focus.window(1_000.0) == (850.0, 950.0)
    assert focus.cursor_s == 950.0
    assert focus.panned(9, 1_000.0).window(1_000.0) == (900.0, 1_000.0)


def test_a_cursor_at_the_end_becomes_the_present() -> None:
    assert Focus(span_s=100.0, end_s=900.0, cursor_s=890.0).at(1_000.0, 1_000.0) == Focus(
        span_s=100.0
    )
