"""What a floor is made of: counted operations are those that the models really execute."""

from dataclasses import replace
from typing import Any

import pytest
import torch
from backbone_shapes import facts_of
from contenders import (
    MODEL,
    PRED_LEN,
    SEQ_LEN,
    Terms,
    Windows,
    engine_config,
    engine_variant,
    load_weights,
    published_model,
)
from counted_batch import counted
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional
from torch.utils.flop_counter import FlopCounterMode, sdpa_flop_count
from work import MODES, Mode, Setting, evaluation_window, total, training_step

from timellm_engine.training.build import build


def counter() -> FlopCounterMode:
    """Torch's own, told of the attention of CPUs, which it does not know."""
    aten = torch.ops.aten

    def forward(query: Any, key: Any, value: Any, *_: Any, **__: Any) -> int:
        return sdpa_flop_count(query, key, value)

    def backward(_gradient: Any, query: Any, key: Any, value: Any, *_: Any, **__: Any) -> int:
        return 2 * sdpa_flop_count(query, key, value)

    return FlopCounterMode(
        display=False,
        custom_mapping={
            aten._scaled_dot_product_flash_attention_for_cpu: forward,
            aten._scaled_dot_product_flash_attention_for_cpu_backward: backward,
        },
    )


def model_of(mode: Mode, terms: Terms) -> Any:
    if mode == "published":
        return published_model(terms)
    variant = engine_variant(mode, f"model.prototypes={mode}")
    model = build(engine_config(variant, terms, terms.material)).model
    load_weights(model, terms.material)
    return model


@pytest.mark.slow
@pytest.mark.parametrize("heads", ["grouped", "ungrouped"])
@pytest.mark.parametrize("mode", MODES)
def test_the_operations_that_are_counted_are_those_that_are_executed(
    heads: str, mode: Mode, request: pytest.FixtureRequest
) -> None:
    terms: Terms = request.getfixturevalue(heads)
    model = model_of(mode, terms)
    x, y = Windows(terms).batch(0, terms.batch)
    series = x.unsqueeze(-1)
    model.eval()
    with torch.no_grad():
        model(series)  # also reads what is read once for all steps
        # The engine makes its prototypes once for a whole split, and not in a window.
        made = () if mode == "published" else (model.text_prototypes(),)
        with counter() as evaluation:
            model(series, *made)
    model.train()
    with counter() as step:
        functional.mse_loss(model(series).squeeze(-1), y).backward()
    assert total(training_step(mode, counted(terms))).flop == pytest.approx(step.get_total_flops())
    window = total(evaluation_window(mode, counted(terms)))
    assert terms.batch * window.flop == pytest.approx(evaluation.get_total_flops())


@pytest.mark.slow
def test_prompts_that_are_read_with_their_patches_are_counted_so(ungrouped: Terms) -> None:
    model = model_of("direct", ungrouped)
    model.read_ahead_by(None)
    model.train()
    x, y = Windows(ungrouped).batch(0, ungrouped.batch)
    with counter() as step:
        functional.mse_loss(model(x), y).backward()
    whole = replace(counted(ungrouped), in_one_piece=True)
    assert total(training_step("direct", whole)).flop == pytest.approx(step.get_total_flops())


def setting(rows: int = 4, tokens: int = 200, shared: int = 90, layers: int = 6) -> Setting:
    return Setting(
        facts=facts_of("gpt2-small", 6), layers=layers, model=MODEL, seq_len=SEQ_LEN,
        pred_len=PRED_LEN, rows=rows, tokens=tokens, shared=shared,
    )  # fmt: skip


@given(
    rows=st.integers(1, 64), tokens=st.integers(1, 400), share=st.floats(0.0, 1.0),
    layers=st.integers(1, 12),
)  # fmt: skip
def test_no_mode_of_the_engine_has_more_to_do_than_the_published_computation(
    rows: int, tokens: int, share: float, layers: int
) -> None:
    of = setting(rows, tokens, int(share * tokens), layers)
    published, mapping, direct = (total(training_step(mode, of)) for mode in MODES)
    assert direct.flop < mapping.flop < published.flop
    assert direct.bytes < mapping.bytes < published.bytes
    assert direct.exps == mapping.exps < published.exps


@given(rows=st.integers(1, 64))
def test_in_larger_evaluations_a_window_has_less_of_what_is_done_once_a_batch(rows: int) -> None:
    one, many = (evaluation_window("published", setting(size)) for size in (rows, rows + 1))
    assert many["prototypes"].flop < one["prototypes"].flop
    assert many["backbone"].flop == pytest.approx(one["backbone"].flop)


@given(tokens=st.integers(91, 400))
def test_words_that_are_at_hand_spare_one_product_of_prompts_and_nothing_else(tokens: int) -> None:
    made, at_hand = (
        training_step("direct", replace(setting(tokens=tokens), words_at_hand=known))
        for known in (False, True)
    )
    spared = 2 * 4 * (tokens - 90) * 768 * 3 * 768
    assert made["prompts"].flop - at_hand["prompts"].flop == pytest.approx(spared)
    assert {**made, "prompts": None} == {**at_hand, "prompts": None}


def test_a_window_evaluated_costs_the_engine_the_same_in_both_modes() -> None:
    mapping, direct = (evaluation_window(mode, setting()) for mode in ("mapping", "direct"))
    assert mapping == direct
