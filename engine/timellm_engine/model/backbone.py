"""The frozen language model: any `transformers` decoder or encoder, or the embedded one.

Only the base model is used (no language-model head), only safetensors are read, and no code that
comes with a model is ever run.
"""

import hashlib
import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from timellm_engine.errors import BackboneError, BackboneUnreachableError
from timellm_engine.model.activation import fuse_activations
from timellm_engine.model.backbone_attention import take_over_attention
from timellm_engine.model.embedded import SPECIFICATION, embedded_model, embedded_tokenizer
from timellm_engine.model.packed import pack_if_it_answers_as_before
from timellm_engine.model.precision import Precision
from timellm_engine.model.quantised import HELD, load_settings, quantised_gpt2, take_over_products
from timellm_ops.contract.config import BackboneSection
from timellm_ops.contract.counting import Count
from timellm_ops.contract.small_cards import is_quantised

_DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "int8": HELD, "nf4": HELD}
_NO_PART_OF_THE_FUNCTION = {
    "_name_or_path", "_commit_hash", "architectures", "dtype", "torch_dtype",
    "transformers_version", "use_cache", "output_attentions", "output_hidden_states",
}  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Backbone:
    """A frozen language model, and what the trainable part must know about it."""

    model: nn.Module
    """The base model, in evaluation mode; takes `inputs_embeds`, gives `last_hidden_state`."""
    tokenizer: Any
    name: str
    """`embedded`, the folder's name, or the hub id; with the layers where it was truncated."""
    embedding_size: int
    """Width of a token embedding, which is what the trainable part must produce."""
    hidden_size: int
    """Width of what leaves the last layer, of which the first `d_ff` dimensions are read."""
    vocab_size: int
    """Rows of the word embedding matrix, which may be more than the tokenizer uses."""
    layers: int
    max_positions: int | None
    """The longest input it was made for, in tokens; None where its positions have no end."""
    causal: bool
    """Whether a position sees only itself and what is before it; found out by trying."""
    digest: str
    """SHA-256 over the configuration and every weight as loaded, in hexadecimal."""

    @property
    def word_embeddings(self) -> nn.Embedding:
        """The frozen token embeddings, `[vocab_size, embedding_size]`."""
        found: nn.Embedding = self.model.get_input_embeddings()  # type: ignore[operator]
        return found


def load_backbone(
    section: BackboneSection,
    seed: int,
    device: torch.device | str = "cpu",
    precision: Precision = "fp32",
) -> Backbone:
    """Read or draw the backbone that `section` names, and freeze it on `device`.

    `precision` is what it will be asked to compute in. `seed` draws the embedded backbone; the
    others come with their weights. The state of torch's random numbers is left as it was. Raises
    `BackboneError`, and `PreflightError` for codes of 8 or 4 bits where what makes them is not
    installed.
    """
    if section.source != "embedded" or is_quantised(section.dtype):
        _silence()  # what needs `transformers`, whose import takes seconds
    with torch.random.fork_rng(devices=[]):
        if section.source == "embedded":
            config, model, tokenizer = _embedded(section.layers, seed)
            if is_quantised(section.dtype):
                model = quantised_gpt2(config, model.state_dict(), section.dtype)
            else:
                model.to(_DTYPES[section.dtype])
        else:
            # In its type already, but for what stays in float32 in any: a rotary backbone's
            # frequencies in bfloat16 would turn late tokens to other places.
            config, model, tokenizer = _pretrained(section)
    model.requires_grad_(False)
    model.eval()
    if is_quantised(section.dtype):
        take_over_products(model)
        config = {**config, "quantisation": section.dtype}
    digest = backbone_digest(config, model.state_dict())
    described = _describe(section, model, tokenizer, digest)
    model.to(device)
    if precision == "fp32" or section.dtype == "bfloat16":  # or products round their weights
        pack_if_it_answers_as_before(model, _some_tokens(model, described.embedding_size))
    return described


