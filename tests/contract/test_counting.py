import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from timellm_ops.contract.counting import Count

ROOT = Path(__file__).parents[2]
SHOWN = ("dashboard", "timellm_ops")
NOUNS = (
    "attempt", "column", "epoch", "event", "head", "iteration", "key", "layer", "line", "number",
    "parameter", "patche", "pause", "place", "prototype", "row", "run", "sample", "step", "tensor",
    "thread", "timestamp", "token", "value", "variable", "weight", "window",
)  # fmt: skip
MANY_OF_A_BLANK = re.compile(rf"\{{[^{{}}|]+\}} (?:[a-z-]+ )?(?:{'|'.join(NOUNS)})s\b")
NEVER_ONE = {
    "{rule} pauses",  # the rule does
    "{kernel} patches", "{tokens} tokens", "{count} trained weights", "{count} parameters",
    "{most} runs", "{MOST_SESSIONS} windows",
    "{len(fitting)} runs", "{len(_fields(sample))} values",
}  # fmt: skip


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (0, "0 steps"),
        (1, "1 step"),
        (2, "2 steps"),
        (2136, "2,136 steps"),
        (0.5, "0.5 steps"),
        (1_152_400_001, "1,152,400,001 steps"),
        ("?", "? steps"),
    ],
)
def test_a_number_comes_with_its_noun(number: float | str, text: str) -> None:
    assert f"{Count(number):step|steps}" == text
    assert f"{Count(number):step|steps}" == text


def test_what_goes_with_the_noun_is_counted_too() -> None:
    told = "{n:step is|steps are} lost"
    assert [told.format(n=Count(n)) for n in (1, 2)] == ["1 step is lost", "2 steps are lost"]


@given(st.integers(0, 10**12))
def test_without_nouns_only_the_number_is_written(number: int) -> None:
    assert f"{Count(number)}" == f"{number:,}"
    assert f"{Count(number):>20}" == f"{number:>20,}"


@pytest.mark.parametrize("room", SHOWN)
def test_no_text_has_the_plural_of_a_number_that_may_be_one(room: str) -> None:
    found = [
        f"{path.relative_to(ROOT)}: {hit}"
        for path in sorted((ROOT / room).rglob("*.py"))
        for hit in MANY_OF_A_BLANK.findall(path.read_text(encoding="utf-8"))
        if hit not in NEVER_ONE
    ]
    assert found == []
