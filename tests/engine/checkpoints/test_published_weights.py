"""Checkpoints of the published code: their very bits, opened safely, or one line that says why."""

import os
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import save_file
from tiny_runs import same, tiny_run, weights
from torch import Tensor

from timellm_engine.checkpoints.published_weights import settings_of, take_over
from timellm_engine.errors import InputError
from timellm_engine.model.timellm import PUBLISHED_NAMES
from timellm_engine.results.trained import load_trained
from timellm_engine.run_config import read_config
from timellm_engine.training.build import build
from timellm_ops.contract.config import Config, DataSection, ModelSection
from timellm_ops.contract.layout import RunLayout
from timellm_ops.contract.published_weights import WeightsAnswer, WeightsQuestion
from timellm_ops.contract.shapes import trainable_shapes

State = dict[str, Tensor]


@pytest.fixture(scope="module")
def trained() -> State:
    """Weights under our names, as some training may have left them."""
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        layout = tiny_run(Path(folder), run__seed=7, model__prototypes="mapping")
        return {n: t.clone() for n, t in build(read_config(layout)).model.trainable_state().items()}


def published(state: State, prefix: str = "") -> dict[str, Tensor]:
    """The same as the published code saves it, with some of the frozen backbone."""
    frozen = {"llm_model.wte.weight": torch.zeros(4, 4), "llm_model.ln_f.bias": torch.zeros(4)}
    named = {PUBLISHED_NAMES[name]: tensor for name, tensor in state.items()}
    return {f"{prefix}{name}": tensor for name, tensor in {**named, **frozen}.items()}


def imported(file: Path, root: Path, **changes: Any) -> tuple[RunLayout, WeightsAnswer]:
    layout = tiny_run(root, **{"model__prototypes": "mapping", **changes})
    question = WeightsQuestion(file=str(file), folder=str(root), config_name="mine.toml")
    return layout, take_over(question)


def saved(path: Path, held: object) -> Path:
    torch.save(held, path)
    return path


WRAPPED: dict[str, Callable[[State], object]] = {
    "plain": published,
    "of several processes": lambda state: published(state, "module."),
    "one level down": lambda state: {"epoch": 3, "state_dict": published(state)},
    "of a deepspeed engine": lambda state: {"module": published(state), "optimizer": {"lr": 1.0}},
}


@pytest.mark.parametrize("how", WRAPPED)
def test_its_bits_are_taken_over(trained: State, tmp_path: Path, how: str) -> None:
    file = saved(tmp_path / "checkpoint", WRAPPED[how](trained))
    layout, answer = imported(file, tmp_path / "run")
    assert same(weights(layout, "best"), trained)
    assert (answer.tensors, answer.ignored, answer.types) == (13, 2, ("float32",))
    assert answer.parameters == sum(tensor.numel() for tensor in trained.values())
    assert {path.name for path in layout.checkpoints.iterdir()} == {"best"}


def test_what_was_imported_can_be_used_like_a_training_of_ours(
    trained: State, tmp_path: Path
) -> None:
    layout, _ = imported(saved(tmp_path / "checkpoint", published(trained)), tmp_path / "run")
    used = load_trained(layout, read_config(layout), "best")
    assert same(used.job.model.trainable_state(), trained)


def test_bfloat16_is_held_in_single_precision(trained: State, tmp_path: Path) -> None:
    half = {name: tensor.bfloat16() for name, tensor in trained.items()}
    layout, answer = imported(saved(tmp_path / "checkpoint", published(half)), tmp_path / "run")
    assert answer.types == ("bfloat16",)
    assert same(weights(layout, "best"), {name: t.float() for name, t in half.items()})


def test_the_same_names_in_safetensors_are_read_too(trained: State, tmp_path: Path) -> None:
    file = tmp_path / "checkpoint.safetensors"
    save_file(published(trained), file)
    layout, _ = imported(file, tmp_path / "run")
    assert same(weights(layout, "best"), trained)


class _Malice:
    def __reduce__(self) -> tuple[object, ...]:
        return os.mkdir, ("pwned",)


