"""The layers one by one: shapes and the rules that the reference tensors do not single out."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from timellm_engine.model.attention import attend
from timellm_engine.model.attention_block import dropped_places
from timellm_engine.model.layers import (
    FlattenHead,
    PatchEmbedding,
    PrototypeMapping,
    Reprogramming,
    fold_variables,
    normalise,
    unfold_variables,
)
from timellm_ops.contract.engine_memory import BLOCK_QUERIES
from timellm_ops.contract.shapes import patch_count


@settings(max_examples=50, deadline=None)
@given(st.data())
def test_patch_count_is_the_number_of_patches_there_are(data: st.DataObject) -> None:
    seq_len = data.draw(st.integers(1, 200))
    patch_len = data.draw(st.integers(1, seq_len))
    stride = data.draw(st.integers(1, seq_len))
    embedded = PatchEmbedding(patch_len, stride, 4, 0.0)(torch.randn(2, seq_len))
    assert embedded.shape == (2, patch_count(seq_len, patch_len, stride), 4)


def test_the_last_patch_repeats_the_last_value() -> None:
    embedding = PatchEmbedding(patch_len=4, stride=4, d_model=4, dropout=0.0)
    with torch.no_grad():
        embedding.convolution.weight.zero_()
        embedding.convolution.weight[:, :, 1] = torch.eye(4)  # a patch is its own embedding
    patches = embedding(torch.arange(8.0).unsqueeze(0))
    assert patches[0].tolist() == [[0, 1, 2, 3], [4, 5, 6, 7], [7, 7, 7, 7]]


def test_the_first_patch_sees_the_last_one() -> None:
    embedding = PatchEmbedding(patch_len=2, stride=2, d_model=1, dropout=0.0)
    window = torch.randn(1, 12)
    other = window.clone()
    other[0, -1] += 1.0
    changed = (embedding(window) != embedding(other)).squeeze()
    assert changed.tolist() == [True, False, False, False, True, True, True]


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 4), st.integers(1, 9), st.integers(1, 5))
def test_unfolding_undoes_folding(batch: int, time: int, variables: int) -> None:
    series = torch.randn(batch, time, variables)
    rows = fold_variables(series)
    assert torch.equal(rows[variables - 1], series[0, :, variables - 1])
    assert torch.equal(unfold_variables(rows, variables), series)


def test_a_constant_series_stays_finite() -> None:
    normalised, mean, deviation = normalise(torch.full((2, 5, 1), 3.0))
    assert torch.equal(normalised, torch.zeros(2, 5, 1))
    assert torch.allclose(mean, torch.tensor(3.0))
    assert torch.allclose(deviation, torch.tensor(math.sqrt(1e-5)))


def test_normalisation_divides_by_the_biased_deviation() -> None:
    normalised, _, _ = normalise(torch.tensor([-2.0, 2.0]).view(1, 2, 1))
    assert torch.allclose(normalised.flatten(), torch.tensor([-1.0, 1.0]), atol=1e-5)


def test_a_prototype_is_a_mixture_of_words_and_one_number() -> None:
    mapping = PrototypeMapping(5, 3)
    words = torch.randn(5, 4)
    expected = [
        sum(mapping.weight[p, w] * words[w] for w in range(5)) + mapping.bias[p] for p in range(3)
    ]
    assert torch.allclose(mapping(words), torch.stack(expected), atol=1e-6)


def test_reprogramming_treats_every_row_alone() -> None:
    layer = Reprogramming(d_model=6, n_heads=2, d_keys=5, embedding_size=8, dropout=0.5).eval()
    patches, prototypes = torch.randn(3, 4, 6), torch.randn(7, 8)
    together = layer(patches, prototypes)
    assert together.shape == (3, 4, 8)
    assert torch.allclose(together[1:2], layer(patches[1:2], prototypes), atol=1e-6)


def test_the_head_flattens_feature_by_feature() -> None:
    head = FlattenHead(features=2, patches=3, pred_len=1, dropout=0.0)
    with torch.no_grad():
        head.linear.weight.copy_(torch.tensor([[1.0, 10, 100, 1e3, 1e4, 1e5]]))
        head.linear.bias.zero_()
    hidden = torch.tensor([[[1.0, 4.0], [2.0, 5.0], [3.0, 6.0]]])
    assert head(hidden).item() == 654321.0


def naive(queries: torch.Tensor, keys: torch.Tensor) -> torch.Tensor:
    return (queries @ keys.transpose(1, 2) / math.sqrt(queries.shape[-1])).softmax(dim=-1)


def kept_mask(*shape: int, share: float) -> torch.Tensor:
    """One where nothing is dropped, else zero."""
    mask = torch.ones(math.prod(shape))
    mask[dropped_places(len(mask), share)] = 0.0
    return mask.view(shape)


@pytest.mark.parametrize("count", [3, BLOCK_QUERIES, 2 * BLOCK_QUERIES + 5])
def test_dropping_out_in_blocks_is_dropping_out(count: int) -> None:
    """The same masks on weights that are all held at once give the same answer and gradients."""
    inputs = [torch.randn(2, n, 4, requires_grad=True) for n in (count, 9, 9)]
    torch.manual_seed(5)
    attended = attend(*inputs, dropout=0.4)
    torch.manual_seed(5)
    sizes = [len(block) for block in torch.arange(count).split(BLOCK_QUERIES)]
    masks = torch.cat([kept_mask(2, n, 9, share=0.4) for n in sizes], dim=1)
    expected = (naive(inputs[0], inputs[1]) * masks / 0.6) @ inputs[2]
    assert torch.allclose(attended, expected, atol=1e-5)
    upstream = torch.randn_like(expected)
    for one, other in zip(
        torch.autograd.grad(attended, inputs, upstream),
        torch.autograd.grad(expected, inputs, upstream),
        strict=True,
    ):
        assert torch.allclose(one, other, atol=1e-4)


def test_attention_without_dropout_is_plain_attention() -> None:
    queries, keys, values = torch.randn(2, 5, 4), torch.randn(2, 9, 4), torch.randn(2, 9, 4)
    assert torch.allclose(
        attend(queries, keys, values, 0.0), naive(queries, keys) @ values, atol=1e-6
    )


@pytest.mark.parametrize("share", [1e-6, 0.0001, 0.1, 0.5, 0.9, 0.999])
def test_the_share_that_is_dropped_is_the_one_that_should_be(share: float) -> None:
    torch.manual_seed(0)
    count = 1_000_000
    dropped = len(dropped_places(count, share))
    assert abs(dropped - count * share) <= 5 * math.sqrt(count * share * (1 - share))


@pytest.mark.parametrize("count", [1, 2, 3, 1000])
@pytest.mark.parametrize("share", [1e-9, 0.1, 0.9])
def test_dropped_places_are_places_and_each_is_there_once(count: int, share: float) -> None:
    for seed in range(50):
        torch.manual_seed(seed)
        places = dropped_places(count, share).tolist()
        assert places == sorted(set(places))
        assert not places or (places[0] >= 0 and places[-1] < count)


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_every_place_is_dropped_as_often_and_without_regard_to_the_one_before(share: float) -> None:
    torch.manual_seed(0)
    rounds, count = 4_000, 6  # so few that both ends are in sight
    masks = torch.stack([kept_mask(count, share=share) for _ in range(rounds)])
    dropped = 1.0 - masks
    deviation = 5 * math.sqrt(share * (1 - share) / rounds)
    assert (dropped.mean(dim=0) - share).abs().max() < deviation
    both = (dropped[:, 1:] * dropped[:, :-1]).mean(dim=0)
    assert (both - share**2).abs().max() < 5 * math.sqrt(share**2 * (1 - share**2) / rounds)
