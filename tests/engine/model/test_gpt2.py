"""Our GPT-2 is the one of `transformers`, bit for bit, in every way that it is called."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from transformers import GPT2Config as LibraryConfig
from transformers import GPT2Model

from timellm_engine.model.embedded import SPECIFICATION, embedded_model
from timellm_engine.model.gpt2 import GPT2, GPT2Cache
from timellm_engine.model.reading import ReadingCache

LAYERS, WIDTH = SPECIFICATION["n_layer"], SPECIFICATION["n_embd"]
SHARED, LONGEST = 9, 5


@pytest.fixture(autouse=True, scope="module")
def one_thread() -> Iterator[None]:
    """A second one has nothing to do with tensors of this size but to wait for the first."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def library_model() -> nn.Module:
    given = {key: value for key, value in SPECIFICATION.items() if key != "model_type"}
    model: nn.Module = GPT2Model(LibraryConfig(**given, use_cache=False))
    return model


def both(dtype: torch.dtype) -> tuple[nn.Module, GPT2]:
    """Theirs and ours with the same weights, wide ones, so that every part of it shows."""
    ours, theirs = embedded_model(LAYERS, seed=0), library_model()
    generator = torch.Generator().manual_seed(1)
    for parameter in ours.parameters():
        parameter.data.normal_(std=0.2, generator=generator)
    theirs.load_state_dict(ours.state_dict())
    for model in (theirs, ours):
        model.to(dtype).requires_grad_(False).eval()
    return theirs, ours


MODELS = {dtype: both(dtype) for dtype in (torch.float32, torch.bfloat16)}


def answer_and_gradient(
    model: nn.Module, tokens: Tensor, **arguments: Any
) -> tuple[Tensor, Tensor]:
    inputs = tokens.clone().requires_grad_()
    answer: Tensor = model(inputs_embeds=inputs, **arguments).last_hidden_state
    weights = torch.linspace(-1.0, 1.0, WIDTH)
    (gradient,) = torch.autograd.grad((answer.float() * weights).sum(), inputs)
    return answer, gradient


def same(first: tuple[Tensor, Tensor], second: tuple[Tensor, Tensor]) -> bool:
    return all(torch.equal(one, other) for one, other in zip(first, second, strict=True))


dtypes = st.sampled_from(sorted(MODELS, key=str))
lengths = st.integers(1, 24)
row_counts = st.integers(1, 5)
seeds = st.integers(0, 99)


@settings(max_examples=25, deadline=None)
@given(dtype=dtypes, rows=row_counts, length=lengths, seed=seeds, masked=st.booleans())
def test_a_sequence_in_one_piece(
    dtype: torch.dtype, rows: int, length: int, seed: int, masked: bool
) -> None:
    torch.manual_seed(seed)
    tokens = torch.randn(rows, length, WIDTH, dtype=dtype)
    mask = (torch.arange(length) < torch.randint(1, length + 1, (rows, 1))).long()
    arguments = {"attention_mask": mask} if masked else {}
    theirs, ours = (answer_and_gradient(model, tokens, **arguments) for model in MODELS[dtype])
    assert same(theirs, ours)


def read_ahead(
    model: nn.Module, new_cache: Callable[[], Any], shared: Tensor, prompts: Tensor
) -> Any:
    """A cache that has read a beginning once for all rows, and then the rest of each."""
    rows = len(prompts)
    with torch.no_grad():
        once, cache = new_cache(), new_cache()
        with once.reading():
            model(inputs_embeds=shared, cache=once, use_cache=True)
        for layer, read in enumerate(once.layers):
            cache.update(
                read.keys.expand(rows, -1, -1, -1), read.values.expand(rows, -1, -1, -1), layer
            )
        with cache.reading():
            model(inputs_embeds=prompts, cache=cache, use_cache=True)
    return cache


@settings(max_examples=20, deadline=None)
@given(dtype=dtypes, rows=row_counts, length=lengths, seed=seeds)
def test_tokens_after_prompts_that_were_read_ahead(
    dtype: torch.dtype, rows: int, length: int, seed: int
) -> None:
    torch.manual_seed(seed)
    shared = torch.randn(1, SHARED, WIDTH, dtype=dtype)
    prompts = torch.randn(rows, LONGEST, WIDTH, dtype=dtype)
    tokens = torch.randn(rows, length, WIDTH, dtype=dtype)
    own = torch.randint(1, LONGEST + 1, (rows, 1))
    mask = torch.ones(rows, SHARED + LONGEST + length, dtype=torch.long)
    mask[:, SHARED : SHARED + LONGEST] = torch.arange(LONGEST) < own
    positions = SHARED + own + torch.arange(length)
    theirs, ours = (
        answer_and_gradient(
            model, tokens, attention_mask=mask, position_ids=positions, use_cache=True,
            cache=read_ahead(model, new_cache, shared, prompts),
        )
        for model, new_cache in zip(
            MODELS[dtype], (lambda: ReadingCache(LAYERS), GPT2Cache), strict=True
        )
    )  # fmt: skip
    assert same(theirs, ours)


@pytest.mark.parametrize("length", [1, 4])
def test_positions_go_on_from_what_was_read(length: int) -> None:
    model = MODELS[torch.float32][1]
    tokens = torch.randn(2, SHARED + length, WIDTH)
    whole = model(inputs_embeds=tokens).last_hidden_state
    cache = GPT2Cache()
    with cache.reading():
        model(inputs_embeds=tokens[:, :SHARED], cache=cache)
    assert cache.length == SHARED
    rest = model(inputs_embeds=tokens[:, SHARED:], cache=cache).last_hidden_state
    assert torch.allclose(rest, whole[:, SHARED:], rtol=1e-4, atol=1e-5)
    assert cache.length == SHARED + length


@pytest.mark.parametrize(
    ("of", "new_cache"), [(0, lambda: ReadingCache(LAYERS)), (1, GPT2Cache)], ids=["hf", "own"]
)
def test_once_all_is_read_nothing_more_is_kept(of: int, new_cache: Callable[[], Any]) -> None:
    model = MODELS[torch.float32][of]
    cache = read_ahead(model, new_cache, torch.randn(1, 3, WIDTH), torch.randn(2, 2, WIDTH))
    cache.complete()
    tokens = torch.randn(2, 4, WIDTH)
    first, second = (
        answer_and_gradient(model, tokens, cache=cache, use_cache=True) for _ in range(2)
    )
    assert [layer.keys.shape[2] for layer in cache.layers] == [5] * LAYERS
    assert same(first, second)
    with torch.no_grad():
        model(inputs_embeds=tokens, cache=cache, use_cache=True)
    assert [layer.keys.shape[2] for layer in cache.layers] == [5] * LAYERS


@pytest.mark.parametrize(
    ("of", "new_cache"), [(0, lambda: ReadingCache(LAYERS)), (1, GPT2Cache)], ids=["hf", "own"]
)
def test_where_there_was_nothing_to_read_nothing_is_kept(
    of: int, new_cache: Callable[[], Any]
) -> None:
    model, tokens = MODELS[torch.float32][of], torch.randn(2, 4, WIDTH)
    cache = new_cache()
    cache.complete()
    first, second = (
        answer_and_gradient(model, tokens, cache=cache, use_cache=True) for _ in range(2)
    )
    assert same(first, second)


def test_weights_have_the_names_and_shapes_of_the_librarys() -> None:
    theirs = {name: tensor.shape for name, tensor in library_model().state_dict().items()}
    ours = {name: tensor.shape for name, tensor in embedded_model(LAYERS, 0).state_dict().items()}
    assert ours == theirs
