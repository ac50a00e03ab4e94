"""A snapshot put back is what it was taken of, and one of another training is refused."""

import copy
from typing import Any

import msgspec
import pytest
import torch
from tiny_runs import tiny_tables
from torch.nn import functional

from timellm_engine.checkpoints.snapshot import (
    Identity,
    Position,
    check_belongs,
    full_snapshot,
    identity,
    restore,
    weights_snapshot,
)
from timellm_engine.errors import InputError
from timellm_engine.training.build import Job, build
from timellm_ops.contract.config import Config
from timellm_ops.contract.validation import parse_config


def config(**changes: Any) -> Config:
    return parse_config(tiny_tables(**changes), "config.toml")


def belongs(**changes: Any) -> Identity:
    return identity(config(**changes), "d" * 64, "b" * 64)


@pytest.fixture(scope="module")
def job() -> Job:
    return build(config())


def step(job: Job) -> None:
    job.model.train()
    job.optimiser.zero_grad()
    x, y = job.data.train.batch(torch.randint(len(job.data.train), (8,)))
    functional.mse_loss(job.model(x), y).backward()  # type: ignore[no-untyped-call]
    job.optimiser.step()


def test_going_on_from_a_snapshot_is_going_on(job: Job) -> None:
    for _ in range(2):
        step(job)
    position = Position(epoch=3, iteration=2, loss_sum=0.1 + 0.2, best_vali_mse=1 / 3)
    taken = full_snapshot(job.model, job.optimiser, position, job.identity)
    stored = copy.deepcopy(taken)  # as on disk, where later steps do not reach it
    for _ in range(2):
        step(job)
    expected = {name: tensor.clone() for name, tensor in job.model.trainable_state().items()}

    other = build(config())
    assert restore(stored, other.model, other.optimiser) == position
    for _ in range(2):
        step(other)
    found = other.model.trainable_state()
    assert all(torch.equal(found[name], tensor) for name, tensor in expected.items())


def test_a_snapshot_has_no_weight_of_the_backbone(job: Job) -> None:
    taken = weights_snapshot(job.model, Position(), job.identity)
    count = sum(tensor.numel() for tensor in taken.tensors["weights"].values())
    assert count == sum(parameter.numel() for parameter in job.trainable)


def test_before_the_first_step_there_are_no_moments(job: Job) -> None:
    fresh = build(config())
    taken = full_snapshot(fresh.model, fresh.optimiser, Position(), fresh.identity)
    assert taken.tensors["optimiser"] == {}
    restore(taken, fresh.model, fresh.optimiser)
    step(fresh)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"train__batch_size": 8}, "train.batch_size: found 8; expected 16"),
        ({"train__schedule": "cosine"}, 'train.schedule: found "cosine"; expected "onecycle"'),
        ({"run__seed": 7}, "run.seed: found 7; expected 2021"),
        ({"data__percent": 50}, "data.percent: found 50; expected 100"),
        ({"backbone__layers": 2}, "backbone.layers: found 2; expected 1"),
        ({"prompt__description": "x"}, 'prompt.description: found "x"; expected ""'),
    ],
)
def test_another_setting_is_named(job: Job, change: dict[str, Any], words: str) -> None:
    taken = weights_snapshot(job.model, Position(), belongs())
    with pytest.raises(InputError) as caught:
        check_belongs(taken, belongs(**change))
    assert str(caught.value).startswith(words)


def test_other_data_and_another_backbone_are_named(job: Job) -> None:
    taken = weights_snapshot(job.model, Position(), belongs())
    check_belongs(taken, belongs())
    for digests, key in (("e" * 64, "b" * 64), "data.path"), (("d" * 64, "c" * 64), "backbone.s"):
        with pytest.raises(InputError, match=key):
            check_belongs(taken, identity(config(), *digests))


def test_every_difference_is_named_and_where_to_put_it_back(job: Job) -> None:
    taken = weights_snapshot(job.model, Position(), belongs())
    with pytest.raises(InputError) as caught:
        check_belongs(taken, belongs(train__batch_size=8, run__seed=7, data__percent=50), "c.toml")
    assert str(caught.value) == (
        "data.percent: found 50; expected 100, with which the checkpoint was made; also different: "
        "run.seed 7 (2021), train.batch_size 8 (16); put those back in c.toml, or start a new run"
    )


def test_a_key_that_is_newer_than_the_checkpoint_counts_as_left_at_its_default(job: Job) -> None:
    def without_it(found: Identity) -> Identity:
        settings = {key: value for key, value in found.settings.items() if key != "train.clip_norm"}
        return Identity(settings=settings, data_digest="d" * 64, backbone_digest="b" * 64)

    older = weights_snapshot(job.model, Position(), without_it(belongs()))
    check_belongs(older, belongs())
    with pytest.raises(InputError, match=r"train.clip_norm: found 0.5; expected nothing"):
        check_belongs(older, belongs(train__clip_norm=0.5))


def test_what_has_no_part_in_the_result_may_change() -> None:
    free = {
        "run__name": "other", "train__log_every": 7, "train__threads": 2, "train__device": "cpu",
        "train__eval_batch_size": 3, "train__test": "never", "run__deterministic": False,
        "train__activation_checkpointing": True,
        "checkpoint__every_minutes": 1.0, "gpu__probe": "simulated",
    }  # fmt: skip
    assert belongs(**free).digests == belongs().digests


def test_every_key_of_the_config_is_either_compared_or_known_to_be_free() -> None:
    compared = set(belongs().settings)
    sections = ("run", "data", "model", "backbone", "prompt", "train")
    every = {
        f"{section}.{field.name}"
        for section in sections
        for field in msgspec.structs.fields(type(getattr(config(), section)))
    }
    assert every - compared == {
        "run.name", "data.path", "backbone.source", "train.eval_batch_size", "train.log_every",
        "train.device", "train.threads", "train.test", "train.activation_checkpointing",
        "train.cuda_graphs", "run.deterministic",
    }  # fmt: skip
