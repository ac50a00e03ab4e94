"""Frozen products whose weights stay laid out: the same products, but for rounding."""

from types import SimpleNamespace

import pytest
import torch
import transformers as hf
from torch import Tensor, nn
from transformers.pytorch_utils import Conv1D

from timellm_engine.model.activation import TanhGELU, fuse_activations
from timellm_engine.model.packed import (
    pack_if_it_answers_as_before,
    pack_products,
    unpack_products,
)
from timellm_engine.model.precision import processor_has_bf16

ROUNDING = 2e-2
WIDTH = 128

needs_bf16 = pytest.mark.skipif(
    not processor_has_bf16(), reason="this processor has no instructions for bfloat16"
)


def frozen(model: nn.Module, dtype: torch.dtype = torch.bfloat16) -> nn.Module:
    return model.to(dtype).requires_grad_(False).eval()


def gpt2() -> nn.Module:
    torch.manual_seed(0)
    config = hf.GPT2Config(vocab_size=64, n_embd=WIDTH, n_head=4, n_layer=2)
    model = hf.GPT2Model(config)
    fuse_activations(model)
    return frozen(model)


def qwen2() -> nn.Module:
    torch.manual_seed(0)
    config = hf.Qwen2Config(
        vocab_size=64, hidden_size=256, num_attention_heads=4, num_key_value_heads=2,
        num_hidden_layers=2, intermediate_size=512, max_position_embeddings=64,
    )  # fmt: skip
    return frozen(hf.Qwen2Model(config))


def answer_and_gradient(model: nn.Module, tokens: Tensor) -> tuple[Tensor, Tensor]:
    inputs = tokens.clone().requires_grad_()
    answer: Tensor = model(inputs_embeds=inputs).last_hidden_state.float()
    weights = torch.linspace(-1.0, 1.0, answer.shape[-1])
    (gradient,) = torch.autograd.grad((answer * weights).sum(), inputs)
    return answer, gradient


def close(found: Tensor, exact: Tensor) -> bool:
    return bool((found.float() - exact).abs().max() <= ROUNDING * exact.abs().max())


@needs_bf16
@pytest.mark.parametrize(("make", "width", "products"), [(gpt2, WIDTH, 4), (qwen2, 256, 10)])
@pytest.mark.parametrize("rows", [1, 5])
def test_answers_and_gradients_are_those_of_the_weights(
    make: type[nn.Module], width: int, products: int, rows: int
) -> None:
    model = make()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    tokens = torch.randn(rows, 7, width, dtype=torch.bfloat16)
    exact = answer_and_gradient(model, tokens)
    assert pack_products(model) == products
    found = answer_and_gradient(model, tokens)
    assert all(close(one, other.float()) for one, other in zip(found, exact, strict=True))
    with torch.inference_mode():
        assert close(model(inputs_embeds=tokens).last_hidden_state, exact[0])
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


@needs_bf16
def test_what_no_gradient_goes_through_has_one_kernel_less() -> None:
    model = gpt2()
    pack_products(model)
    activated: list[Tensor] = []
    for part in model.modules():
        if isinstance(part, TanhGELU):
            part.register_forward_hook(lambda *_: activated.append(_[2]))
    tokens = torch.randn(2, 7, WIDTH, dtype=torch.bfloat16)
    with torch.no_grad():
        model(inputs_embeds=tokens)
    assert not activated
    model(inputs_embeds=tokens.requires_grad_())
    assert len(activated) == 2


@pytest.mark.parametrize(
    "layer",
    [
        frozen(nn.Linear(WIDTH, 4 * WIDTH), torch.float32),
        nn.Linear(WIDTH, 4 * WIDTH).to(torch.bfloat16),
        frozen(nn.Linear(8, 8)),
        frozen(nn.Embedding(WIDTH, 4 * WIDTH)),
    ],
    ids=["float32", "trained", "small", "no product"],
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
