"""A frozen GPT-2 passed through in few operations: the answers and gradients of `transformers`."""

from pathlib import Path
from typing import Any

import pytest
import torch
from tiny_backbones import WIDE, save_backbone, save_model, wide_gpt2
from torch import Tensor, nn
from transformers import GPT2Config, GPT2Model

from timellm_engine.model import onednn
from timellm_engine.model.activation import fuse_activations
from timellm_engine.model.backbone import Backbone, load_backbone
from timellm_engine.model.gpt2_parts import parts_of
from timellm_engine.model.gpt2_pass import GPT2Pass
from timellm_engine.model.gpt2_prefix import GPT2Prefix, gpt2_pass
from timellm_engine.model.packed import pack_products, unpack_products
from timellm_engine.model.prefix import PromptPrefix
from timellm_engine.model.timellm import TimeLLM
from timellm_ops.contract.config import BackboneSection, ModelSection, PromptSection

SHARED = (3, 1, 4, 1, 5)
IDS = [[*SHARED, 9, 2, 6], [*SHARED, 5, 3], [*SHARED, 5, 8, 9, 7]]
PATCHES = 7
CLOSE = {"float32": 1e-5, "bfloat16": 3e-2}
DTYPES = [
    pytest.param(
        name,
        marks=pytest.mark.skipif(
            not onednn.is_faster(getattr(torch, name)),
            reason=f"products in {name} are not laid out on this processor",
        ),
    )
    for name in CLOSE
]
needs_a_pass = pytest.mark.skipif(
    not onednn.is_faster(torch.float32),
    reason="products in float32 are not laid out on this processor",
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_backbone(tmp_path_factory.mktemp("wide"), WIDE)


def loaded(folder: Path, dtype: str = "float32") -> Backbone:
    return load_backbone(BackboneSection(source=str(folder), dtype=dtype), seed=0)  # type: ignore[arg-type]


def prefixes(backbone: Backbone, *, recompute: bool = False) -> tuple[GPT2Prefix, PromptPrefix]:
    gpt2 = gpt2_pass(backbone, recompute=recompute)
    assert gpt2 is not None
    return GPT2Prefix(backbone, SHARED, gpt2), PromptPrefix(backbone, SHARED)


def patches(backbone: Backbone) -> Tensor:
    generator = torch.Generator().manual_seed(2)
    shape = (len(IDS), PATCHES, backbone.embedding_size)
    return torch.randn(shape, generator=generator).to(backbone.word_embeddings.weight.dtype)


def answer_and_gradient(prefix: PromptPrefix, given: Tensor, ids: Any = IDS) -> list[Tensor]:
    own = given.clone().requires_grad_()
    answer = prefix.answer(ids, own).float()
    weights = torch.linspace(-1.0, 1.0, answer.numel()).view(answer.shape)
    return [answer.detach(), *torch.autograd.grad((answer * weights).sum(), own)]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("ids", [IDS, [[1, 2], [2, 1, 3], [7]]], ids=["shared", "nothing shared"])
def test_answers_and_gradients_are_those_of_transformers(
    folder: Path, dtype: str, ids: list[list[int]]
) -> None:
    backbone = loaded(folder, dtype)
    ours, theirs = prefixes(backbone)
    given = patches(backbone)
    for found, expected in zip(
        answer_and_gradient(ours, given, ids), answer_and_gradient(theirs, given, ids), strict=True
    ):
        assert found.shape == expected.shape
        assert (found - expected).abs().max() <= CLOSE[dtype] * expected.abs().max()


@pytest.mark.parametrize("dtype", DTYPES)
def test_without_a_gradient_it_answers_alike(folder: Path, dtype: str) -> None:
    backbone = loaded(folder, dtype)
    ours, _ = prefixes(backbone)
    given = patches(backbone)
    trained, _ = answer_and_gradient(ours, given)
    with torch.inference_mode():
        evaluated = ours.answer(IDS, given).float()
        first = ours.answer(IDS[:1], given[:1]).float()
    limit = CLOSE[dtype] * trained.abs().max()
    assert (evaluated - trained).abs().max() <= limit
    assert (first - trained[:1]).abs().max() <= limit


@pytest.mark.parametrize("dtype", DTYPES)
def test_computed_again_it_has_the_same_bits(folder: Path, dtype: str) -> None:
    backbone = loaded(folder, dtype)
    given = patches(backbone)
    kept, again = (
        answer_and_gradient(prefixes(backbone, recompute=recompute)[0], given)
        for recompute in (False, True)
    )
    assert all(torch.equal(found, expected) for found, expected in zip(again, kept, strict=True))


@needs_a_pass
def test_two_answers_at_once_keep_to_themselves(folder: Path) -> None:
    backbone = loaded(folder)
    ours, _ = prefixes(backbone)
    one, other = patches(backbone).requires_grad_(), (-patches(backbone)).requires_grad_()
    alone = [
        torch.autograd.grad(ours.answer(IDS, each).square().sum(), each) for each in (one, other)
    ]
    first, second = ours.answer(IDS, one), ours.answer(IDS, other)
    (of_other,) = torch.autograd.grad(second.square().sum(), other)
    (of_one,) = torch.autograd.grad(first.square().sum(), one)
    assert torch.equal(of_one, alone[0][0])
    assert torch.equal(of_other, alone[1][0])


def tiny(backbone: Backbone, *, recompute: bool = False) -> TimeLLM:
    torch.manual_seed(5)
    section = ModelSection(d_model=8, n_heads=2, d_ff=16, num_prototypes=20)
    return TimeLLM(
        backbone, section, PromptSection(), "Some series.", 48, 8, recompute=recompute
    ).eval()


@needs_a_pass
@pytest.mark.parametrize("recompute", [False, True])
def test_a_model_takes_it(folder: Path, recompute: bool) -> None:
    model = tiny(loaded(folder), recompute=recompute)
    model(torch.randn(2, 48))
    assert isinstance(model._prefix, GPT2Prefix)
    assert model._prefix._gpt2._first is not None


class _OddAnswer(GPT2Pass):
    def _on(self, layer: Any, *given: Any) -> Tensor:
        return super()._on(layer._replace(scale=1.01 * layer.scale), *given)


class _OddGradient(GPT2Pass):
    def _backward(self, layer: Any, *given: Any) -> Tensor:
        return super()._backward(layer._replace(scale=1.1 * layer.scale), *given)


@needs_a_pass
@pytest.mark.parametrize("odd", [_OddAnswer, _OddGradient])
def test_one_that_answers_otherwise_or_has_another_gradient_is_noticed(
    folder: Path, odd: type[GPT2Pass]
) -> None:
    backbone = loaded(folder)
    parts = parts_of(backbone.model)
    assert parts is not None
    ids = [list(row) for row in IDS]
    given = patches(backbone)
    with torch.no_grad():
        plain = PromptPrefix(backbone, SHARED).answer(ids, given)
    assert GPT2Prefix(backbone, SHARED, GPT2Pass(parts)).agrees(plain, ids, given)
    assert not GPT2Prefix(backbone, SHARED, odd(parts)).agrees(plain, ids, given)
    with torch.inference_mode():
        assert GPT2Prefix(backbone, SHARED, GPT2Pass(parts)).agrees(plain, ids, given.clone())


@needs_a_pass
def test_prompts_without_a_common_beginning(folder: Path) -> None:
    backbone = loaded(folder)
    gpt2 = gpt2_pass(backbone)
    assert gpt2 is not None
    given = patches(backbone)
    found = answer_and_gradient(GPT2Prefix(backbone, (), gpt2), given)
    expected = answer_and_gradient(PromptPrefix(backbone, ()), given)
    assert all(torch.allclose(*pair, atol=1e-4) for pair in zip(found, expected, strict=True))


@needs_a_pass
def test_a_single_row_and_a_gradient_that_is_the_same_everywhere(folder: Path) -> None:
    backbone = loaded(folder)
    found = []
    for prefix in prefixes(backbone):
        own = patches(backbone)[:1].requires_grad_()
        answer = prefix.answer(IDS[:1], own)
        assert answer.shape == own.shape
        spread = answer.transpose(1, 2).flatten(start_dim=1) * torch.arange(answer.numel())
        found.append(torch.autograd.grad(spread.sum() + 3.0 * answer.sum(), own)[0])
    assert (found[0] - found[1]).abs().max() <= 1e-5 * found[1].abs().max()


@needs_a_pass
def test_backward_a_second_time_is_refused(folder: Path) -> None:
    ours, _ = prefixes(loaded(folder))
    own = patches(ours._backbone).requires_grad_()
    total = ours.answer(IDS, own).sum()
    total.backward(retain_graph=True)
    with pytest.raises(RuntimeError, match="backward once"):
        total.backward()


@needs_a_pass
@pytest.mark.parametrize(
    "options",
    [{"scale_attn_by_inverse_layer_idx": True}, {"scale_attn_weights": False}, {"n_inner": 384}],
    ids=str,
)
def test_configs_of_other_kinds(tmp_path: Path, options: dict[str, Any]) -> None:
    config = GPT2Config(vocab_size=512, n_embd=256, n_head=4, n_layer=2, **options)
    backbone = loaded(save_model(tmp_path, lambda: GPT2Model(config)))
    for found, expected in zip(
        *(answer_and_gradient(each, patches(backbone)) for each in prefixes(backbone)), strict=True
    ):
        assert (found - expected).abs().max() <= 1e-5 * expected.abs().max()


def frozen(model: nn.Module) -> nn.Module:
    return model.requires_grad_(False).eval()


@needs_a_pass
def test_what_it_is_not_for() -> None:
    ordinary = frozen(wide_gpt2(1))
    fuse_activations(ordinary)
    assert parts_of(ordinary) is None, "nothing is laid out"
    pack_products(ordinary)
    assert parts_of(ordinary) is not None
    unpack_products(ordinary)
    assert parts_of(ordinary) is None
    pack_products(ordinary)
    del ordinary.h[0].attn.scaling  # type: ignore[index, union-attr]
    assert parts_of(ordinary) is None, "its parts are elsewhere"
    written_out = frozen(wide_gpt2(1))
    pack_products(written_out)
    assert parts_of(written_out) is None, "another activation"
    assert parts_of(frozen(nn.Linear(256, 256))) is None


@needs_a_pass
def test_what_is_held_in_float32_and_computed_in_bfloat16_is_left_to_autocast(
    folder: Path,
) -> None:
    section = BackboneSection(source=str(folder))
    assert gpt2_pass(load_backbone(section, 0, "cpu", "fp32")) is not None
    assert gpt2_pass(load_backbone(section, 0, "cpu", "bf16")) is None
