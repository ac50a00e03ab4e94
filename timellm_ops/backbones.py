"""What can be known of a backbone without loading it: where it is and what its shape is."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from timellm_ops.paths import expand_home, is_folder


class BackboneShape(Struct, frozen=True, kw_only=True):
    """The numbers of a backbone's `config.json` that a run's settings must fit.

    `None` where the file leaves a number to the defaults of the model's family.
    """

    layers: int | None = None
    hidden_size: int | None = None
    vocab_size: int | None = None


EMBEDDED = BackboneShape(layers=2, hidden_size=64, vocab_size=512)
"""The engine's embedded backbone."""

_LAYERS = ("num_hidden_layers", "n_layer", "n_layers", "num_layers")
_HIDDEN = ("hidden_size", "n_embd", "n_embed", "d_model", "dim")


class BackboneUnusable(Exception):  # noqa: N818 - it says what was found
    """A backbone folder that the engine could not load. The text is half a sentence."""


def inspect_folder(folder: Path) -> BackboneShape:
    """The shape of the backbone in a local folder. Raises `BackboneUnusable`."""
    if not is_folder(folder):
        raise BackboneUnusable("is no folder")
    try:
        settings = msgspec.json.decode((folder / "config.json").read_bytes(), type=dict[str, Any])
    except FileNotFoundError:
        raise BackboneUnusable("has no config.json") from None
    except (OSError, ValueError, RecursionError):
        raise BackboneUnusable("has a config.json that cannot be read") from None
    if not any(folder.glob("*.safetensors")):
        raise BackboneUnusable("has no weights as .safetensors, the only form that is loaded")
    inner = settings.get("text_config")
    merged = {**settings, **inner} if isinstance(inner, dict) else settings
    return BackboneShape(
        layers=_number(merged, *_LAYERS),
        hidden_size=_number(merged, *_HIDDEN),
        vocab_size=_number(merged, "vocab_size"),
    )


def _number(settings: Mapping[str, Any], *keys: str) -> int | None:
    for key in keys:
        value = settings.get(key)
        if isinstance(value, int) and not isinstance(value, bool) and value > 0:
            return value
    return None


def cached_snapshot(hub_id: str, env: Mapping[str, str] = os.environ) -> Path | None:
    """Where the hub's local cache holds a model's default revision; `None` where it does not."""
    base = env.get("HF_HUB_CACHE") or env.get("HUGGINGFACE_HUB_CACHE")
    cache = expand_home(base) if base else _hub_home(env) / "hub"
    model = cache / f"models--{hub_id.replace('/', '--')}"
    try:
        revision = (model / "refs" / "main").read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError):
        return None
    snapshot = model / "snapshots" / revision
    return snapshot if (snapshot / "config.json").exists() else None


def _hub_home(env: Mapping[str, str]) -> Path:
    if env.get("HF_HOME"):
        return expand_home(env["HF_HOME"])
    return expand_home(env.get("XDG_CACHE_HOME") or "~/.cache") / "huggingface"


def is_offline(env: Mapping[str, str] = os.environ) -> bool:
    """Whether the user has told the hub's client to stay off the network."""
    told = env.get("HF_HUB_OFFLINE") or env.get("TRANSFORMERS_OFFLINE", "")
    return told.upper() in ("1", "ON", "YES", "TRUE")
