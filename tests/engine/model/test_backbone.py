"""Backbones from folders, what is found out about them, and one line for each that won't do."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from tiny_backbones import CAUSAL, FAMILIES, save_backbone
from transformers import AutoModel, T5Config

from timellm_engine.errors import BackboneError
from timellm_engine.model.backbone import load_backbone
from timellm_ops.contract.config import BackboneSection


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    root = tmp_path_factory.mktemp("backbones")
    return {family: save_backbone(root / family, family) for family in FAMILIES}


def section(folder: Path, **keys: object) -> BackboneSection:
    return BackboneSection(source=str(folder), **keys)  # type: ignore[arg-type]


@pytest.mark.parametrize("family", FAMILIES)
def test_what_is_found_out_about_each_family(folders: dict[str, Path], family: str) -> None:
    backbone = load_backbone(section(folders[family]), seed=0)
    assert backbone.causal == (family in CAUSAL)
    assert backbone.embedding_size == (16 if family == "opt" else 32)
    assert backbone.layers == 3
    assert backbone.vocab_size == 512
    assert backbone.name == family
    assert backbone.max_positions == {"gpt2": 1024, "roberta": 598}.get(family, 600)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_weights_and_what_is_no_weight_are_held_as_transformers_holds_them(
    folders: dict[str, Path], family: str, dtype: str
) -> None:
    """Frequencies of rotary positions stay in float32, whatever weights are held in."""
    backbone = load_backbone(section(folders[family], dtype=dtype), seed=0).model
    reference = AutoModel.from_pretrained(folders[family], dtype=getattr(torch, dtype))
    held, expected = (
        [*model.named_parameters(), *model.named_buffers()] for model in (backbone, reference)
    )
    assert [(n, t.dtype) for n, t in held] == [(n, t.dtype) for n, t in expected]
    assert all(torch.equal(t, of) for (_, t), (_, of) in zip(held, expected, strict=True))
    if family in ("llama", "qwen2"):
        assert dict(held)["rotary_emb.inv_freq"].dtype == torch.float32


def test_it_is_frozen_and_quiet(folders: dict[str, Path]) -> None:
    backbone = load_backbone(section(folders["bert"]), seed=0)
    assert not any(parameter.requires_grad for parameter in backbone.model.parameters())
    inputs = torch.randn(1, 5, 32)
    answers = [backbone.model(inputs_embeds=inputs).last_hidden_state for _ in range(2)]
    assert torch.equal(*answers)


@pytest.mark.parametrize("family", FAMILIES)
def test_layers_are_the_first_ones(folders: dict[str, Path], family: str) -> None:
    whole = load_backbone(section(folders[family]), seed=0).model.state_dict()
    cut = load_backbone(section(folders[family], layers=2), seed=0)
    kept = cut.model.state_dict()
    assert cut.layers == 2
    assert cut.name == f"{family}, 2 layers"
    assert len(kept) < len(whole)
    assert all(torch.equal(tensor, whole[name]) for name, tensor in kept.items())


def test_a_single_layer_is_one(folders: dict[str, Path]) -> None:
    assert load_backbone(section(folders["gpt2"], layers=1), seed=0).name == "gpt2, 1 layer"


def test_bfloat16_halves_the_weights_and_changes_the_digest(folders: dict[str, Path]) -> None:
    single = load_backbone(section(folders["llama"]), seed=0)
    half = load_backbone(section(folders["llama"], dtype="bfloat16"), seed=0)
    assert {parameter.dtype for parameter in half.model.parameters()} == {torch.bfloat16}
    assert half.digest != single.digest


def test_the_digest_is_of_the_content_and_not_of_the_place(
    folders: dict[str, Path], tmp_path: Path
) -> None:
    digest = load_backbone(section(folders["gpt2"]), seed=0).digest
    same = save_backbone(tmp_path / "elsewhere", "gpt2")
    assert load_backbone(section(same), seed=1).digest == digest
    assert load_backbone(section(same, layers=2), seed=0).digest != digest
    weights = load_file(same / "model.safetensors")
    weights["h.2.mlp.c_fc.weight"][0, 0] += 1e-3
    save_file(weights, same / "model.safetensors", metadata={"format": "pt"})
    assert load_backbone(section(same), seed=0).digest != digest


@pytest.mark.parametrize("source", ["folder", "embedded"])
def test_loading_leaves_the_random_numbers_alone(folders: dict[str, Path], source: str) -> None:
    torch.manual_seed(3)
    expected = torch.rand(4)
    torch.manual_seed(3)
    chosen = section(folders["gpt2"]) if source == "folder" else BackboneSection()
    load_backbone(chosen, seed=0)
    assert torch.equal(torch.rand(4), expected)


def refusal(chosen: BackboneSection) -> BackboneError:
    with pytest.raises(BackboneError) as caught:
        load_backbone(chosen, seed=0)
    assert "\n" not in str(caught.value)
    return caught.value


@pytest.mark.parametrize("source", ["gpt2", "embedded"])
def test_more_layers_than_there_are(folders: dict[str, Path], source: str) -> None:
    chosen = "embedded" if source == "embedded" else str(folders[source])
    error = refusal(BackboneSection(source=chosen, layers=12))
    depth = 2 if source == "embedded" else 3
    assert error.key == "backbone.layers"
    assert f"found 12; expected at most {depth}" in str(error)


def test_a_missing_folder_names_the_embedded_backbone(tmp_path: Path) -> None:
    error = refusal(section(tmp_path / "nothing"))
    assert error.key == "backbone.source"
    assert str(tmp_path / "nothing") in str(error)
    assert '"embedded", which needs no download' in str(error)


def test_an_encoder_decoder_is_refused(tmp_path: Path) -> None:
    T5Config(num_layers=1).save_pretrained(tmp_path)
    assert "an encoder-decoder (t5)" in str(refusal(section(tmp_path)))


def test_a_folder_without_a_model(tmp_path: Path) -> None:
    assert "no configuration that can be read" in str(refusal(section(tmp_path)))


def test_a_folder_without_a_tokenizer(tmp_path: Path) -> None:
    save_backbone(tmp_path, "gpt2")
    for file in tmp_path.glob("tokenizer*"):
        file.unlink()
    assert "no tokenizer that can be read" in str(refusal(section(tmp_path)))


def test_weights_that_would_have_to_be_unpickled_are_not_read(tmp_path: Path) -> None:
    save_backbone(tmp_path, "gpt2")
    torch.save(load_file(tmp_path / "model.safetensors"), tmp_path / "pytorch_model.bin")
    (tmp_path / "model.safetensors").unlink()
    assert "no safetensors weights that can be read" in str(refusal(section(tmp_path)))


def test_missing_weights_are_not_made_up(tmp_path: Path) -> None:
    save_backbone(tmp_path, "gpt2")
    weights = load_file(tmp_path / "model.safetensors")
    del weights["h.1.mlp.c_fc.weight"]
    save_file(weights, tmp_path / "model.safetensors", metadata={"format": "pt"})
    assert "lack h.1.mlp.c_fc.weight (1 in all)" in str(refusal(section(tmp_path)))


def test_code_that_comes_with_a_model_is_not_run(tmp_path: Path) -> None:
    config = {"model_type": "mine", "auto_map": {"AutoConfig": "mine.Config"}}
    (tmp_path / "config.json").write_text(json.dumps(config))
    (tmp_path / "mine.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')")
    refusal(section(tmp_path))
    assert not (tmp_path / "ran").exists()


def load_in_a_process(source: str, **environment: str) -> subprocess.CompletedProcess[str]:
    program = (
        "import sys\n"
        "from timellm_engine.model.backbone import load_backbone\n"
        "from timellm_engine.errors import BackboneError\n"
        "from timellm_ops.contract.config import BackboneSection\n"
        "try:\n"
        "    load_backbone(BackboneSection(source=sys.argv[1], layers=1), seed=0)\n"
        "except BackboneError as error:\n"
        "    sys.exit(str(error))\n"
    )
    return subprocess.run(
        [sys.executable, "-c", program, source], env={**os.environ, **environment},
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip


@pytest.mark.parametrize("family", ["gpt2", "bert"])
def test_loading_prints_nothing(folders: dict[str, Path], family: str) -> None:
    result = load_in_a_process(str(folders[family]))
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")


def test_a_hub_out_of_reach_is_one_line_that_says_what_to_do(tmp_path: Path) -> None:
    result = load_in_a_process("nobody/nothing", HF_HUB_OFFLINE="1", HF_HOME=str(tmp_path))
    assert result.stdout == ""
    assert result.stderr.count("\n") == 1
    assert "hf download nobody/nothing" in result.stderr
    assert 'backbone.source = "embedded"' in result.stderr
