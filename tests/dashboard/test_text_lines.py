"""Rows of text in terminal cells: wrapping, clipping, padding, wide characters and all."""

import time
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from timellm_dashboard.lines import Span, clip, pad, text_of, width_of, wrap, wrap_line
from timellm_dashboard.words import format as fmt
from timellm_dashboard.words.ascii import to_ascii
from timellm_dashboard.words.phrases import clean
from timellm_dashboard.words.text import words

EN, ZH = words("en"), words("zh")

texts = st.text(alphabet="ab 12训练，。 °%·", max_size=60)
widths = st.integers(4, 30)


@given(texts, widths, st.integers(0, 2))
def test_wrapping_loses_nothing_and_fits(text: str, width: int, indent: int) -> None:
    rows = wrap_line((Span(text, "good"),), width, indent)
    assert all(width_of(row) <= width for row in rows)
    joined = "".join(text_of(row) for row in rows)
    assert joined.replace(" ", "") == text.replace(" ", "").replace("\u00a0", "")


@given(texts, widths)
def test_clipping_and_padding_fit_exactly(text: str, width: int) -> None:
    assert cell_len(clip(text, width)) <= width
    assert cell_len(pad(text, width)) == width
    assert clip(text, cell_len(text)) == text


def test_words_stay_whole_and_numbers_stay_with_their_units() -> None:
    assert wrap("the engine stands still", 11) == ["the engine", "stands", "still"]
    assert wrap("saved 24.4 MB now", 10) == ["saved", "24.4 MB", "now"]


def test_chinese_breaks_anywhere_but_not_before_punctuation() -> None:
    assert wrap("引擎已停住，等待", 10) == ["引擎已停", "住，等待"]


@given(st.text())
def test_ascii_is_ascii(text: str) -> None:
    assert to_ascii(text).isascii()


@given(st.text())
def test_nothing_that_a_process_printed_can_move_the_cursor(text: str) -> None:
    shown = clean(f"{text}\x1b[31m{text}\r\n\x07\u202e")
    assert shown.isprintable()
    assert "\n" not in shown


def test_durations_in_their_two_largest_units() -> None:
    told = [fmt.duration(s, EN) for s in (0.4, 59.4, 61, 3_599, 3_600, 47_000, 200_000)]
    assert told == [
        "0 s", "59 s", "1 min 01 s", "59 min 59 s", "1 h 00 min", "13 h 03 min", "2 d 7 h",
    ]  # fmt: skip
    assert fmt.duration(47_000, ZH) == "13 小时 03 分"


def test_an_estimate_is_no_finer_than_it_can_be_known() -> None:
    assert [fmt.rough(s, EN) for s in (12, 100, 7_500)] == [
        "under a minute", "2 min", "2 h 05 min",
    ]  # fmt: skip


def test_percent_is_100_only_when_all_is_done() -> None:
    assert [fmt.percent(share, 1) for share in (0.0, 0.29, 0.99999, 1.0)] == [
        "0.0 %", "29.0 %", "99.9 %", "100.0 %",
    ]  # fmt: skip


def test_losses_can_be_told_apart_and_never_crash() -> None:
    assert [fmt.loss(x) for x in (0.39123, 1.0, 123.456, 0.00002, float("nan"))] == [
        "0.3912", "1.0000", "123.5", "2.00e-05", "NaN",
    ]  # fmt: skip
    assert fmt.rate(4e-4) == "4.0e-4"
    assert [fmt.storage(n) for n in (8_123_456, 612_000_000, 900)] == [
        "7.75 MiB",
        "584 MiB",
        "900 B",
    ]


@pytest.mark.skipif(not hasattr(time, "tzset"), reason="this platform cannot change its zone")
def test_times_are_shown_in_the_machines_zone_unless_another_is_given(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    at = datetime(2026, 1, 31, 20, 5, 9, tzinfo=UTC)
    east = timezone(timedelta(hours=8))
    with monkeypatch.context() as patch:
        patch.setenv("TZ", "XYZ5")  # five hours west of UTC, all year
        time.tzset()
        assert fmt.time_of_day(at, None) == "15:05:09"
        assert fmt.time_of_day(at, east) == "04:05:09"
    time.tzset()
    now = datetime(2026, 1, 31, 10, 0, tzinfo=UTC)
    assert fmt.day_and_time(at, now, east, EN) == "tomorrow 04:05"
    assert fmt.day_and_time(at, at, east, EN) == "04:05"
    assert fmt.day_and_time(at, at + timedelta(days=1), east, EN) == "yesterday 04:05"
    assert fmt.day_and_time(at, at + timedelta(days=9), east, EN) == "2026-02-01 04:05"


def test_no_row_of_chinese_ends_with_an_opening_bracket() -> None:
    text = "显卡几乎占满时（gpu.share）不会启动；见《说明》。"
    for width in range(4, 40):
        rows = wrap(text, width)
        assert "".join(rows) == text
        assert not any(row.endswith(("（", "《")) for row in rows), (width, rows)
