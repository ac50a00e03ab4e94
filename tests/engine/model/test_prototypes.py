"""Direct prototypes: the same function as the mapping, learned without it."""

import pytest
import torch

from timellm_engine.model.backbone import Backbone, load_backbone
from timellm_engine.model.layers import PrototypeMapping, TextPrototypes
from timellm_engine.model.timellm import TimeLLM
from timellm_engine.training.build import build
from timellm_engine.training.schedule import Pace
from timellm_engine.training.step import Stepper
from timellm_ops.contract.config import (
    BackboneSection,
    Config,
    DataSection,
    ModelSection,
    PromptSection,
    TrainSection,
)

SHAPE = {"d_model": 8, "n_heads": 2, "d_ff": 8, "num_prototypes": 6}
DATA = DataSection(
    dataset="synthetic", seq_len=32, pred_len=8, synthetic_rows=400, synthetic_columns=1
)


@pytest.fixture(scope="module")
def backbone() -> Backbone:
    return load_backbone(BackboneSection(layers=1), seed=0)


def drawn(backbone: Backbone, prototypes: str) -> TimeLLM:
    torch.manual_seed(7)
    settings = ModelSection(**SHAPE, prototypes=prototypes)
    return TimeLLM(backbone, settings, PromptSection(), "Tides.", 32, 8).eval()


def test_they_begin_where_the_mapping_begins(backbone: Backbone) -> None:
    x = torch.randn(3, 32).cumsum(dim=1)
    mapping, direct = drawn(backbone, "mapping"), drawn(backbone, "direct")
    assert torch.equal(mapping.text_prototypes(), direct.text_prototypes())
    assert torch.equal(mapping(x), direct(x))


def test_they_are_what_a_bundle_holds(backbone: Backbone) -> None:
    direct = drawn(backbone, "direct")
    assert direct.folded_state().keys() == direct.trainable_state().keys()
    assert direct.folded_state().keys() == drawn(backbone, "mapping").folded_state().keys()


@pytest.mark.parametrize("rate", [1.0, 5.0])
def test_their_rate_is_a_multiple_of_the_schedules(rate: float) -> None:
    model = ModelSection(**SHAPE, prototypes="direct", prototype_rate=rate)
    job = build(Config(data=DATA, model=model, train=TrainSection(threads=1)))
    before = {n: t.clone() for n, t in job.model.trainable_state().items()}
    x, y = job.data.train.batch(torch.arange(4))
    Stepper(job.config.train, job.model, job.optimiser, job.trainable).take(x, y, Pace(1e-3))
    # The first step of Adam is as long as the learning rate, wherever there is a gradient.
    longest = {
        n: float((t - before[n]).abs().max()) for n, t in job.model.trainable_state().items()
    }
    assert longest.pop("prototypes.values") == pytest.approx(rate * 1e-3, rel=1e-2)
    assert max(longest.values()) == pytest.approx(1e-3, rel=1e-2)


def test_the_mapping_has_one_rate() -> None:
    model = ModelSection(prototypes="mapping", **SHAPE)
    job = build(Config(data=DATA, model=model, train=TrainSection(threads=1)))
    assert len(job.optimiser.param_groups) == 1


def test_they_are_drawn_piece_by_piece_as_if_at_once() -> None:
    words = torch.randn(500, 12)
    torch.manual_seed(3)
    mapping = PrototypeMapping(500, 150)
    whole, drawn = mapping(words), torch.get_rng_state()
    torch.manual_seed(3)
    pieces = TextPrototypes.begun_by_mapping(150, words)
    assert torch.equal(torch.get_rng_state(), drawn)
    torch.testing.assert_close(pieces.values, whole, rtol=1e-5, atol=1e-6)
