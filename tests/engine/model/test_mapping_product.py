"""The mapping's product in kept memory: the same numbers, and no new pages in every step."""

import math

import pytest
import torch
from torch import Tensor

from timellm_engine.model import onednn
from timellm_engine.model.layers import PrototypeMapping
from timellm_engine.model.mapping_product import MappingMemory
from timellm_engine.model.precision import computing_in

WORDS, PROTOTYPES, WIDTH = 300, 7, 16


def mapping(count: int = WORDS) -> PrototypeMapping:
    torch.manual_seed(0)
    return PrototypeMapping(count, PROTOTYPES)


def words(dtype: torch.dtype, count: int = WORDS) -> Tensor:
    return torch.randn(count, WIDTH, generator=torch.Generator().manual_seed(1)).to(dtype)


def plainly(layer: PrototypeMapping, given: Tensor) -> Tensor:
    return (layer.weight.to(given.dtype) @ given).float() + layer.bias.unsqueeze(1)


def gradient(layer: PrototypeMapping, answer: Tensor) -> Tensor:
    answer.square().sum().backward()
    assert layer.weight.grad is not None
    return layer.weight.grad


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_answers_and_gradients_are_those_of_a_plain_product_to_the_bit(dtype: torch.dtype) -> None:
    ours, plain, given = mapping(), mapping(), words(dtype)
    for _ in range(2):  # what the second step finds in the memory must not show
        found, expected = ours(given), plainly(plain, given)
        assert torch.equal(found, expected)
        assert torch.equal(gradient(ours, found), gradient(plain, expected))
        for layer in (ours, plain):
            with torch.no_grad():
                layer.weight.sub_(0.01 * layer.weight.grad)
            layer.zero_grad(set_to_none=True)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_gradients_of_several_passes_add_up(dtype: torch.dtype) -> None:
    ours, plain, given = mapping(), mapping(), words(dtype)
    for _ in range(3):
        found, expected = gradient(ours, ours(given)), gradient(plain, plainly(plain, given))
        assert torch.equal(found, expected)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_a_step_takes_the_memory_of_the_one_before(dtype: torch.dtype) -> None:
    layer, given = mapping(), words(dtype)
    places = []
    for _ in range(2):
        places.append(gradient(layer, layer(given)).data_ptr())
        layer.zero_grad(set_to_none=True)
        torch.empty(PROTOTYPES, WORDS)  # which would take a place that is free
    assert places[0] == places[1]


def test_what_an_evaluation_began_with_can_be_trained() -> None:
    ours, given = mapping(), words(torch.bfloat16)
    with torch.inference_mode():
        evaluated = ours(given).clone()
    trained = ours(given)
    assert torch.equal(trained, evaluated)
    assert torch.isfinite(gradient(ours, trained)).all()


def test_what_is_converted_on_the_way_is_left_to_torch() -> None:
    ours, plain, given = mapping(), mapping(), words(torch.float32)
    with computing_in("bf16", torch.device("cpu")):
        found, expected = ours(given), plainly(plain, given)
    assert torch.equal(found, expected)
    assert torch.equal(gradient(ours, found), gradient(plain, expected))


MANY = 3 * 4096 + 5
"""Words enough for oneDNN, and not in whole pieces."""


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_many_words_give_the_same_but_for_rounding(dtype: torch.dtype) -> None:
    if not onednn.is_faster(dtype):
        pytest.skip(f"torch's own products are taken for {dtype} on this processor")
    ours, plain, given = mapping(MANY), mapping(MANY), words(dtype, MANY)
    rounding = 1e-5 if dtype == torch.float32 else 1e-2
    for _ in range(2):
        found, expected = ours(given), plainly(plain, given)
        torch.testing.assert_close(found, expected, rtol=rounding, atol=rounding)
        own, other = gradient(ours, found), gradient(plain, expected)
        limit = rounding * float(other.abs().max())
        torch.testing.assert_close(own, other, rtol=rounding, atol=limit)
        assert math.isfinite(float(own.sum()))
        for layer in (ours, plain):
            layer.zero_grad(set_to_none=True)


def test_words_are_laid_out_once() -> None:
    if not onednn.is_faster(torch.bfloat16):
        pytest.skip("this processor has no instructions for bfloat16")
    layer, given = mapping(MANY), words(torch.bfloat16, MANY)
    with torch.inference_mode():
        layer(given)
    memory = layer._memory
    first = memory.laid_out(given)
    assert first is not None
    gradient(layer, layer(given))
    assert memory.laid_out(given) is first
    other = given.clone()
    assert memory.laid_out(other) is not first
    assert MappingMemory().laid_out(words(torch.bfloat16)) is None
