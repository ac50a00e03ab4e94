"""What the feed shows in few rows: the newest events, and of none of them its end alone."""

from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from timellm_dashboard.lines import Line, Span, line, text_of, wrap_line
from timellm_dashboard.panels.feed import newest_rows

TOLD = "22:41:29 ✓ final test with the best weights: MSE 0.3697, MAE 0.3982, 19,495 windows"


def event(text: str, width: int) -> list[Line]:
    return wrap_line((Span(text),), width, indent=11)


@given(st.lists(st.integers(1, 4), max_size=8), st.integers(1, 6), st.booleans())
def test_what_is_seen_begins_with_an_event_and_ends_with_the_newest_row(
    heights: list[int], height: int, ascii_only: bool
) -> None:
    blocks = [
        [line(f"{number}.{row} words that go on") for row in range(rows)]
        for number, rows in enumerate(heights)
    ]
    every = [text_of(row) for block in blocks for row in block]
    seen = [text_of(r) for r in newest_rows(blocks, 40, height, ascii_only=ascii_only)]
    assert len(seen) == min(height, len(every))
    if seen:
        assert seen[0].split(" ")[0].endswith(".0")
        assert seen[-1] == every[-1] or heights[-1] > height
        assert all(row.isascii() for row in seen) or not ascii_only


@given(st.integers(24, 80), st.integers(1, 3))
def test_an_event_without_room_says_that_it_goes_on_and_cuts_no_number(
    width: int, height: int
) -> None:
    block = event(TOLD, width)
    seen = [text_of(row) for row in newest_rows([block], width, height, ascii_only=False)]
    assert all(cell_len(row) <= width for row in seen)
    assert seen[-1].endswith("…") == (len(block) > height)
    whole = {word.rstrip(",:") for word in TOLD.split()}
    assert {word.rstrip(",:") for row in seen for word in row.split()} <= {*whole, "…"}