def refusal(file: Path, root: Path, **changes: Any) -> str:
    layout = RunLayout(root)
    with pytest.raises(InputError) as caught:
        imported(file, root, **changes)
    assert not layout.checkpoints.exists()
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_program_in_the_file_is_not_run(
    trained: State, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    held = {**published(trained), "extra": _Malice()}
    for name, write in (
        ("zip", torch.save),
        ("raw", lambda it, at: at.write_bytes(pickle.dumps(it, 2))),
    ):
        write(held, tmp_path / name)
        assert "found a file that" in refusal(tmp_path / name, tmp_path / f"run-{name}")
    assert "more than tensors" in refusal(tmp_path / "zip", tmp_path / "run")
    assert not (tmp_path / "pwned").exists()


@pytest.mark.parametrize("harm", ["cut", "empty", "text", "missing", "folder"])
def test_what_is_no_checkpoint_is_refused(trained: State, tmp_path: Path, harm: str) -> None:
    file = saved(tmp_path / "checkpoint", published(trained))
    match harm:
        case "cut":
            file.write_bytes(file.read_bytes()[:-400])
        case "empty":
            file.write_bytes(b"")
        case "text":
            file.write_text("iters: 100, epoch: 1 | loss: 0.1\n" * 20)
        case "missing":
            file.unlink()
        case _:
            file.unlink()
            file.mkdir()
    assert refusal(file, tmp_path / "run").startswith(f"{file}: found a file that")


def test_a_tensor_that_is_missing_is_named(trained: State, tmp_path: Path) -> None:
    held = published(trained)
    del held["output_projection.linear.bias"]
    text = refusal(saved(tmp_path / "checkpoint", held), tmp_path / "run")
    assert "12 of its 13 trained tensors; output_projection.linear.bias is missing" in text


def test_prototypes_without_a_mapping_have_no_place_for_it(trained: State, tmp_path: Path) -> None:
    file = saved(tmp_path / "checkpoint", published(trained))
    with pytest.raises(InputError) as caught:
        imported(file, tmp_path / "run", model__prototypes="direct")
    assert str(caught.value) == (
        'model.prototypes: found "direct"; expected "mapping", as the published code has them, '
        "in mine.toml"
    )


def test_weights_that_are_no_numbers_are_refused(trained: State, tmp_path: Path) -> None:
    held = published(trained)
    held["mapping_layer.bias"] = held["mapping_layer.bias"] * float("nan")
    text = refusal(saved(tmp_path / "checkpoint", held), tmp_path / "run")
    assert "mapping_layer.bias with numbers that are not finite" in text


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"model__d_ff": 16}, "of model.d_ff = 8; expected model.d_ff = 16, as in mine.toml"),
        ({"model__n_heads": 4}, "weights of model.n_heads = 2; expected model.n_heads = 4"),
        ({"model__d_model": 32}, "weights of model.d_model = 8"),
        ({"model__num_prototypes": 9}, "weights of model.num_prototypes = 8"),
        ({"model__patch_len": 4}, "weights of model.patch_len = 8"),
        ({"data__pred_len": 5}, "weights of data.pred_len = 4"),
        ({"model__stride": 4}, "weights of model.stride = 5; expected model.stride = 4"),
        (
            {"model__d_model": 4, "data__pred_len": 5},
            "of model.d_model = 8 and data.pred_len = 4; expected model.d_model = 4 and data.pred",
        ),
    ],
)  # fmt: skip
def test_settings_that_do_not_fit_are_named_with_those_that_would(
    trained: State, tmp_path: Path, change: dict[str, Any], words: str
) -> None:
    file = saved(tmp_path / "checkpoint", published(trained))
    assert words in refusal(file, tmp_path / "run", **change)


SETTINGS = st.fixed_dictionaries(
    {
        "patch_len": st.integers(1, 12),
        "stride": st.integers(1, 12),
        "d_model": st.integers(1, 40),
        "n_heads": st.integers(1, 9),
        "d_ff": st.integers(1, 40),
        "num_prototypes": st.integers(1, 9),
    }
)
LENGTHS = st.fixed_dictionaries({"seq_len": st.integers(12, 200), "pred_len": st.integers(1, 30)})


@given(SETTINGS, LENGTHS, SETTINGS, LENGTHS)
def test_settings_that_are_named_make_exactly_the_shapes_that_were_found(
    model: dict[str, int], lengths: dict[str, int], other: dict[str, int], others: dict[str, int]
) -> None:
    def config(model: dict[str, int], data: dict[str, int]) -> Config:
        return Config(
            data=DataSection(dataset="synthetic", **data),
            model=ModelSection(prototypes="mapping", **model),  # type: ignore[arg-type]
        )

    def shapes(config: Config) -> dict[str, tuple[int, ...]]:
        data = config.data
        found = trainable_shapes(
            config.model, data.seq_len, data.pred_len, embedding_size=7, vocab_size=11
        )
        return {tensor.name: tensor.shape for tensor in found}

    trained = shapes(config(model, lengths))
    found = {name: torch.empty(shape, device="meta") for name, shape in trained.items()}
    wanted = settings_of(found, config(other, others))
    assert wanted is not None
    changed_model, changed_data = dict(other), dict(others)
    for key, (value, _) in wanted.items():
        section, _, name = key.partition(".")
        (changed_model if section == "model" else changed_data)[name] = value  # type: ignore[assignment]
    assert shapes(config(changed_model, changed_data)) == trained
    assert settings_of(found, config(model, lengths)) == {}


def test_weights_of_another_backbone_are_told_by_the_vocabulary(
    trained: State, tmp_path: Path
) -> None:
    held = published(trained)
    held["mapping_layer.weight"] = torch.zeros(8, 50257)
    text = refusal(saved(tmp_path / "checkpoint", held), tmp_path / "run")
    assert "mapping_layer.weight of 8 × 50257" in text
    assert "backbone.source" in text
