"""Scrolling through lines of one or more rows, against a plain list of all rows."""

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from timellm_dashboard.lines import text_of, width_of
from timellm_dashboard.log.viewport import (
    Lines,
    Place,
    Viewport,
    back,
    forth,
    jumped,
    last_top,
    moved,
    paged,
    scrolled,
    settled,
    visible,
    with_cursor,
)
from timellm_dashboard.panels.log import draw_row, shifted, wrapped

HEIGHTS = st.lists(st.integers(1, 7), min_size=1, max_size=30)
STEPS = st.lists(
    st.sampled_from(
        [
            lambda at, lines: moved(at, 1, lines),
            lambda at, lines: moved(at, -1, lines),
            lambda at, lines: paged(at, 1, lines),
            lambda at, lines: paged(at, -1, lines),
            lambda at, lines: scrolled(at, 3, lines),
            lambda at, lines: scrolled(at, -3, lines),
            lambda at, lines: with_cursor(at, 0, lines),
            lambda at, lines: jumped(at, lines.count // 2, lines),
            lambda _, lines: settled(Viewport(), lines),
        ]
    ),
    max_size=20,
)


def all_places(rows: list[int]) -> list[Place]:
    return [Place(line, row) for line, count in enumerate(rows) for row in range(count)]


@given(HEIGHTS, st.integers(1, 12), st.data())
@settings(max_examples=200, deadline=None)
def test_going_up_and_down_is_going_along_the_rows(
    rows: list[int], height: int, data: st.DataObject
) -> None:
    lines, places = Lines(len(rows), height, rows.__getitem__), all_places(rows)
    at, by = data.draw(st.integers(0, len(places) - 1)), data.draw(st.integers(0, 40))
    assert back(places[at], by, lines) == places[max(0, at - by)]
    assert forth(places[at], by, lines) == places[min(len(places) - 1, at + by)]
    assert last_top(lines) == places[max(0, len(places) - height)]
    seen = visible(Viewport(places[at], 0, follow=False), lines)
    assert seen == places[at : at + height]


@given(HEIGHTS, st.integers(1, 12), STEPS)
@settings(max_examples=300, deadline=None)
def test_wherever_one_goes_the_screen_is_full_and_the_cursor_on_it(
    rows: list[int], height: int, steps: list[object]
) -> None:
    lines, at = Lines(len(rows), height, rows.__getitem__), settled(Viewport(), Lines(0, 0, len))
    at = settled(at, lines)
    for step in steps:
        at = settled(step(at, lines), lines)  # type: ignore[operator]
        seen = visible(at, lines)
        assert len(seen) == min(height, sum(rows))
        assert at.cursor in {place.line for place in seen}
        if at.follow:
            assert seen[-1] == Place(len(rows) - 1, rows[-1] - 1)


@given(HEIGHTS, st.integers(1, 12))
@settings(max_examples=100, deadline=None)
def test_with_the_down_key_alone_every_row_is_seen(rows: list[int], height: int) -> None:
    lines = Lines(len(rows), height, rows.__getitem__)
    at, seen = Viewport(follow=False), set(visible(Viewport(follow=False), lines))
    for _ in range(sum(rows)):
        at = settled(moved(at, 1, lines), lines)
        seen |= set(visible(at, lines))
    assert seen == set(all_places(rows))
    assert at.cursor == len(rows) - 1


def test_who_reads_further_up_stays_there_as_lines_come() -> None:
    before, after = Lines(100, 10, lambda _: 1), Lines(5_000, 10, lambda _: 1)
    reading = settled(paged(settled(Viewport(), before), -1, before), before)
    assert settled(reading, after) == reading
    assert settled(Viewport(), after).top == Place(4_990, 0)
    shorter = settled(reading, Lines(3, 10, lambda _: 1))
    assert (shorter.top, shorter.cursor) == (Place(0, 0), 2)


def test_the_wheel_follows_again_at_the_end_and_keys_do_not() -> None:
    lines = Lines(100, 10, lambda _: 1)
    up = scrolled(settled(Viewport(), lines), -3, lines)
    assert not up.follow
    assert scrolled(up, 3, lines).follow
    assert not moved(moved(settled(Viewport(), lines), -1, lines), 1, lines).follow


@given(st.text(st.characters(codec="utf-8", exclude_categories=["C", "Z"])), st.integers(2, 20))
@example("000⺀𑪊", 2)  # as many cells as characters, though not one each
@example("0\u2e80\u0301", 2)  # as many cells as characters, though none of them is one wide
@settings(max_examples=200, deadline=None)
def test_a_wrapped_line_loses_nothing_and_fits(text: str, width: int) -> None:
    cuts = wrapped(text, width)
    assert "".join(text[a:b] for a, b in cuts) == text
    assert all(width_of(draw_row(text, cut, ())[1:]) <= width for cut in cuts)


@pytest.mark.parametrize(
    ("shift", "shown", "cut"),
    [(0, "0123456…", (0, 7)), (4, "456789ab…"[:7] + "…", (4, 11)), (8, "89abcdef", (8, 16)),
     (40, "", (40, 40))],
)  # fmt: skip
def test_a_line_that_is_not_wrapped_is_moved_sideways(
    shift: int, shown: str, cut: tuple[int, int]
) -> None:
    assert shifted("0123456789abcdef", 8, shift, "…") == (shown, cut)


def test_what_was_found_is_turned_round_wherever_the_line_is_cut() -> None:
    text = "loss and Loss and loss"
    found = [(0, 4), (9, 13), (18, 22)]
    row = draw_row(text, (2, 20), found, cursor=True)
    assert text_of(row) == "> ss and Loss and lo"
    assert [span.text for span in row if span.tone == "found"] == ["ss", "Loss", "lo"]
    plain = draw_row(text, (0, 22), (), marked=True, ascii_only=True)
    assert text_of(plain) == f"| {text}"
