"""Prompts that are read ahead: the same answers and gradients as in one piece, or not used."""

import dataclasses
import gc
import weakref
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from tiny_backbones import CAUSAL, FAMILIES, WIDE, save_backbone
from torch import Tensor
from torch.nn import functional

from timellm_engine.model.backbone import Backbone, load_backbone
from timellm_engine.model.prefix import PromptPrefix, common_beginning
from timellm_engine.model.timellm import TimeLLM
from timellm_ops.contract.config import BackboneSection, ModelSection, PromptSection

SEQ_LEN, PRED_LEN, ROWS = 48, 8, 6
READ_AHEAD = {"gpt2", WIDE, "llama", "qwen2"}
"""Families that take keys and values, a mask, and positions of their own."""


def tiny_model(backbone: Backbone, padding: str = "masked", *, statistics: bool = True) -> TimeLLM:
    torch.manual_seed(5)
    section = ModelSection(d_model=8, n_heads=2, d_ff=16, num_prototypes=20)
    prompt = PromptSection(padding=padding, statistics=statistics)  # type: ignore[arg-type]
    return TimeLLM(backbone, section, prompt, "Some series.", SEQ_LEN, PRED_LEN).eval()


@pytest.fixture(scope="module", params=[*sorted(FAMILIES), WIDE])
def backbone(request: Any, tmp_path_factory: pytest.TempPathFactory) -> Backbone:
    folder: Path = tmp_path_factory.mktemp("backbone")
    return load_backbone(BackboneSection(source=str(save_backbone(folder, request.param))), seed=0)


def inputs(model: TimeLLM) -> tuple[list[list[int]], Tensor]:
    """Prompts of several lengths, and patches with a gradient."""
    windows = torch.randn(ROWS, SEQ_LEN, generator=torch.Generator().manual_seed(3))
    ids = model.tokenize(model.prompts(windows * torch.linspace(0.01, 9.0, ROWS).unsqueeze(1)))
    one = model.padding == "reference" or not model.says_statistics
    assert one == (len(set(map(len, ids))) == 1)
    patches = torch.randn(ROWS, model.patches, model.word_embeddings.embedding_dim)
    return ids, patches.requires_grad_()


