"""What the folders of checkpoints are called."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from timellm_ops.contract.checkpoint_names import kind_of, previous_name, step_name, step_of


@given(st.integers(0, 10**9))
def test_a_step_is_found_again_in_its_name(step: int) -> None:
    assert step_of(step_name(step)) == step
    assert kind_of(step_name(step)) == "step"


@pytest.mark.parametrize("name", ["best", "last"])
def test_the_two_others_are_of_no_step(name: str) -> None:
    assert (kind_of(name), step_of(name)) == (name, None)


@pytest.mark.parametrize(
    "name", ["", "step-", "step-x", "step--1", "Best", "12", "best/", "../best", "step-1/.."]
)
def test_what_is_no_name_of_one_has_no_kind(name: str) -> None:
    assert step_of(name) is None
    with pytest.raises(ValueError, match="no checkpoint's name"):
        kind_of(name)


def test_the_one_before_is_hidden_and_no_checkpoint_itself() -> None:
    with pytest.raises(ValueError, match="no checkpoint's name"):
        kind_of(previous_name("last"))
