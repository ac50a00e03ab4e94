"""Queries, keys and values of words at places: the products that they are, in any company."""

from functools import lru_cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from test_gpt2_pass import DTYPES, loaded, needs_a_pass
from tiny_backbones import WIDE, save_backbone
from torch import Tensor

from timellm_engine.model.gpt2_first_layer import FirstLayer, settled_first_layer
from timellm_engine.model.gpt2_parts import Parts, parts_of

WORDS = 512
OF_ONE = {"float32": 3 * 256 * 4, "bfloat16": 3 * 256 * 2}
prompts = st.tuples(
    st.integers(0, 40),
    st.integers(1, 3).flatmap(
        lambda rows: st.integers(1, 30).flatmap(
            lambda tokens: st.lists(
                st.lists(st.integers(0, 12), min_size=tokens, max_size=tokens),
                min_size=rows,
                max_size=rows,
            )
        )
    ),
)
"""Where they begin, and their words: few, so that some come again."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_backbone(tmp_path_factory.mktemp("wide"), WIDE)


def parts_in(folder: Path, dtype: str) -> Parts:
    found = parts_of(loaded(folder, dtype).model)
    assert found is not None
    return found


@lru_cache
def parts_of_one() -> Parts:
    """For a property, which has no fixtures of its own."""
    with TemporaryDirectory() as made:
        return parts_in(save_backbone(Path(made), WIDE), "float32")


def in_one_product(parts: Parts, tokens: Tensor, begun: int) -> Tensor:
    places = torch.arange(begun, begun + tokens.shape[1])
    hidden = (parts.words(tokens) + parts.positions(places)).flatten(end_dim=1)
    return parts.layers[0].asked.times(parts.layers[0].before_attention(hidden)[0])


@pytest.mark.parametrize("dtype", DTYPES)
def test_it_is_the_layers_own_product(folder: Path, dtype: str) -> None:
    parts = parts_in(folder, dtype)
    tokens = torch.randint(0, WORDS, (3, 50), generator=torch.Generator().manual_seed(0))
    found = FirstLayer(parts).queries_keys_and_values(tokens, 9)
    expected = in_one_product(parts, tokens, 9)
    assert (found.shape, found.dtype) == (expected.shape, expected.dtype)
    close = {"float32": 1e-5, "bfloat16": 1e-2}[dtype]
    assert (found - expected).abs().max() <= close * expected.abs().max()


@needs_a_pass
@settings(max_examples=30, deadline=None)
@given(before=st.lists(prompts, max_size=4), last=prompts, room=st.sampled_from([0, 3, 40, 10_000]))
def test_what_came_before_changes_no_bit(before: Any, last: Any, room: int) -> None:
    parts = parts_of_one()
    used, fresh = FirstLayer(parts, room * OF_ONE["float32"]), FirstLayer(parts)
    for begun, words in before:
        used.queries_keys_and_values(torch.tensor(words), begun)
    begun, words = last
    expected = fresh.queries_keys_and_values(torch.tensor(words), begun)
    assert torch.equal(used.queries_keys_and_values(torch.tensor(words), begun), expected)
    with torch.inference_mode():
        assert torch.equal(
            FirstLayer(parts).queries_keys_and_values(torch.tensor(words), begun), expected
        )


@pytest.mark.parametrize("dtype", DTYPES)
def test_no_more_is_kept_than_there_is_room_for(folder: Path, dtype: str) -> None:
    parts = parts_in(folder, dtype)
    first, calls, asked = FirstLayer(parts, 100 * OF_ONE[dtype]), [], parts.layers[0].asked
    times = asked.times

    def counted(rows: Tensor) -> Tensor:
        calls.append(len(rows))
        return times(rows)

    asked.times = counted  # type: ignore[method-assign]
    for begun in (0, 5, 0, 900):
        first.queries_keys_and_values((torch.arange(60).view(2, 30) + begun) % WORDS, begun)
    made = len(calls)
    first.queries_keys_and_values(torch.arange(60).view(2, 30), 0)
    assert len(calls) == made, "made once more"
    first.queries_keys_and_values((torch.arange(60).view(2, 30) + 900) % WORDS, 900)
    assert len(calls) > made, "kept beyond what there is room for"
    assert set(calls) == {16}, "a product of another size may round in another way"


@needs_a_pass
def test_where_company_changes_bits_nothing_is_made_ahead(folder: Path) -> None:
    parts = parts_in(folder, "float32")
    assert settled_first_layer(parts) is not None
    times = parts.layers[0].asked.times
    asked = parts.layers[0].asked
    asked.times = lambda rows: times(rows) + 1e-6 * times(rows[:1])  # type: ignore[method-assign]
    assert settled_first_layer(parts) is None


@needs_a_pass
def test_a_backbone_with_few_words_and_places_is_tried_as_well(folder: Path) -> None:
    parts = parts_in(folder, "float32")
    few = parts._replace(
        words=torch.nn.Embedding.from_pretrained(parts.words.weight[:5]),
        positions=torch.nn.Embedding.from_pretrained(parts.positions.weight[:7]),
    )
    first = settled_first_layer(few)
    assert first is not None
    tokens = torch.tensor([[4, 0, 3]])
    assert torch.equal(
        first.queries_keys_and_values(tokens, 4),
        FirstLayer(parts).queries_keys_and_values(tokens, 4),
    )
