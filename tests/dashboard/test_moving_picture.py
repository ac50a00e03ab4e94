"""A recorded session as a picture: well formed, every frame in its time, nothing loaded."""

import re
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
from sample_journals import ZONE, Limits, paused_thermal

from timellm_dashboard.replay.moving_picture import moving_picture
from timellm_dashboard.replay.screenshot import Recording, export_screenshot

FRAME = '<svg class="x" viewBox="0 0 10 5" xmlns="http://www.w3.org/2000/svg"><text>{}</text></svg>'


def frames(*texts: str) -> list[str]:
    return [FRAME.format(text) for text in texts]


def test_every_frame_is_seen_in_its_time_and_in_no_other() -> None:
    svg = moving_picture(frames("a", "b", "c"), [1.0, 2.0, 1.0])
    root = ET.fromstring(svg)  # noqa: S314 - our own
    assert root.get("viewBox") == "0 0 10 5"
    assert [group.get("class") for group in root if group.tag.endswith("g")] == [
        "frame-0", "frame-1", "frame-2",
    ]  # fmt: skip
    begins = re.findall(r"([\d.]+)% { visibility: visible } ([\d.]+)%", svg)
    assert begins == [("0.000", "25.000"), ("25.000", "75.000"), ("75.000", "100.000")]
    assert svg.count("4s step-end infinite") == 3


@pytest.mark.parametrize(
    ("given", "seconds"),
    [([], []), (frames("a"), [1.0, 2.0]), (["<p>no picture</p>"], [1.0]),
     ([*frames("a"), FRAME.replace("10 5", "20 5")], [1.0, 1.0])],
)  # fmt: skip
def test_what_cannot_be_shown_is_refused(given: list[str], seconds: list[float]) -> None:
    with pytest.raises(ValueError, match=r"frames|SVG|lengths"):
        moving_picture(given, seconds)


def test_real_frames_ask_for_nothing_from_elsewhere(tmp_path: Path) -> None:
    journal, made = paused_thermal(), []
    for count in (len(journal.records) // 2, len(journal.records)):
        path = tmp_path / f"{count}.svg"
        source = Recording(journal.records[:count])
        export_screenshot(source, path, (80, 24), zone=ZONE, limits=lambda _: Limits())
        made.append(path.read_text(encoding="utf-8"))
    svg = moving_picture(made, [1.0, 1.0])
    ET.fromstring(svg)  # noqa: S314 - our own
    assert set(re.findall(r"https?://[^\s\"')]+", svg)) == {"http://www.w3.org/2000/svg"}
