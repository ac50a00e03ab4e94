"""What a backbone's folder tells before anything is loaded, and where the hub's cache keeps one."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from timellm_ops.backbones import (
    BackboneShape,
    BackboneUnusable,
    cached_snapshot,
    inspect_folder,
    is_offline,
)

GPT2 = {"n_layer": 12, "n_embd": 768, "vocab_size": 50257}
QWEN = {"num_hidden_layers": 24, "hidden_size": 896, "vocab_size": 151936}


def backbone(folder: Path, settings: object) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps(settings))
    (folder / "model.safetensors").write_bytes(b"")
    return folder


def unusable(folder: Path) -> str:
    with pytest.raises(BackboneUnusable) as raised:
        inspect_folder(folder)
    return str(raised.value)


@pytest.mark.parametrize(
    ("settings", "shape"),
    [
        (GPT2, (12, 768, 50257)),
        (QWEN, (24, 896, 151936)),
        ({"n_layers": 6, "dim": 768, "vocab_size": 30522}, (6, 768, 30522)),
        ({"n_layer": 24, "n_embed": 1024, "vocab_size": 250880}, (24, 1024, 250880)),
        ({"model_type": "gemma3", "text_config": QWEN, "vision_config": {"hidden_size": 1152}},
         (24, 896, 151936)),
        ({"model_type": "gemma3", "text_config": {"num_hidden_layers": 34, "hidden_size": 2560}},
         (34, 2560, None)),
        ({}, (None, None, None)),
        ({"num_hidden_layers": True, "hidden_size": "896", "vocab_size": 0}, (None, None, None)),
        ({"text_config": None, **QWEN}, (24, 896, 151936)),
    ],
)  # fmt: skip
def test_the_shape_of_a_family(
    tmp_path: Path, settings: dict[str, object], shape: tuple[int | None, ...]
) -> None:
    found = inspect_folder(backbone(tmp_path / "b", settings))
    assert (found.layers, found.hidden_size, found.vocab_size) == shape


def test_real_backbones_have_every_number() -> None:
    golden = os.environ.get("TIMELLM_GOLDEN_DIR", "")
    folders = list(Path(golden).glob("*/backbone")) if golden else []
    if not folders:
        pytest.skip("reference cases are looked for in TIMELLM_GOLDEN_DIR")
    for folder in folders:
        shape = inspect_folder(folder)
        assert None not in (shape.layers, shape.hidden_size, shape.vocab_size)


def test_sharded_weights_are_weights(tmp_path: Path) -> None:
    folder = backbone(tmp_path / "b", QWEN)
    (folder / "model.safetensors").rename(folder / "model-00001-of-00002.safetensors")
    assert inspect_folder(folder) == BackboneShape(layers=24, hidden_size=896, vocab_size=151936)


def test_a_folder_that_is_no_backbone_says_what_it_lacks(tmp_path: Path) -> None:
    folder = tmp_path / "b"
    assert unusable(folder) == "is no folder"
    assert unusable(tmp_path / ("x" * 300)) == "is no folder"
    folder.mkdir()
    assert unusable(folder) == "has no config.json"
    (folder / "config.json").write_text(json.dumps(QWEN))
    assert "has no weights as .safetensors" in unusable(folder)
    (folder / "pytorch_model.bin").write_bytes(b"")
    assert "has no weights as .safetensors" in unusable(folder)


@pytest.mark.parametrize(
    "content",
    [b"", b"[]", b"null", b"{", b"\xff\xfe", b'{"a":"\xff"}', b'{"a":' * 100_000, b"[" * 100_000],
    ids=lambda content: repr(content[:12]),
)
def test_a_config_json_that_cannot_be_read(tmp_path: Path, content: bytes) -> None:
    folder = backbone(tmp_path / "b", QWEN)
    (folder / "config.json").write_bytes(content)
    assert unusable(folder) == "has a config.json that cannot be read"


def cached(hub: Path, name: str, revision: str = "0123abcd") -> Path:
    model = hub / f"models--{name.replace('/', '--')}"
    (model / "refs").mkdir(parents=True)
    (model / "refs" / "main").write_text(revision)
    return backbone(model / "snapshots" / revision, QWEN)


def test_a_snapshot_is_found_wherever_the_hubs_client_keeps_it(tmp_path: Path) -> None:
    for env, hub in (
        ({"HF_HUB_CACHE": str(tmp_path / "a")}, tmp_path / "a"),
        ({"HUGGINGFACE_HUB_CACHE": str(tmp_path / "b")}, tmp_path / "b"),
        ({"HF_HOME": str(tmp_path / "c")}, tmp_path / "c" / "hub"),
        ({"XDG_CACHE_HOME": str(tmp_path / "d")}, tmp_path / "d" / "huggingface" / "hub"),
    ):
        assert cached_snapshot("org/name", env) is None
        snapshot = cached(hub, "org/name")
        assert cached_snapshot("org/name", env) == snapshot
        assert cached_snapshot("org/other", env) is None


def test_a_snapshot_in_the_home_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    snapshot = cached(tmp_path / ".cache" / "huggingface" / "hub", "gpt2")
    assert cached_snapshot("gpt2", {}) == snapshot


def test_the_hubs_own_client_looks_in_the_same_places(tmp_path: Path) -> None:
    """It reads its environment when it is imported, so each is asked in a process of its own."""
    names = ("HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "HF_HOME", "XDG_CACHE_HOME")
    told = ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE")
    plain = {k: v for k, v in os.environ.items() if k not in (*names, *told)}
    script = "from huggingface_hub import constants as c; print(c.HF_HUB_CACHE, c.HF_HUB_OFFLINE)"
    for number, name in enumerate((*names, *told)):
        value = "1" if name in told else str(tmp_path / str(number))
        env = {name: value}
        said = subprocess.run(
            [sys.executable, "-c", script], env={**plain, **env}, capture_output=True, check=True
        )
        hub, offline = said.stdout.decode().split()
        assert is_offline(env) == (offline == "True")
        if name in names:
            assert cached_snapshot("org/name", env) is None
            snapshot = cached(Path(hub), "org/name")
            assert cached_snapshot("org/name", env) == snapshot


def test_half_a_snapshot_is_none(tmp_path: Path) -> None:
    env = {"HF_HUB_CACHE": str(tmp_path)}
    snapshot = cached(tmp_path, "gpt2")
    (snapshot / "config.json").unlink()
    assert cached_snapshot("gpt2", env) is None
    (tmp_path / "models--gpt2" / "refs" / "main").write_bytes(b"\xff")
    assert cached_snapshot("gpt2", env) is None


@pytest.mark.parametrize(
    ("value", "offline"),
    [("1", True), ("true", True), ("Yes", True), ("on", True), ("0", False), ("", False),
     ("no", False)],
)  # fmt: skip
def test_the_words_that_keep_the_hubs_client_off_the_network(value: str, offline: bool) -> None:
    assert is_offline({"HF_HUB_OFFLINE": value}) is offline
    assert is_offline({"TRANSFORMERS_OFFLINE": value}) is offline
    assert is_offline({}) is False
