"""Whole runs as a small card has them: what they write, and going on where they were stopped."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from small_packages import needs_packages
from tiny_runs import (
    only,
    run_here,
    same,
    stopped_and_gone_on,
    tiny_run,
    tiny_tables,
    weights,
    write_control,
)
from torch import nn
from trained_runs import evaluated, trained_run

from timellm_engine.checkpoints.bundle import load_bundle
from timellm_engine.errors import InputError, PreflightError
from timellm_engine.training.build import build
from timellm_engine.training.optimiser import make_optimiser, set_pace
from timellm_engine.training.schedule import Pace
from timellm_ops.backbones import find_facts
from timellm_ops.contract import events as ev
from timellm_ops.contract.config import TrainSection
from timellm_ops.contract.validation import parse_config
from timellm_ops.planning.make import make_plan
from timellm_ops.planning.steps import published_data

WIDE = {"model__num_prototypes": 80, "model__prototypes": "direct"}
"""5,120 weights in the prototypes: enough for moments in 8 bits."""
IN_8_BITS = {**WIDE, "train__optimiser_state": "int8"}
QUICK = {"train__epochs": 1, "train__test": "never"}


@needs_packages
@pytest.mark.parametrize(
    "changes",
    [
        {**IN_8_BITS, "train__optimiser": "adamw", "train__weight_decay": 0.1},
        {"backbone__dtype": "int8", "train__accumulate": 2},
        {"backbone__dtype": "nf4", "train__activation_checkpointing": True},
    ],
)
def test_going_on_is_exact(changes: dict[str, Any], tmp_path: Path) -> None:
    changes = {**changes, **QUICK}
    whole = tiny_run(tmp_path / "whole", **changes)
    run_here(whole)
    stopped = stopped_and_gone_on(tmp_path / "stopped", **changes)
    assert same(weights(stopped), weights(whole))


def test_activation_checkpointing_changes_no_bit_and_may_be_changed_on_the_way(
    tmp_path: Path,
) -> None:
    plain = tiny_run(tmp_path / "plain", **QUICK)
    run_here(plain)
    layout = tiny_run(tmp_path / "again", **QUICK, checkpoint__every_steps=4)
    write_control(layout, 1, "stop_after_checkpoint")
    run_here(layout)
    write_control(layout, 2)
    again = tiny_run(
        tmp_path / "again", **QUICK, checkpoint__every_steps=4,
        train__activation_checkpointing=True,
    )  # fmt: skip
    run_here(again, resume=True)
    assert same(weights(again), weights(plain))


@needs_packages
def test_another_state_of_the_optimiser_is_another_training(tmp_path: Path) -> None:
    layout = tiny_run(tmp_path, **WIDE, **QUICK, checkpoint__every_steps=4)
    write_control(layout, 1, "stop_after_checkpoint")
    run_here(layout)
    write_control(layout, 2)
    tiny_run(tmp_path, **IN_8_BITS, **QUICK, checkpoint__every_steps=4)
    with pytest.raises(InputError, match=r'train\.optimiser_state: found "int8"'):
        run_here(layout, resume=True)


@needs_packages
def test_files_with_moments_in_8_bits_are_as_long_as_foretold(tmp_path: Path) -> None:
    layout = tiny_run(tmp_path, **IN_8_BITS, **QUICK)
    run_here(layout)
    config = parse_config(tiny_tables(**IN_8_BITS, **QUICK), "tiny")
    plan = make_plan(config, published_data(config.data), find_facts("embedded"), "cpu")
    assert plan.files is not None
    last = layout.checkpoints / "last"
    assert {(f.name, f.bytes) for f in plan.files.last} == {
        (path.name, path.stat().st_size) for path in last.glob("*.safetensors")
    }


@needs_packages
@pytest.mark.parametrize("decay", [0.0, 0.1])
def test_moments_in_8_bits_step_about_as_adamw_does(decay: float) -> None:
    torch.manual_seed(0)
    begin, target = torch.randn(8_192), torch.randn(8_192)
    ended = []
    for state in ("fp32", "int8"):
        weight = nn.Parameter(begin.clone())
        train = TrainSection(optimiser="adamw", weight_decay=decay, optimiser_state=state)  # type: ignore[arg-type]
        optimiser = make_optimiser(train, [{"params": [weight], "rate": 2.0}])
        for step in range(20):
            set_pace(optimiser, Pace(0.005, 0.85 + 0.005 * step))
            optimiser.zero_grad()
            (weight - target).square().sum().backward()  # type: ignore[no-untyped-call]
            optimiser.step()
        ended.append(weight.detach())
    way = (ended[0] - begin).norm()
    assert 0.0 < (ended[1] - ended[0]).norm() < 0.05 * way


@needs_packages
def test_pages_need_a_gpu() -> None:
    tables = tiny_tables(train__optimiser_state="paged", train__device="cpu")
    with pytest.raises(PreflightError, match=r'train\.optimiser_state: found "paged", and train'):
        build(parse_config(tables, "tiny"))


@needs_packages
@pytest.mark.slow
def test_a_run_with_codes_is_evaluated_and_its_bundle_forecasts(tmp_path: Path) -> None:
    run = trained_run(tmp_path, backbone__dtype="nf4")
    assert only(run, ev.TrainingStarted)[0].frozen_parameters == 50_048 + 98_368
    tested = only(run, ev.TestEvaluated)[-1]
    assert evaluated(run).mse == pytest.approx(tested.mse, rel=1e-5)
    bundle = load_bundle(run.bundle)
    assert bundle.description.backbone.section.dtype == "nf4"
    forecast = bundle.forecast(np.random.default_rng(0).normal(size=(32, 3)))
    assert np.isfinite(forecast).all()
