"""The contenders of a benchmark are the same function, of the same weights and windows."""

import pytest
import torch
from contenders import STANDARD, Terms, build, published_model
from counted_batch import counted
from floor import engine_contender, job_of, published_contender
from work import MODES, Mode, training_step

PRECISE, ROUGH = 1e-5, 5e-2
"""Largest relative difference in float32, and where products are in bfloat16."""


def difference(found: list[float], reference: list[float]) -> float:
    one, other = torch.tensor(found), torch.tensor(reference)
    return float((one - other).abs().max() / other.abs().max())


@pytest.mark.slow
def test_all_begin_with_the_same_function_and_learn_from_the_same_windows(grouped: Terms) -> None:
    variants = [variant for variant in STANDARD if variant.precision == "fp32"]
    contenders = {variant.name: build(variant, grouped) for variant in variants}
    begun = {name: contender.forecast() for name, contender in contenders.items()}
    published = begun["published fp32"]
    assert len(published) == 96
    for name, forecast in begun.items():
        assert difference(forecast, published) < PRECISE, name
    (direct_bf16,) = (build(one, grouped) for one in STANDARD if one.name == "direct bf16")
    assert PRECISE < difference(direct_bf16.forecast(), published) < ROUGH
    losses = {name: contender.step(0) for name, contender in contenders.items()}
    # Dropout is drawn, so losses of the same weights are alike, and not the same.
    assert losses == pytest.approx(dict.fromkeys(losses, losses["published fp32"]), rel=0.3)
    assert len(set(losses.values())) == len(losses)
    for name, contender in contenders.items():
        assert contender.forecast() != begun[name]
        contender.prepare()
        assert contender.evaluate() >= grouped.batch
    check_sizes({name: contender.sizes() for name, contender in contenders.items()})


def check_sizes(files: dict[str, dict[str, int]]) -> None:
    trained = files["published fp32"]["weights"]
    assert files["published fp32"]["checkpoint"] > trained
    assert files["mapping fp32"]["weights"] == pytest.approx(trained, rel=0.01)
    assert files["direct fp32"]["bundle"] == pytest.approx(
        files["mapping fp32"]["bundle"], rel=0.01
    )
    for name in ("mapping fp32", "direct fp32"):
        # The weights, and the optimiser's two moments of each.
        assert files[name]["checkpoint"] == pytest.approx(3 * files[name]["weights"], rel=0.02)


@pytest.mark.parametrize("mode", MODES)
def test_every_part_that_is_counted_is_measured(grouped: Terms, mode: Mode) -> None:
    step, evaluation = (
        published_contender(published_model(grouped), grouped)
        if mode == "published"
        else engine_contender(job_of(mode, grouped), grouped)
    )
    evaluation(0)  # the engine also tries out how prompts can be read
    parts = set(training_step(mode, counted(grouped)))
    assert parts <= set(step(0)) <= parts | {"prompt texts", "prototypes"}
    forward = {"backbone" if part == "backbone forward" else part for part in parts}
    forward -= {"optimiser", "backbone backward"}
    if mode != "published":
        forward -= {"prototypes"}
    found = evaluation(1)
    assert forward <= set(found) <= forward | {"prompt texts"}
    assert all(seconds >= 0.0 for seconds in found.values())
