"""A frozen GPT-2 passed through in few operations: the answers and gradients of `transformers`."""

from pathlib import Path
from typing import Any

import pytest
import torch
from tiny_backbones import WIDE, save_backbone, wide_gpt2
from torch import Tensor, nn

from timellm_engine.model import onednn
from timellm_engine.model.activation import fuse_activations
from timellm_engine.model.backbone import Backbone, load_backbone
from timellm_engine.model.gpt2_pass import gpt2_pass
from timellm_engine.model.gpt2_prefix import GPT2Prefix
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
    gpt2 = gpt2_pass(backbone.model, recompute=recompute)
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


@needs_a_pass
def test_one_that_answers_otherwise_is_not_taken(folder: Path) -> None:
    backbone = loaded(folder)
    backbone.model.h[1].attn.scaling *= 1.01  # type: ignore[index, union-attr]
    gpt2 = gpt2_pass(backbone.model)
    backbone.model.h[1].attn.scaling /= 1.01  # type: ignore[index, union-attr]
    assert gpt2 is not None
    ids = [list(row) for row in IDS]
    odd, plain = GPT2Prefix(backbone, SHARED, gpt2), PromptPrefix(backbone, SHARED)
    given = patches(backbone)
    with torch.no_grad():
        expected = plain.answer(ids, given)
    assert plain.agrees(expected, ids, given)
    assert not odd.agrees(expected, ids, given)


def frozen(model: nn.Module) -> nn.Module:
    return model.requires_grad_(False).eval()


@needs_a_pass
def test_what_it_is_not_for() -> None:
    ordinary = frozen(wide_gpt2(1))
    fuse_activations(ordinary)
    assert gpt2_pass(ordinary) is None, "nothing is laid out"
    pack_products(ordinary)
    assert gpt2_pass(ordinary) is not None
    unpack_products(ordinary)
    assert gpt2_pass(ordinary) is None
    written_out = frozen(wide_gpt2(1))
    pack_products(written_out)
    assert gpt2_pass(written_out) is None, "another activation"
    assert gpt2_pass(frozen(nn.Linear(256, 256))) is None
