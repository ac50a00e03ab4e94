"""The page about pattern files says all that there is, in both languages."""

import re
from pathlib import Path
from typing import get_args

import pytest

from timellm_ops.adapters.pattern_fields import FIELDS, Conversion
from timellm_ops.adapters.pattern_file import Pattern, PatternFile, parse_patterns, shipped_names
from timellm_ops.adapters.pattern_log import PatternLog
from timellm_ops.contract import events as ev

DOCS = Path(__file__).parents[2] / "docs"
PAGES = [DOCS / "foreign-engines.md", DOCS / "foreign-engines.zh-CN.md"]


@pytest.fixture(params=PAGES, ids=["en", "zh"])
def page(request: pytest.FixtureRequest) -> str:
    path: Path = request.param
    return path.read_text(encoding="utf-8")


def test_every_event_has_a_row_with_its_groups(page: str) -> None:
    rows = {
        cells[1].strip().strip("`"): cells[2]
        for line in page.splitlines()
        if len(cells := line.split("|")) == 5
    }
    for event, fields in FIELDS.items():
        groups = rows[event]
        assert set(re.findall(r"`(\w+)`", groups)) == set(fields.may), event
        assert set(re.findall(r"\*\*`(\w+)`\*\*", groups)) == set(fields.must), event
        assert set(re.findall(r"(?<!\*)\*`(\w+)`\*(?!\*)", groups)) == set(fields.any_of), event


def test_every_conversion_key_and_shipped_file_is_named(page: str) -> None:
    for how in get_args(Conversion):
        assert f"`{how}`" in page
    for key in PatternFile.__struct_fields__ + Pattern.__struct_fields__:
        assert re.search(rf"\b{key}\b", page), key
    for name in shipped_names():
        assert f"`{name}`" in page


def test_the_example_works(page: str) -> None:
    (example,) = [
        block for block in re.findall(r"```toml\n(.*?)```", page, re.DOTALL) if "regex" in block
    ]
    log = PatternLog(parse_patterns(example.encode(), "page"))
    found = log.feed(
        b"training for 2 epochs of 1,000 steps\n"
        b"step 1120: loss 0.3412, 81.5 ms, eta 1:02:03\n"
        b"epoch 1 validation 0.5\nsaving best weights to out/w.pt\n"
    )
    assert [event for event, _ in found] == [
        ev.EpochStarted(epoch=2, steps=1000, epochs=2),
        ev.Progress(
            epoch=2, iteration=120, loss=0.3412, seconds_per_iteration=0.0815, left_seconds=3723.0
        ),
        ev.EpochEnded(epoch=2, train_mse=0.3412, vali_mse=0.5),
        ev.CheckpointWriting(kind="best", epoch=2, path="out/w.pt"),
    ]
