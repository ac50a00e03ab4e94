"""The embedded backbone: the same numbers everywhere, and a tokenizer of the right grain."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from timellm_engine.model.backbone import Backbone, load_backbone
from timellm_engine.model.embedded import SPECIFICATION, embedded_tokenizer, seeded_normal
from timellm_engine.model.embedded_tokenizer import corpus, train_tokenizer
from timellm_engine.model.prompts import default_description, prompt_text, window_statistics
from timellm_ops.contract.config import BackboneSection

TOKENIZER = embedded_tokenizer()


@pytest.fixture(scope="module")
def backbone() -> Backbone:
    return load_backbone(BackboneSection(), seed=2021)


def test_the_backbone_is_the_same_on_every_machine(backbone: Backbone) -> None:
    assert backbone.digest == "ae9a2c27f4ac04a23c010a76a5cf276b96ca746b88b17fc5c1d1d0069b775fd3"


def test_another_seed_is_another_backbone(backbone: Backbone) -> None:
    assert load_backbone(BackboneSection(), seed=2022).digest != backbone.digest


def test_its_shape(backbone: Backbone) -> None:
    assert (backbone.hidden_size, backbone.layers, backbone.max_positions) == (64, 2, 1024)
    assert backbone.causal
    assert backbone.name == "embedded"
    assert len(backbone.tokenizer) == backbone.vocab_size == SPECIFICATION["vocab_size"]


def test_one_layer_is_the_first_of_the_two(backbone: Backbone) -> None:
    one = load_backbone(BackboneSection(layers=1), seed=2021)
    whole = backbone.model.state_dict()
    kept = one.model.state_dict()
    assert one.layers == 1
    assert len(kept) < len(whole)
    assert all(torch.equal(tensor, whole[name]) for name, tensor in kept.items())


@pytest.mark.parametrize("dataset", ["ETTh1", "synthetic", "custom"])
def test_a_prompt_of_512_to_96_is_near_200_tokens(dataset: str) -> None:
    windows = torch.randn(64, 512, generator=torch.Generator().manual_seed(1))
    windows = windows * torch.linspace(0.01, 3.0, 64).unsqueeze(1)
    texts = [
        prompt_text(statistics, default_description(dataset), 512, 96)
        for statistics in window_statistics(windows)
    ]
    lengths = [len(ids) for ids in TOKENIZER(texts).input_ids]
    low = 150 if dataset == "ETTh1" else 130
    assert low <= min(lengths)
    assert max(lengths) <= 230


@settings(max_examples=50, deadline=None)
@given(st.text())
def test_any_text_comes_back(text: str) -> None:
    assert TOKENIZER.decode(TOKENIZER(text).input_ids) == text


def test_digits_are_tokens_of_their_own() -> None:
    assert len(TOKENIZER("2.3859188556671143").input_ids) == len("2.3859188556671143")


def test_the_script_makes_the_tokenizer_that_is_shipped() -> None:
    assert train_tokenizer().get_vocab() == TOKENIZER.get_vocab()


def test_the_corpus_depends_on_its_seed_alone() -> None:
    assert list(corpus(3)) == list(corpus(3)) != list(corpus(4))


def test_drawn_numbers_are_nearly_normal() -> None:
    drawn = seeded_normal("a key", (200_000,), 0.5)
    assert abs(float(drawn.mean())) < 0.01
    assert abs(float(drawn.std()) - 0.5) < 0.005
    assert 0.66 < float((drawn.abs() < 0.5).float().mean()) < 0.69
    assert float(drawn.abs().max()) <= 3.47 * 0.5


def test_drawn_numbers_depend_on_the_key_alone() -> None:
    first = seeded_normal("a key", (3, 4), 1.0)
    assert torch.equal(first, seeded_normal("a key", (3, 4), 1.0))
    assert torch.equal(first.flatten()[:5], seeded_normal("a key", (5,), 1.0))
    assert not torch.equal(first, seeded_normal("another", (3, 4), 1.0))
