"""What needs the optional packages of small cards, and what is refused before they are asked."""

import tomllib
from pathlib import Path
from typing import Any

import pytest

from timellm_ops.backbones import find_facts
from timellm_ops.cli.exits import exit_code_of
from timellm_ops.contract.config import Config
from timellm_ops.contract.small_cards import wishes
from timellm_ops.contract.validation import ConfigError, parse_config
from timellm_ops.planning.make import make_plan
from timellm_ops.planning.steps import published_data
from timellm_ops.preflight import PreflightError, check_packages

ABSENT = ("no_such_package",)


def config_of(**sections: dict[str, Any]) -> Config:
    return parse_config({"data": {"dataset": "synthetic"}, **sections}, "test")


def test_only_codes_and_8_bit_moments_need_packages() -> None:
    plain = config_of(
        backbone={"dtype": "bfloat16"}, train={"activation_checkpointing": True, "accumulate": 4}
    )
    assert not list(wishes(plain))
    check_packages(plain, ABSENT)
    both = config_of(backbone={"dtype": "nf4"}, train={"optimiser_state": "paged"})
    assert [key for key, _, _ in wishes(both)] == ["backbone.dtype", "train.optimiser_state"]
    check_packages(both, ("json",))


def test_a_missing_package_is_told_in_one_line_and_is_no_fault_of_the_config() -> None:
    with pytest.raises(PreflightError) as caught:
        check_packages(config_of(train={"optimiser_state": "int8"}), ABSENT)
    assert str(caught.value) == (
        'train.optimiser_state: found "int8", which needs the package no_such_package, and that '
        "is not installed here; expected \"fp32\", or the package: pip install 'timellm-ops[small]'"
    )
    assert exit_code_of(caught.value) == 3


@pytest.mark.parametrize(
    ("train", "expected"),
    [
        ({"optimiser": "sgd"}, r'"fp32" with train.optimiser = "sgd"; or "adam" or "adamw"'),
        (
            {"optimiser": "adam", "weight_decay": 0.1},
            (
                '"fp32" with train.weight_decay = 0.1 and train.optimiser = "adam"; or "adamw", '
                "or no decay"
            ),
        ),
    ],
)
@pytest.mark.parametrize("state", ["int8", "paged"])
def test_moments_in_8_bits_are_those_of_adam_with_decoupled_decay(
    train: dict[str, Any], expected: str, state: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        config_of(train={**train, "optimiser_state": state})
    assert (caught.value.key, caught.value.expected) == ("train.optimiser_state", expected)
    config_of(train={**train, "optimiser_state": "fp32"})


def test_the_config_for_6_gb_is_one_that_a_plan_says_fits() -> None:
    path = Path(__file__).parents[2] / "configs" / "etth1-qwen2.5-3b-6gb.toml"
    config = parse_config(tomllib.loads(path.read_text(encoding="utf-8")), path.name)
    found = find_facts(config.backbone.source, {"HF_HUB_CACHE": "/nowhere"})
    plan = make_plan(config, published_data(config.data), found, "cuda", gpu_memory_bytes=6 << 30)
    assert plan.backbone.kept_layers == 36
    assert plan.fit is not None
    assert plan.fit.fits
    assert plan.fit.memory_bytes - plan.fit.needed_bytes > 1 << 30
