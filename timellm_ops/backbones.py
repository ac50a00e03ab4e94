"""What can be known of a backbone without loading it: where it is and what its shape is."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from timellm_ops.contract.backbone_facts import EMBEDDED as EMBEDDED_FACTS
from timellm_ops.contract.backbone_facts import KNOWN, BackboneFacts, known_id
from timellm_ops.contract.plan import KnownFrom
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
    settings = _settings(folder)
    if not any(folder.glob("*.safetensors")):
        raise BackboneUnusable("has no weights as .safetensors, the only form that is loaded")
    return _shape(settings)


class FoundFacts(Struct, frozen=True, kw_only=True):
    """What is known of a backbone without its weights."""

    known_from: KnownFrom
    known_as: str = ""
    """The well-known backbone whose numbers stand for it."""
    facts: BackboneFacts | None = None
    """`None` for a family whose parameters cannot be counted without it."""
    shape: BackboneShape = BackboneShape()


def find_facts(source: str, env: Mapping[str, str] = os.environ) -> FoundFacts:
    """What `backbone.source` has, from its own `config.json` or from the table.

    Weights need not be there, and neither need a folder that is named like a well-known backbone.
    Raises `BackboneUnusable` for a folder whose `config.json` cannot be read.
    """
    if source == "embedded":
        return FoundFacts(known_from="embedded", facts=EMBEDDED_FACTS, shape=EMBEDDED)
    hub_id = known_id(source)
    local = Path(source).is_absolute()
    if local and (is_folder(Path(source)) or hub_id is None):
        return _facts_of(_settings(Path(source)), "folder")
    snapshot = None if local else cached_snapshot(source, env)
    if snapshot is not None:
        return _facts_of(_settings(snapshot), "cache")
    if hub_id is None:
        return FoundFacts(known_from="nothing")
    facts = KNOWN[hub_id]
    shape = BackboneShape(layers=facts.layers, hidden_size=facts.width, vocab_size=facts.vocab_size)
    known_from: KnownFrom = "table" if not local else "table_by_name"
    return FoundFacts(known_from=known_from, known_as=hub_id, facts=facts, shape=shape)


def _settings(folder: Path) -> dict[str, Any]:
    """A folder's `config.json`. Raises `BackboneUnusable`."""
    if not is_folder(folder):
        raise BackboneUnusable("is no folder")
    try:
        return msgspec.json.decode((folder / "config.json").read_bytes(), type=dict[str, Any])
    except FileNotFoundError:
        raise BackboneUnusable("has no config.json") from None
    except (OSError, ValueError, RecursionError):
        raise BackboneUnusable("has a config.json that cannot be read") from None


def _shape(settings: Mapping[str, Any]) -> BackboneShape:
    inner = settings.get("text_config")
    merged = {**settings, **inner} if isinstance(inner, dict) else settings
    return BackboneShape(
        layers=_number(merged, *_LAYERS),
        hidden_size=_number(merged, *_HIDDEN),
        vocab_size=_number(merged, "vocab_size"),
    )


def _facts_of(settings: Mapping[str, Any], known_from: KnownFrom) -> FoundFacts:
    return FoundFacts(
        known_from=known_from, facts=facts_of_settings(settings), shape=_shape(settings)
    )


def facts_of_settings(settings: Mapping[str, Any]) -> BackboneFacts | None:
    """The facts in a `config.json`; `None` for a family that is not known, or what lacks numbers.

    A `config.json` leaves out what is its family's default.
    """
    family = settings.get("model_type")
    if family not in ("gpt2", "llama", "qwen2", "bert"):
        return None
    defaults: Mapping[str, int] = _DEFAULTS[family]

    def number(*keys: str) -> int:
        return _number(settings, *keys) or defaults.get(keys[0], 0)

    width, heads = number("hidden_size", "n_embd"), number("num_attention_heads", "n_head")
    found = BackboneFacts(
        family=family,
        width=width,
        layers=number("num_hidden_layers", "n_layer"),
        heads=heads,
        kv_heads=_number(settings, "num_key_value_heads") or _kv_heads(family, heads),
        head_width=_number(settings, "head_dim") or (width // heads if heads else 0),
        intermediate=number("intermediate_size", "n_inner") or 4 * width,
        vocab_size=number("vocab_size"),
        max_positions=number("max_position_embeddings", "n_positions"),
        attention_bias=settings.get("attention_bias") is True,
        mlp_bias=settings.get("mlp_bias") is True,
        token_types=number("type_vocab_size") or 2,
    )
    return found if min(found.layers, found.width, heads, found.vocab_size) > 0 else None


_DEFAULTS: dict[str, dict[str, int]] = {
    "gpt2": {
        "hidden_size": 768, "num_attention_heads": 12, "num_hidden_layers": 12,
        "vocab_size": 50_257, "max_position_embeddings": 1_024,
    },
    "llama": {
        "hidden_size": 4_096, "num_attention_heads": 32, "num_hidden_layers": 32,
        "intermediate_size": 11_008, "vocab_size": 32_000, "max_position_embeddings": 2_048,
    },
    "qwen2": {
        "hidden_size": 4_096, "num_attention_heads": 32, "num_hidden_layers": 32,
        "intermediate_size": 22_016, "vocab_size": 151_936, "max_position_embeddings": 32_768,
    },
    "bert": {
        "hidden_size": 768, "num_attention_heads": 12, "num_hidden_layers": 12,
        "intermediate_size": 3_072, "vocab_size": 30_522, "max_position_embeddings": 512,
        "type_vocab_size": 2,
    },
}  # fmt: skip
"""What a family's configuration has in `transformers` where the file says nothing."""


def _kv_heads(family: str, heads: int) -> int:
    """Where the file says nothing, every head has its own keys and values, but in Qwen2."""
    return 32 if family == "qwen2" else heads


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
