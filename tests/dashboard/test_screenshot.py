"""A picture of a recorded run."""

import html
import re
from pathlib import Path

from sample_journals import ZONE, Limits, paused_thermal

from timellm_dashboard.replay.screenshot import (
    Recording,
    export_screenshot,
    spread_wide_characters,
)


def words_of(svg: str) -> str:
    return html.unescape(" ".join(re.findall(r"<text[^>]*>([^<]*)</text>", svg)))


def test_wide_characters_get_two_columns_each() -> None:
    svg = (
        '<text x="0" textLength="36.6" clip-path="c">暂停a</text><text textLength="24.4">ok</text>'
    )
    assert spread_wide_characters(svg) == (
        '<text x="0" textLength="61" clip-path="c">暂停a</text><text textLength="24.4">ok</text>'
    )


def test_a_picture_shows_the_run_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "overview.svg"
    source = Recording(paused_thermal().records)
    export_screenshot(source, path, zone=ZONE, limits=lambda _: Limits())
    svg = path.read_text(encoding="utf-8")
    words = words_of(svg).replace("\xa0", " ")
    assert svg.startswith("<svg")
    assert "PAUSED" in words
    assert "86 °C > 85 °C in 3 of the last 5 readings" in words
    assert "22:14" in words