def backbone_digest(config: Mapping[str, Any], weights: Mapping[str, Tensor]) -> str:
    """SHA-256 over what decides a backbone's answers; one pass over the weights.

    Keys of `config` that only say where a model came from or how it was saved are left out.
    """
    kept = {k: v for k, v in config.items() if k not in _NO_PART_OF_THE_FUNCTION}
    digest = hashlib.sha256(json.dumps(kept, sort_keys=True, default=str).encode())
    for name in sorted(weights):
        tensor = weights[name].detach().cpu().contiguous()
        digest.update(f"\n{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()


def _silence() -> None:
    """Keep `transformers` and the hub client quiet: the engine's output is a log that is parsed."""
    from huggingface_hub.utils.tqdm import disable_progress_bars
    from transformers.utils import logging as transformers_logging

    transformers_logging.set_verbosity_error()
    transformers_logging.disable_progress_bar()
    disable_progress_bars()
    logging.getLogger("huggingface_hub").setLevel(logging.ERROR)


def _embedded(layers: int | None, seed: int) -> tuple[dict[str, Any], nn.Module, Any]:
    depth = SPECIFICATION["n_layer"]
    kept = _kept_layers(layers, depth, "the embedded backbone")
    config = {**SPECIFICATION, "n_layer": kept}
    return config, embedded_model(kept, seed), embedded_tokenizer()


def _kept_layers(layers: int | None, depth: int, whose: str) -> int:
    if layers is not None and layers > depth:
        raise BackboneError(
            "backbone.layers", str(layers), f"at most {depth}, the depth of {whose}"
        )
    return depth if layers is None else layers


def _pretrained(section: BackboneSection) -> tuple[dict[str, Any], nn.Module, Any]:
    from transformers import AutoModel, AutoTokenizer

    source = _existing(section.source)
    raw, config = _configuration(source)
    depth = config.num_hidden_layers
    kept = _kept_layers(section.layers, depth, f'"{section.source}"')
    truncate(config, kept)
    config.use_cache = False
    held: dict[str, Any] = {"dtype": _DTYPES[section.dtype]}
    if is_quantised(section.dtype):
        held = load_settings(section.dtype)
    try:
        tokenizer = AutoTokenizer.from_pretrained(source, trust_remote_code=False)
    except Exception as error:  # noqa: BLE001 - whatever a foreign folder makes it raise
        raise _unusable(source, "no tokenizer that can be read", error) from None
    try:
        model, report = AutoModel.from_pretrained(
            source,
            config=config,
            **held,
            use_safetensors=True,
            trust_remote_code=False,
            output_loading_info=True,
        )
    except Exception as error:  # noqa: BLE001
        raise _unusable(source, "no safetensors weights that can be read", error) from None
    missing = sorted(key for key in report["missing_keys"] if "pooler" not in key)
    if missing:
        raise BackboneError(
            "backbone.source",
            f'"{section.source}", whose weights lack {missing[0]} ({len(missing)} in all)',
            "a checkpoint with every weight of its own configuration",
        )
    fuse_activations(model)
    take_over_attention(model)
    return {**raw, "kept_layers": kept}, model, tokenizer


def _existing(source: str) -> str:
    """`source` itself, unless it can only be a folder and is none."""
    path = Path(source).expanduser()
    if path.is_dir():
        return str(path)
    looks_like_a_path = path.is_absolute() or source.startswith((".", "~")) or source.count("/") > 1
    if looks_like_a_path or path.exists():
        raise BackboneError(
            "backbone.source",
            f'"{source}", which is no folder here',
            "a folder with config.json, model.safetensors and tokenizer.json, a hub id, or "
            '"embedded", which needs no download',
        )
    return source


def _configuration(source: str) -> tuple[dict[str, Any], Any]:
    """The configuration as it was written, and as `transformers` understands it."""
    from transformers import AutoConfig, PretrainedConfig

    try:
        raw, _ = PretrainedConfig.get_config_dict(source)
        config = AutoConfig.from_pretrained(source, trust_remote_code=False)
    except Exception as error:  # noqa: BLE001
        raise _unusable(source, "no configuration that can be read", error) from None
    if getattr(config, "is_encoder_decoder", False):
        raise BackboneError(
            "backbone.source",
            f'"{source}", an encoder-decoder ({config.model_type})',
            "a decoder (GPT-2, Llama, Qwen, ...) or an encoder (BERT, ...)",
        )
    if getattr(config, "num_hidden_layers", None) is None:
        raise BackboneError(
            "backbone.source",
            f'"{source}" ({config.model_type}), whose configuration says no num_hidden_layers',
            "a language model: a decoder or an encoder of text",
        )
    return raw, config


def truncate(config: Any, layers: int) -> None:
    """Make `config` the configuration of its own first `layers` layers.

    Some families also list each layer's kind; such a list is as long as the model is deep.
    """
    depth = config.num_hidden_layers
    for name, value in list(vars(config).items()):
        if "layer" in name and isinstance(value, list) and len(value) == depth:
            setattr(config, name, value[:layers])
    config.num_hidden_layers = layers


def _unusable(source: str, what: str, error: Exception) -> BackboneError:
    """The one line for a folder or hub id that could not be loaded."""
    first_line = str(error).strip().split("\n")[0][:160] or type(error).__name__
    if Path(source).is_dir():
        return BackboneError(
            "backbone.source",
            f'"{source}", with {what} ({first_line})',
            'a folder with config.json, model.safetensors and tokenizer.json, or "embedded"',
        )
    return BackboneUnreachableError(
        "backbone.source",
        f'"{source}", which is no folder here and could not be had from the hub ({first_line})',
        f"a local folder, a hub id within reach (get it where there is a network with "
        f'"hf download {source}"), or backbone.source = "embedded", which needs no download',
    )


def _describe(section: BackboneSection, model: nn.Module, tokenizer: Any, digest: str) -> Backbone:
    config: Any = model.config
    embedding = model.get_input_embeddings()  # type: ignore[operator]
    if not isinstance(embedding, nn.Embedding):
        raise BackboneError(
            "backbone.source", f'"{section.source}", a model without word embeddings',
            "a language model: a decoder or an encoder of text",
        )  # fmt: skip
    _check_tokenizer(section.source, tokenizer, embedding.num_embeddings)
    causal, hidden_size = _probe(model, embedding.embedding_dim)
    name = section.source if section.source == "embedded" else _short_name(section.source)
    return Backbone(
        model=model,
        tokenizer=tokenizer,
        name=name if section.layers is None else f"{name}, {Count(section.layers):layer|layers}",
        embedding_size=embedding.embedding_dim,
        hidden_size=hidden_size,
        vocab_size=embedding.num_embeddings,
        layers=config.num_hidden_layers,
        max_positions=_max_positions(model),
        causal=causal,
        digest=digest,
    )


def _check_tokenizer(source: str, tokenizer: Any, vocab_size: int) -> None:
    """Refuse the empty tokenizer that is made up for some families where the files are missing."""
    ids = tokenizer("forecast the next 96 steps").input_ids
    found = None
    if not set(ids) - set(tokenizer.all_special_ids):
        found = "with no tokenizer that can be read (it knows no words)"
    elif max(ids) >= vocab_size:
        found = f"whose tokenizer goes beyond its {vocab_size} word embeddings"
    if found:
        expected = "a folder or hub id with the tokenizer of its own model"
        raise BackboneError("backbone.source", f'"{source}", {found}', expected)


def _short_name(source: str) -> str:
    path = Path(source).expanduser()
    return path.resolve().name if path.is_dir() else source


@torch.no_grad()
def _probe(model: nn.Module, embedding_size: int) -> tuple[bool, int]:
    """Whether the last of four tokens leaves the answer at the others alone; the answer's width.

    Exact equality errs on the safe side: a causal backbone taken for a bidirectional one is only
    given a mask that it does not need.
    """
    tokens = _some_tokens(model, embedding_size)
    others = torch.cat([tokens[:, :3], -tokens[:, 3:]], dim=1)
    first, second = (model(inputs_embeds=inputs).last_hidden_state for inputs in (tokens, others))
    return torch.equal(first[:, :3], second[:, :3]), first.shape[-1]


def _some_tokens(model: nn.Module, embedding_size: int) -> Tensor:
    """Four tokens to try a backbone with, `[1, 4, embedding]`, always the same."""
    generator = torch.Generator().manual_seed(0)
    weights = next(model.parameters())
    return torch.randn(1, 4, embedding_size, generator=generator).to(weights.device, weights.dtype)


def _max_positions(model: nn.Module) -> int | None:
    """The configuration's own limit, less the rows that some families keep for padding."""
    stated = getattr(model.config, "max_position_embeddings", None)
    if stated is None or stated <= 0:
        return None
    for name, module in model.named_modules():
        if name.endswith("position_embeddings") and isinstance(module, nn.Embedding):
            reserved = 0 if module.padding_idx is None else module.padding_idx + 1
            return module.num_embeddings - reserved
    return int(stated)