@pytest.mark.parametrize("padding", ["masked", "reference"])
def test_answers_and_gradients_are_those_in_one_piece(backbone: Backbone, padding: str) -> None:
    if padding == "reference" and backbone.tokenizer.eos_token is None:
        pytest.skip("this tokenizer has no token to pad with")
    model = tiny_model(backbone, padding)
    ids, patches = inputs(model)
    answer, plain = model.answer(ids, patches), model.answer_in_one_piece(ids, patches)
    assert torch.allclose(answer, plain, rtol=1e-4, atol=1e-5)
    weights = torch.randn_like(plain)
    gradients = [
        torch.autograd.grad((each * weights).sum(), patches)[0] for each in (answer, plain)
    ]
    assert torch.allclose(*gradients, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("statistics", [True, False])
def test_a_forecast_after_prompts_that_were_laid_out_is_the_forecast(
    backbone: Backbone, statistics: bool
) -> None:
    model = tiny_model(backbone, statistics=statistics)
    x = torch.randn(ROWS, SEQ_LEN, generator=torch.Generator().manual_seed(4)).cumsum(dim=1)
    prompts = model.lay_out(x)
    if model._prefix is None:
        assert prompts is None
        return
    assert prompts is not None
    assert torch.equal(model.forecast_after(x, prompts), model(x))
    # Padding that a GPU is given, so that few lengths occur, is not seen.
    longer = functional.pad(prompts.tokens, (0, 5), value=7)
    padded = model.forecast_after(x, prompts._replace(tokens=longer))
    assert torch.allclose(padded, model(x), rtol=1e-4, atol=1e-5)


def test_on_another_device_than_a_cpu_prompts_are_padded_to_eights_within_the_positions(
    backbone: Backbone,
) -> None:
    prefix = PromptPrefix(backbone, (5, 6))
    ids = [[5, 6, 1, 2, 3], [5, 6, *range(1, 12)]]
    here, there = (prefix.lay_out(ids, torch.device(kind)) for kind in ("cpu", "meta"))
    assert (here.known, here.tokens.shape, here.lengths.tolist()) == (2, (2, 11), [3, 11])
    assert (there.known, there.tokens.shape) == (2, (2, 16))
    short = PromptPrefix(dataclasses.replace(backbone, max_positions=17), (5, 6))
    assert short.lay_out(ids, torch.device("meta")).tokens.shape == (2, 11)


def test_one_prompt_for_all_windows_is_read_once_and_answers_as_in_one_piece(
    backbone: Backbone,
) -> None:
    model = tiny_model(backbone, statistics=False)
    ids, patches = inputs(model)
    assert len(set(map(tuple, ids))) == 1
    answer, plain = model.answer(ids, patches), model.answer_in_one_piece(ids, patches)
    assert torch.allclose(answer, plain, rtol=1e-4, atol=1e-5)
    if model._prefix is not None:
        assert model._prefix._shared == tuple(ids[0])
    one, other = torch.randn(2, 1, SEQ_LEN)
    assert model.prompts(one) == model.prompts(other)


def test_the_families_that_can_do_it_do_it(backbone: Backbone) -> None:
    model = tiny_model(backbone)
    model.answer(*inputs(model))
    family = type(backbone.model).__name__.removesuffix("Model").lower()
    if family in READ_AHEAD:
        assert model._prefix is not None
        assert len(model._prefix._shared) > 20
    if family not in CAUSAL:
        assert model._prefix is None


def test_a_prompt_that_begins_otherwise_is_read_as_it_is(backbone: Backbone) -> None:
    model = tiny_model(backbone)
    ids, patches = inputs(model)
    model.answer(ids, patches)
    odd = [ids[0], list(reversed(ids[1])), ids[2][:3], *ids[3:]]
    answer, plain = model.answer(odd, patches), model.answer_in_one_piece(odd, patches)
    assert torch.allclose(answer, plain, rtol=1e-4, atol=1e-5)


def test_training_goes_on_after_a_first_look_in_inference_mode(backbone: Backbone) -> None:
    model = tiny_model(backbone)
    x = torch.randn(2, SEQ_LEN)
    with torch.inference_mode():
        model(x)
    model(x).sum().backward()
    assert model.head.linear.weight.grad is not None


@pytest.mark.parametrize("family", ["embedded", "gpt2", "qwen2"])
@pytest.mark.parametrize("training", [True, False])
def test_keys_and_values_are_let_go_of_with_the_answer(
    tmp_path: Path, family: str, training: bool
) -> None:
    """And not when Python next looks for circles, such as an exception and the frame of a generator
    that it was caught in are from Python 3.12 on: on a GPU they are gigabytes."""
    source = family if family == "embedded" else str(save_backbone(tmp_path, family))
    model = tiny_model(load_backbone(BackboneSection(source=source), seed=0)).train(training)
    prefix = model.reading_ahead()
    assert prefix is not None
    if family == "gpt2":  # as where no pass of our own takes it
        prefix = PromptPrefix(prefix._backbone, prefix._shared)
    ids, patches = inputs(model)
    with torch.set_grad_enabled(training):
        prefix.answer(ids, patches)
        gc.collect()
        gc.disable()
        try:
            laid_out = prefix.lay_out(ids, patches.device)
            read = prefix.read(laid_out, model.patches)
            gone = weakref.ref(read)
            prefix.answer_to(patches, laid_out, read)
            del read
            assert gone() is None
        finally:
            gc.enable()


def test_an_answer_that_differs_is_noticed(tmp_path: Path) -> None:
    backbone = load_backbone(BackboneSection(source=str(save_backbone(tmp_path))), seed=0)
    model = tiny_model(backbone)
    ids, patches = inputs(model)
    few, rows = ids[:2], patches[:2].detach()
    plain = model._hidden_in_one_piece(few, rows)
    prefix = PromptPrefix(backbone, common_beginning(ids))
    assert prefix.agrees(plain, few, rows)
    assert not prefix.agrees(plain * 1.01, few, rows)
    assert not PromptPrefix(backbone, common_beginning(ids)).agrees(plain, few, rows[:, :, :3])


@given(st.lists(st.lists(st.integers(0, 2), max_size=6), min_size=1, max_size=5))
def test_a_common_beginning_is_the_longest_there_is(ids: list[list[int]]) -> None:
    common = common_beginning(ids)
    assert all(tuple(row[: len(common)]) == common for row in ids)
    longer = {tuple(row[: len(common) + 1]) for row in ids}
    assert len(longer) > 1 or longer == {common}
