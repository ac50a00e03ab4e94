"""The model is the published function: reference tensors, and a plain second implementation."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from plain_timellm import plain_forecast, plain_prompts
from safetensors.torch import load_file, save_file
from tiny_backbones import save_backbone
from torch.nn import functional

from timellm_engine.model.backbone import load_backbone
from timellm_engine.model.parity import (
    ZERO_BY_SYMMETRY,
    CaseError,
    compare,
    load_case,
    relative_error,
)
from timellm_engine.model.timellm import PUBLISHED_NAMES
from timellm_ops.contract.config import BackboneSection

REPOSITORY = Path(__file__).parents[3]
GOLDEN = Path(os.environ.get("TIMELLM_GOLDEN_DIR", "no-golden"))
golden = pytest.mark.skipif(
    not (GOLDEN / "gpt2").is_dir(), reason="no reference tensors (set TIMELLM_GOLDEN_DIR)"
)
SETTINGS = {
    "seq_len": 50, "pred_len": 7, "patch_len": 9, "stride": 4, "d_model": 12, "n_heads": 3,
    "d_ff": 10, "llm_layers": 2,
}  # fmt: skip
VARIABLES, PROTOTYPES = 3, 20


def make_case(folder: Path, family: str) -> Path:
    """A case with three variables, written by the plain implementation."""
    save_backbone(folder / "backbone", family)
    backbone = load_backbone(BackboneSection(source=str(folder / "backbone"), layers=2), 0)
    generator = torch.Generator().manual_seed(7)

    def draw(*shape: int) -> torch.Tensor:
        return torch.randn(*shape, generator=generator)

    x = draw(2, SETTINGS["seq_len"], VARIABLES).cumsum(dim=1)
    y = draw(2, SETTINGS["pred_len"], VARIABLES)
    wide, patches = SETTINGS["n_heads"] * SETTINGS["d_ff"], (50 - 9) // 4 + 2
    shapes = {
        "mapping_layer": (PROTOTYPES, backbone.vocab_size),
        "reprogramming_layer.query_projection": (wide, SETTINGS["d_model"]),
        "reprogramming_layer.key_projection": (wide, backbone.embedding_size),
        "reprogramming_layer.value_projection": (wide, backbone.embedding_size),
        "reprogramming_layer.out_projection": (backbone.embedding_size, wide),
        "output_projection.linear": (SETTINGS["pred_len"], SETTINGS["d_ff"] * patches),
    }
    weights = {"patch_embedding.value_embedding.tokenConv.weight": 0.3 * draw(12, 9, 3)}
    for layer, shape in shapes.items():
        weights[f"{layer}.weight"] = draw(*shape) / shape[1] ** 0.5
        weights[f"{layer}.bias"] = 0.1 * draw(shape[0])
    trainable = {name: weight.requires_grad_() for name, weight in weights.items()}
    start = {f"weights.{name}": weight.detach().clone() for name, weight in weights.items()}

    prompts = plain_prompts(x, "Tides of a harbour.", SETTINGS["pred_len"])
    tokenizer = backbone.tokenizer
    tokenizer.pad_token = tokenizer.eos_token
    ids = tokenizer(prompts, padding=True, return_tensors="pt").input_ids
    padded = plain_forecast(trainable, SETTINGS, backbone.model, ids, x)
    alone = torch.cat(
        [
            plain_forecast(
                trainable, SETTINGS, backbone.model,
                torch.tensor([tokenizer(prompts[row]).input_ids]),
                x[row // VARIABLES, :, row % VARIABLES].view(1, -1, 1),
            )
            for row in range(2 * VARIABLES)
        ]
    )  # fmt: skip
    functional.mse_loss(padded, y).backward()
    gradients = {f"grad.{name}": weight.grad.clone() for name, weight in trainable.items()}
    optimiser, losses = torch.optim.Adam(trainable.values(), lr=1e-3), []
    for _ in range(5):
        optimiser.zero_grad()
        loss = functional.mse_loss(plain_forecast(trainable, SETTINGS, backbone.model, ids, x), y)
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    tensors = {
        **start, **gradients, "x": x, "y": y, "prompt_ids": ids,
        "output_padded": padded.detach(), "loss": torch.tensor([losses[0]]),
        "output_single": alone.detach().view(2, VARIABLES, -1).transpose(1, 2).contiguous(),
        "adam_losses": torch.tensor(losses, dtype=torch.float64),
    }  # fmt: skip
    save_file({name: tensor.contiguous() for name, tensor in tensors.items()},
              folder / "case.safetensors")  # fmt: skip
    stated = {"config": SETTINGS, "description": "Tides of a harbour.", "prompts": prompts}
    (folder / "case.json").write_text(json.dumps(stated))
    return folder


@golden
@pytest.mark.parametrize("family", ["gpt2", "llama", "qwen2", "bert"])
def test_equals_the_reference_tensors(family: str) -> None:
    parity = compare(load_case(GOLDEN / family))
    assert parity.passed, parity


@pytest.mark.parametrize("family", ["gpt2", "llama", "bert"])
def test_equals_a_plain_implementation_on_several_variables(tmp_path: Path, family: str) -> None:
    parity = compare(load_case(make_case(tmp_path, family)))
    assert parity.passed, parity


def spoil(folder: Path, name: str) -> None:
    tensors = load_file(folder / "case.safetensors")
    tensors[name] = tensors[name].clone()
    tensors[name].view(-1)[0] += 0.05 if tensors[name].is_floating_point() else 1
    save_file(tensors, folder / "case.safetensors")


@pytest.fixture(scope="module")
def case(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_case(tmp_path_factory.mktemp("case"), "gpt2")


def copy_case(case: Path, target: Path) -> Path:
    (target / "backbone").symlink_to(case / "backbone")
    for name in ("case.json", "case.safetensors"):
        (target / name).write_bytes((case / name).read_bytes())
    return target


@pytest.mark.parametrize("name", sorted(PUBLISHED_NAMES.keys() - {ZERO_BY_SYMMETRY}))
def test_a_wrong_weight_is_seen(case: Path, tmp_path: Path, name: str) -> None:
    spoil(copy_case(case, tmp_path), f"weights.{PUBLISHED_NAMES[name]}")
    parity = compare(load_case(tmp_path))
    assert not parity.passed
    assert parity.errors["outputs, padded as published"] > 1e-4


@pytest.mark.parametrize(
    ("tensor", "what"),
    [
        ("output_padded", "outputs, padded as published"),
        ("output_single", "outputs, each window alone"),
        ("adam_losses", "Adam losses"),
        ("grad.mapping_layer.bias", "gradients"),
        ("grad.reprogramming_layer.key_projection.bias", "gradients"),
    ],
)
def test_each_comparison_can_fail(case: Path, tmp_path: Path, tensor: str, what: str) -> None:
    spoil(copy_case(case, tmp_path), tensor)
    errors = compare(load_case(tmp_path)).errors
    assert [name for name, error in errors.items() if error > 1e-4] == [what]


def test_a_wrong_prompt_and_a_wrong_token_are_seen(case: Path, tmp_path: Path) -> None:
    spoil(copy_case(case, tmp_path), "prompt_ids")
    stated = json.loads((tmp_path / "case.json").read_text())
    stated["prompts"][1] += " "
    (tmp_path / "case.json").write_text(json.dumps(stated))
    parity = compare(load_case(tmp_path))
    assert (parity.prompts_exact, parity.ids_exact) == (False, False)
    assert not parity.passed


def test_relative_error_is_over_the_largest_reference_value() -> None:
    reference = torch.tensor([1.0, -4.0])
    assert relative_error(torch.tensor([1.0, -3.0]), reference) == 0.25
    assert relative_error(torch.tensor([float("nan"), 0.0]), reference) == float("inf")
    assert relative_error(torch.zeros(3), reference) == float("inf")
    assert relative_error(torch.ones(2), torch.zeros(2)) == float("inf")


def run_script(*folders: Path) -> subprocess.CompletedProcess[str]:
    script = str(REPOSITORY / "benchmarks" / "parity.py")
    return subprocess.run(
        [sys.executable, script, *map(str, folders)],
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip


def test_the_script_prints_each_case_and_exits_1_for_a_failed_one(
    case: Path, tmp_path: Path
) -> None:
    spoil(copy_case(case, tmp_path), "output_padded")
    assert run_script(case).returncode == 0
    result = run_script(case, tmp_path)
    assert result.returncode == 1
    assert f"{case.name}: passed" in result.stdout
    assert f"{tmp_path.name}: FAILED" in result.stdout


def test_a_folder_without_a_case_is_one_line_and_exit_2(tmp_path: Path) -> None:
    with pytest.raises(CaseError):
        load_case(tmp_path)
    result = run_script(tmp_path)
    assert result.returncode == 2
    assert result.stderr.count("\n") == 1
    assert "no case.json" in result.stderr
