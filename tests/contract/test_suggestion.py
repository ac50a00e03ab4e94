"""One wording for what would be right in the place of a name that is not known."""

import pytest

from timellm_ops.contract.suggestion import did_you_mean, meant


@pytest.mark.parametrize(
    ("name", "kind", "expected"),
    [
        ("epoch", {}, '"epochs" (did you mean it?)'),
        ("epoch", {"within": "train."}, '"train.epochs" (did you mean it?)'),
        ("epoch", {"otherwise": "a number"}, '"epochs" (did you mean it?)'),
        ("zzz", {}, "one of epochs, seed"),
        ("zzz", {"otherwise": "a number"}, "a number"),
    ],
)
def test_the_close_one_is_said_and_else_all(name: str, kind: dict[str, str], expected: str) -> None:
    assert meant(name, {"epochs": 1, "seed": 2}, **kind) == expected


def test_a_name_alone_is_said_in_the_same_words() -> None:
    assert did_you_mean("epochs") == meant("epochs_", ["epochs"])
