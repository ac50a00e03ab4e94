"""The JSON schema of config files: every key is in it, explained, with its bounds."""

import tomllib
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from timellm_ops.configschema import config_schema
from timellm_ops.contract.validation import all_keys

CONFIGS = sorted((Path(__file__).parents[2] / "configs").glob("*.toml"))


def schema_keys(schema: dict[str, Any], name: str = "Config", above: str = "") -> dict[str, str]:
    """Every key of the schema that is no table, dotted, and its description."""
    found = {}
    for key, part in schema["$defs"][name]["properties"].items():
        below = part.get("$ref", "").rpartition("/")[2]
        if below:
            found |= schema_keys(schema, below, f"{above}{key}.")
        else:
            found[f"{above}{key}"] = part["description"]
    return found


def problems(tables: dict[str, Any]) -> list[str]:
    validator = Draft202012Validator(config_schema())
    return [error.message for error in validator.iter_errors(tables)]


def test_the_schema_is_one() -> None:
    Draft202012Validator.check_schema(config_schema())


def test_every_key_is_in_it_and_explained() -> None:
    found = schema_keys(config_schema())
    assert list(found) == list(all_keys())
    assert all(text.endswith(".") and len(text) > 9 for text in found.values())


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.name)
def test_the_configs_of_the_project_are_valid(path: Path) -> None:
    assert problems(tomllib.loads(path.read_text(encoding="utf-8"))) == []


@pytest.mark.parametrize(
    ("tables", "words"),
    [
        ({"data": {"dataset": "ETTh1", "sequence": 96}}, "'sequence' was unexpected"),
        ({"data": {"dataset": "ETTh9"}}, "'ETTh9' is not valid under any"),
        ({"data": {"dataset": "ETTh1", "seq_len": 0}}, "0 is less than the minimum of 1"),
        ({"data": {"dataset": "ETTh1"}, "run": {"name": "a b"}}, "'a b' does not match"),
        ({"data": {"dataset": "ETTh1"}, "run": {"name": "电/压"}}, "'电/压' does not match"),
        ({}, "'data' is a required property"),
    ],
)
def test_what_is_wrong_with_a_config_is_wrong_by_the_schema(
    tables: dict[str, Any], words: str
) -> None:
    (problem,) = problems(tables)
    assert words in problem


def test_a_run_may_be_called_something_in_any_script() -> None:
    assert problems({"data": {"dataset": "ETTh1"}, "run": {"name": "变压器-2.夜"}}) == []
