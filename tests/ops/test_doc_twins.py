"""Every page for users is there in English and in Chinese, and the two are in step."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
OF_DEVELOPERS = {"performance.md"}
"""Measurements with their commands, for whoever changes the code."""
PAGES = [
    ROOT / "README.md",
    *sorted(
        page
        for page in (ROOT / "docs").glob("*.md")
        if not page.stem.endswith(".zh-CN") and page.name not in OF_DEVELOPERS
    ),
]


def twin_of(page: Path) -> Path:
    return page.with_name(f"{page.stem}.zh-CN.md")


def commands(text: str) -> list[str]:
    """What one is told to type, without the remarks behind it."""
    lines = [line for block in re.findall(r"```.*?```", text, re.S) for line in block.splitlines()]
    typed = [line for line in lines if line.startswith(("timellm-ops ", "python ", "$ "))]
    return [re.sub(r"\s+#.*", "", line) for line in typed]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_a_page_has_a_twin_in_step_with_it(page: Path) -> None:
    twin = twin_of(page)
    assert twin.is_file(), f"{page.name} is in English alone"
    english, chinese = page.read_text(encoding="utf-8"), twin.read_text(encoding="utf-8")
    assert f"]({twin.name})" in english
    assert f"]({page.name})" in chinese
    for what, pattern in (("headings", r"^#+ "), ("blocks", r"^```"), ("lists", r"^[-*] ")):
        found = [len(re.findall(pattern, text, re.M)) for text in (english, chinese)]
        assert found[0] == found[1], what
    refers = len(re.findall(rf"\]\({re.escape(page.name)}\)", chinese)) > 1
    rows = [len(re.findall(r"^\|", text, re.M)) for text in (english, chinese)]
    assert rows[0] == rows[1] or refers, "a table that is left out is referred to"
    assert [c.split()[:3] for c in commands(english)] == [c.split()[:3] for c in commands(chinese)]


def test_no_twin_is_left_alone() -> None:
    for twin in (ROOT / "docs").glob("*.zh-CN.md"):
        assert twin.with_name(twin.name.replace(".zh-CN", "")).is_file(), twin.name
