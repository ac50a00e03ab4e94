"""What is said of the trainable tensors without a model, against models that are built."""

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny_backbones import save_backbone
from torch import Tensor

from timellm_engine.model.backbone import Backbone, load_backbone
from timellm_engine.model.timellm import TimeLLM
from timellm_ops.contract.config import BackboneSection, ModelSection, PromptSection
from timellm_ops.contract.shapes import EMBEDDING, VOCABULARY, TensorShape, trainable_shapes


@pytest.fixture(scope="module")
def backbones(tmp_path_factory: pytest.TempPathFactory) -> list[Backbone]:
    root = tmp_path_factory.mktemp("backbones")
    sources = [
        "embedded",
        *(str(save_backbone(root / f, f)) for f in ("llama", "opt")),
    ]
    return [load_backbone(BackboneSection(source=source), seed=0) for source in sources]


@settings(max_examples=40)
@given(st.data())
def test_a_model_has_the_tensors_that_were_foretold(
    backbones: list[Backbone], data: st.DataObject
) -> None:
    backbone = data.draw(st.sampled_from(backbones))
    few = st.integers(1, 12)
    model = ModelSection(
        patch_len=data.draw(few), stride=data.draw(few), d_model=data.draw(few),
        n_heads=data.draw(few), d_ff=data.draw(few), num_prototypes=data.draw(few),
        prototypes=data.draw(st.sampled_from(["mapping", "direct"])),
    )  # fmt: skip
    seq_len, pred_len = data.draw(st.integers(12, 60)), data.draw(few)
    built = TimeLLM(backbone, model, PromptSection(), "Tides.", seq_len, pred_len)
    foretold = trainable_shapes(
        model, seq_len, pred_len,
        embedding_size=backbone.embedding_size, vocab_size=backbone.vocab_size,
    )  # fmt: skip
    real = {name: tuple(tensor.shape) for name, tensor in built.trainable_state().items()}
    assert {tensor.name: tensor.shape for tensor in foretold} == real
    assert sum(tensor.count for tensor in foretold) == sum(
        parameter.numel() for parameter in built.parameters() if parameter.requires_grad
    )


class Headless(TimeLLM):
    """A model that has come apart from what is said of it."""

    def trainable_state(self) -> dict[str, Tensor]:
        return {n: t for n, t in super().trainable_state().items() if "head" not in n}


def test_a_model_that_is_not_what_was_foretold_cannot_be_built(backbones: list[Backbone]) -> None:
    with pytest.raises(RuntimeError, match=r"contract\.shapes"):
        Headless(backbones[0], ModelSection(), PromptSection(), "Tides.", 48, 12)


def foretold(**changes: int) -> tuple[TensorShape, ...]:
    """The tensors of numbers that are all different; `model.d_ff=9` changes one of them."""
    numbers = {
        "data.seq_len": 512, "data.pred_len": 96, EMBEDDING: 77, VOCABULARY: 501,
        "model.patch_len": 16, "model.stride": 8, "model.d_model": 31, "model.n_heads": 7,
        "model.d_ff": 33, "model.num_prototypes": 1_000, **changes,
    }  # fmt: skip
    model = msgspec.structs.replace(
        ModelSection(),
        **{k.partition(".")[2]: v for k, v in numbers.items() if k.startswith("model.")},
    )
    return trainable_shapes(
        model, numbers["data.seq_len"], numbers["data.pred_len"],
        embedding_size=numbers[EMBEDDING], vocab_size=numbers[VOCABULARY],
    )  # fmt: skip


@pytest.mark.parametrize(
    ("setting", "other"),
    [
        ("data.seq_len", 1_024), ("data.pred_len", 192), (EMBEDDING, 78), (VOCABULARY, 502),
        ("model.patch_len", 48), ("model.stride", 16), ("model.d_model", 30),
        ("model.n_heads", 8), ("model.d_ff", 34), ("model.num_prototypes", 999),
    ],
)  # fmt: skip
def test_a_dimension_changes_with_the_settings_it_comes_from_and_no_other(
    setting: str, other: int
) -> None:
    for before, after in zip(foretold(), foretold(**{setting: other}), strict=True):
        for size, changed, settings_ in zip(before.shape, after.shape, before.depends, strict=True):
            assert (size != changed) == (setting in settings_), before.name


def test_the_users_own_run_has_these_weights() -> None:
    model = ModelSection(prototypes="mapping")
    shapes = trainable_shapes(model, 512, 96, embedding_size=2_048, vocab_size=151_936)
    counts: dict[str, int] = {}
    for shape in shapes:
        counts[shape.module] = counts.get(shape.module, 0) + shape.count
    assert counts == {
        "patch_embedding": 1_536,
        "mapping": 151_937_000,
        "reprogramming": 1_583_872,
        "head": 196_704,
    }
