"""Frozen products whose weights stay laid out: the same products, but for rounding."""

from collections.abc import Callable
from types import SimpleNamespace

import pytest
import torch
import transformers as hf
from torch import Tensor, nn
from transformers.pytorch_utils import Conv1D

from timellm_engine.model import onednn
from timellm_engine.model.activation import fuse_activations
from timellm_engine.model.packed import (
    pack_if_it_answers_as_before,
    pack_products,
    unpack_products,
)
from timellm_engine.model.precision import processor_has_bf16

ROUNDING = {torch.float32: 1e-5, torch.bfloat16: 2e-2}
WIDTH = 128

needs_bf16 = pytest.mark.skipif(
    not processor_has_bf16(), reason="this processor has no instructions for bfloat16"
)
needs_float32 = pytest.mark.skipif(
    not onednn.is_faster(torch.float32), reason="float32 is left to torch on this processor"
)
either_type = pytest.mark.parametrize(
    "dtype",
    [
        pytest.param(torch.bfloat16, marks=needs_bf16),
        pytest.param(torch.float32, marks=needs_float32),
    ],
    ids=str,
)


def frozen(model: nn.Module, dtype: torch.dtype = torch.bfloat16) -> nn.Module:
    return model.to(dtype).requires_grad_(False).eval()


def gpt2(dtype: torch.dtype = torch.bfloat16) -> nn.Module:
    torch.manual_seed(0)
    config = hf.GPT2Config(vocab_size=64, n_embd=WIDTH, n_head=4, n_layer=2)
    model = hf.GPT2Model(config)
    fuse_activations(model)
    return frozen(model, dtype)


def qwen2(dtype: torch.dtype) -> nn.Module:
    torch.manual_seed(0)
    config = hf.Qwen2Config(
        vocab_size=64, hidden_size=256, num_attention_heads=4, num_key_value_heads=2,
        num_hidden_layers=2, intermediate_size=512, max_position_embeddings=64,
    )  # fmt: skip
    return frozen(hf.Qwen2Model(config), dtype)


def answer_and_gradient(model: nn.Module, tokens: Tensor) -> tuple[Tensor, Tensor]:
    inputs = tokens.clone().requires_grad_()
    answer: Tensor = model(inputs_embeds=inputs).last_hidden_state.float()
    weights = torch.linspace(-1.0, 1.0, answer.shape[-1])
    (gradient,) = torch.autograd.grad((answer * weights).sum(), inputs)
    return answer, gradient


def close(found: Tensor, exact: Tensor) -> bool:
    return within(ROUNDING[torch.bfloat16], found, exact)


def within(rounding: float, found: Tensor, exact: Tensor) -> bool:
    return bool((found.float() - exact).abs().max() <= rounding * exact.abs().max())


@either_type
@pytest.mark.parametrize(("make", "width", "products"), [(gpt2, WIDTH, 4), (qwen2, 256, 10)])
@pytest.mark.parametrize("rows", [1, 5])
def test_answers_and_gradients_are_those_of_the_weights(
    make: Callable[[torch.dtype], nn.Module],
    width: int,
    products: int,
    rows: int,
    dtype: torch.dtype,
) -> None:
    model = make(dtype)
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    tokens = torch.randn(rows, 7, width, dtype=dtype)
    exact = answer_and_gradient(model, tokens)
    assert pack_products(model) == products
    found = answer_and_gradient(model, tokens)
    rounding = ROUNDING[dtype]
    assert all(within(rounding, one, other) for one, other in zip(found, exact, strict=True))
    with torch.inference_mode():
        assert within(rounding, model(inputs_embeds=tokens).last_hidden_state, exact[0])
    # Laid out, they are nothing that would be counted; as they were, they take no memory.
    state = model.state_dict()
    assert list(state) == list(before)
    assert all(tensor.shape == before[name].shape for name, tensor in state.items())
    released = [each.untyped_storage().nbytes() < each.nbytes for each in state.values()]
    assert sum(released) == products
    unpack_products(model)
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())
    again = answer_and_gradient(model, tokens)
    assert all(torch.equal(one, other) for one, other in zip(again, exact, strict=True))


class _ReadsItsWeight(nn.Module):
    """A feed-forward part that computes by its layer's weight, and not by its layer."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = nn.Linear(WIDTH, 4 * WIDTH)

    def forward(self, inputs_embeds: Tensor) -> SimpleNamespace:
        return SimpleNamespace(
            last_hidden_state=nn.functional.linear(inputs_embeds, self.inner.weight)
        )


@needs_bf16
def test_a_family_that_reads_its_weights_by_itself_is_left_as_it_was() -> None:
    tokens = torch.randn(1, 3, WIDTH, dtype=torch.bfloat16)
    odd, ordinary = frozen(_ReadsItsWeight()), gpt2()
    exact = odd(tokens).last_hidden_state
    assert pack_if_it_answers_as_before(odd, tokens) == 0
    assert torch.equal(odd(tokens).last_hidden_state, exact)
    assert pack_if_it_answers_as_before(ordinary, tokens) == 4


@needs_bf16
def test_a_weight_that_an_embedding_holds_too_stays_as_it_was() -> None:
    tied, words = nn.Linear(WIDTH, 4 * WIDTH), nn.Embedding(4 * WIDTH, WIDTH)
    words.weight = tied.weight
    other = nn.Linear(WIDTH, 4 * WIDTH)
    model = frozen(nn.ModuleList([tied, words, other]))
    before = words.weight.clone()
    assert pack_products(model) == 1
    assert torch.equal(words.weight, before)
    assert "forward" not in vars(tied)


@needs_float32
def test_more_of_float32_than_a_machine_may_have_room_for_is_left_as_it_is() -> None:
    several = frozen(nn.ModuleList(nn.Linear(256, 256) for _ in range(3)), torch.float32)
    held = 3 * 256 * 256 * 4
    assert pack_products(several, held - 1) == 0
    assert pack_products(several, held) == 3


@needs_bf16
def test_of_bfloat16_there_is_no_too_much() -> None:
    assert pack_products(frozen(nn.Linear(256, 256)), 0) == 1


@pytest.mark.parametrize(
    "layer",
    [
        frozen(nn.Linear(WIDTH, 4 * WIDTH), torch.float64),
        nn.Linear(WIDTH, 4 * WIDTH).to(torch.bfloat16),
        frozen(nn.Linear(8, 8)),
        frozen(nn.Embedding(WIDTH, 4 * WIDTH)),
    ],
    ids=["float64", "trained", "small", "no product"],
)
def test_others_are_left_as_they_are(layer: nn.Module) -> None:
    assert pack_products(nn.Sequential(layer)) == 0
    assert "forward" not in vars(layer)


@needs_bf16
@pytest.mark.parametrize("bias", [True, False])
def test_a_layer_of_either_kind_and_tokens_in_float32(bias: bool) -> None:
    torch.manual_seed(0)
    linear, across = nn.Linear(WIDTH, 4 * WIDTH, bias=bias), Conv1D(4 * WIDTH, WIDTH)
    for layer in (frozen(linear), frozen(across)):
        x = torch.randn(3, 2, WIDTH)
        exact = layer(x.to(torch.bfloat16)).float()
        assert pack_products(layer) == 1
        found = layer(x)
        assert found.dtype == torch.bfloat16
        assert close(found, exact)
