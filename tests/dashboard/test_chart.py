"""Charts, gauges and sparklines as characters."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from timellm_dashboard.folds.series import Point
from timellm_dashboard.lines import text_of, width_of
from timellm_dashboard.panels.canvas import Canvas
from timellm_dashboard.panels.chart import Chart, Level, draw_chart
from timellm_dashboard.panels.marks import bar, gauge, sparkline


def points(values: list[float]) -> tuple[Point, ...]:
    return tuple(Point(x, x, value, value, value) for x, value in enumerate(values))


def draw(values: list[float], width: int, height: int, *, ascii_only: bool = False) -> list[str]:
    chart = Chart(course=points(values), write=lambda value: f"{value:.4g}")
    return [text_of(row) for row in draw_chart(chart, width, height, ascii_only=ascii_only)]


def test_a_rising_line_goes_from_the_lower_left_to_the_upper_right() -> None:
    assert draw([0.0, 1.0, 2.0, 3.0], 18, 4, ascii_only=True) == [
        "3|            ****",
        " |        *****   ",
        " |    *****       ",
        "0|*****           ",
    ]


def test_braille_has_eight_dots_a_cell_counted_from_below() -> None:
    canvas = Canvas(1, 1, ascii_only=False)
    canvas.layer("accent")
    canvas.dot(0, 0)
    canvas.dot(1, 3)
    assert text_of(canvas.lines()[0]) == "⡈"
    canvas.bar(0, 0, 3)
    canvas.bar(1, 0, 3)
    assert text_of(canvas.lines()[0]) == "⣿"


def test_a_dot_outside_of_the_drawing_is_not_drawn() -> None:
    canvas = Canvas(2, 1, ascii_only=False)
    canvas.layer("accent")
    for column, row in ((-1, 0), (4, 0), (0, -1), (0, 4)):
        canvas.dot(column, row)
    assert text_of(canvas.lines()[0]) == "  "


finite = st.floats(-1e9, 1e9)


@given(st.lists(finite, min_size=1, max_size=300), st.integers(16, 80), st.integers(2, 20))
def test_a_chart_fills_its_room_whatever_the_values(
    values: list[float], width: int, height: int
) -> None:
    chart = Chart(band=points(values), course=points(values), write=lambda value: f"{value:.3g}")
    rows = draw_chart(chart, width, height, ascii_only=False)
    assert len(rows) == height
    assert {width_of(row) for row in rows} == {width}


def test_a_limit_is_within_the_frame_even_where_the_values_are_not() -> None:
    chart = Chart(course=points([40.0, 50.0]), levels=[Level(85.0, "held")], write=str)
    rows = draw_chart(chart, 30, 6, ascii_only=True)
    assert text_of(rows[0]).startswith(" 85.0+- -")
    assert {span.tone for span in rows[0][1:] if span.text.strip()} == {"held"}
    assert text_of(rows[1]).startswith("     |")


@given(st.integers(0, 7), st.sets(st.tuples(st.integers(0, 19), st.integers(0, 7))), st.booleans())
def test_a_limit_and_what_runs_over_it_are_both_seen(
    at: int, dots: set[tuple[int, int]], ascii_only: bool
) -> None:
    def drawn(limit: bool) -> list[tuple[str, str]]:
        canvas = Canvas(10, 2, ascii_only=ascii_only)
        if limit:
            canvas.limit("held", at)
        canvas.layer("accent", "*")
        for column, row in dots:
            canvas.dot(column, row)
        rows = canvas.lines()
        above = at in range(canvas.rows // 2, canvas.rows)
        assert canvas.limit_at(0) == ("held" if limit and above else None)
        return [(character, span.tone) for row in rows for span in row for character in span.text]

    dashes = 0
    for (plain, _), (character, tone) in zip(drawn(False), drawn(True), strict=True):
        if tone != "held":
            assert character == plain
            continue
        dashes += 1
        if ascii_only:
            assert character == ("-" if plain == " " else "+")
        elif plain != " ":
            assert ord(character) & (ord(plain) - 0x2800) == ord(plain) - 0x2800
    assert dashes == (5 if at < (4 if ascii_only else 8) else 0)


@pytest.mark.parametrize("ascii_only", [False, True])
def test_two_limits_in_one_row_of_cells_keep_their_tones(ascii_only: bool) -> None:
    canvas = Canvas(12, 1, ascii_only=ascii_only)
    canvas.limit("good", 0)
    canvas.limit("held", canvas.rows - 1)
    (row,) = canvas.lines()
    tones = [span.tone for span in row for character in span.text if character != " "]
    assert tones == ["good", "held"] * 3


def test_outliers_do_not_flatten_the_rest() -> None:
    values = [1.0 + (x % 2) / 10 for x in range(200)]
    values[3] = 1_000.0
    chart = Chart(band=points(values), write=lambda value: f"{value:.4g}")
    rows = draw_chart(chart, 60, 6, ascii_only=False)
    assert text_of(rows[0]).startswith("  1.1│")


def test_a_bar_is_full_only_at_the_end() -> None:
    assert text_of(bar(0.999, 10, "good", ascii_only=True)) == "#########."
    assert text_of(bar(1.0, 10, "good", ascii_only=True)) == "##########"
    assert text_of(bar(None, 10, "good", ascii_only=True)) == ".........."
    assert text_of(bar(0.55, 10, "good", ascii_only=False)) == "━━━━━╸────"


@given(st.one_of(st.none(), st.floats(-100, 300)), st.integers(5, 80))
def test_a_gauge_always_shows_its_limits(value: float | None, width: int) -> None:
    drawn = gauge(value, 20, 100, [(75, "good"), (85, "held")], width, "good", ascii_only=True)
    assert width_of(drawn) == width
    assert "held" in {span.tone for span in drawn if "|" in span.text}


def test_a_sparkline_shows_the_peaks_and_leaves_holes_where_nothing_is_known() -> None:
    steady = [(float(t), 60.0) for t in range(100)]
    assert len(set(sparkline(steady, 0, 100, 6.0, 20, ascii_only=True))) == 1
    rising = [(float(t), 40.0 + t) for t in range(100)]
    assert sparkline(rising, 0, 100, 6.0, 8, ascii_only=False) == "▁▂▃▄▅▆▇█"
    holes = sparkline([(0.0, 60.0), (99.0, 60.0)], 0, 100, 6.0, 20, ascii_only=True)
    assert "     " in holes
    assert sparkline([], 0, 100, 6.0, 20, ascii_only=True) == ""


@pytest.mark.parametrize("size", [(10, 5), (40, 1)])
def test_without_room_there_is_no_chart(size: tuple[int, int]) -> None:
    assert draw([1.0, 2.0], *size) == []
