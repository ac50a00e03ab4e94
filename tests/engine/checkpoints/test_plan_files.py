"""Sizes of files that were foretold, against the files of a real run, to the byte."""

import tomllib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import save
from tiny_runs import run_here, tiny_run
from torch import float32, uint8, zeros

from timellm_ops.backbones import find_facts
from timellm_ops.contract.layout import RunLayout
from timellm_ops.contract.plan import FileSize, FilesPlan, Plan
from timellm_ops.contract.validation import parse_config
from timellm_ops.planning.files import StoredTensor, safetensors_bytes
from timellm_ops.planning.make import make_plan
from timellm_ops.planning.steps import published_data

NAMES = st.text(st.sampled_from('abz._/é"\\0'), min_size=1, max_size=12)
TYPES = {"F32": float32, "U8": uint8}


def plan_of(layout: RunLayout) -> Plan:
    config = parse_config(tomllib.loads(layout.config.read_text()), "tiny")
    found = find_facts(config.backbone.source)
    return make_plan(config, published_data(config.data), found, "cpu")


def files_of(layout: RunLayout) -> FilesPlan:
    files = plan_of(layout).files
    assert files is not None
    return files


def on_disk(folder: Path) -> set[tuple[str, int]]:
    return {(path.name, path.stat().st_size) for path in folder.glob("*.safetensors")}


def foretold(files: tuple[FileSize, ...]) -> set[tuple[str, int]]:
    return {(file.name, file.bytes) for file in files}


@settings(max_examples=100)
@given(
    st.dictionaries(
        NAMES,
        st.tuples(st.sampled_from(sorted(TYPES)), st.lists(st.integers(0, 5), max_size=3)),
        min_size=1,
        max_size=6,
    )
)
def test_a_safetensors_file_is_as_long_as_foretold(
    tensors: dict[str, tuple[str, list[int]]],
) -> None:
    written = save(
        {name: zeros(shape, dtype=TYPES[kind]) for name, (kind, shape) in tensors.items()}
    )
    stored = [
        StoredTensor(name=name, shape=tuple(shape), dtype=kind)
        for name, (kind, shape) in tensors.items()
    ]
    assert safetensors_bytes(stored) == len(written)


@pytest.mark.parametrize("optimiser", ["adam", "adamw", "sgd"])
def test_the_files_of_a_run_are_as_long_as_foretold(tmp_path: Path, optimiser: str) -> None:
    layout = tiny_run(tmp_path / "run", train__epochs=2, train__optimiser=optimiser)
    run_here(layout)
    files = files_of(layout)
    assert foretold(files.best) == on_disk(layout.checkpoints / "best")
    assert foretold(files.last) == on_disk(layout.checkpoints / "last")
    assert foretold(files.bundle) == on_disk(layout.root / "bundle")
    assert files.best_bytes == sum(size for _, size in on_disk(layout.checkpoints / "best"))


def test_what_is_kept_is_what_lies_there_at_the_end(tmp_path: Path) -> None:
    layout = tiny_run(
        tmp_path / "run", train__epochs=3, checkpoint__every_steps=2, checkpoint__keep=2
    )
    run_here(layout)
    there = sum(path.stat().st_size for path in layout.root.rglob("*.safetensors"))
    assert there <= files_of(layout).kept_bytes
    assert there >= files_of(layout).kept_bytes - files_of(layout).best_bytes  # may never improve


def test_what_is_foretold_of_the_weights_is_what_a_run_says_of_them(tmp_path: Path) -> None:
    layout = tiny_run(tmp_path / "run", train__epochs=1)
    run_here(layout)
    said = layout.engine_events.read_text()
    plan = plan_of(layout)
    assert plan.trainable is not None
    assert f'"trainable_parameters":{plan.trainable.parameters}' in said
    assert f'"frozen_parameters":{plan.backbone.parameters}' in said
    assert f'"steps_per_epoch":{plan.steps.per_epoch}' in said
    assert f'"train_samples":{plan.data.splits[0].samples}' in said
    assert f'"vali_samples":{plan.data.splits[1].samples}' in said
    assert f'"test_samples":{plan.data.splits[2].samples}' in said
