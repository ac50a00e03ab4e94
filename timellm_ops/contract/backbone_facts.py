"""What well-known backbones look like, and how many parameters one has: known without a file.

Only the base model is counted, without a language-model head, as it is loaded for a run. Where a
formula stands for a family, a test compares it with the library's own model.
"""

from typing import Literal, assert_never

from msgspec import Struct

Family = Literal["gpt2", "llama", "qwen2", "bert"]
"""By `model_type` of a `config.json`."""


class BackboneFacts(Struct, frozen=True, kw_only=True):
    """The numbers of a `config.json` that decide how large a backbone is, and what it computes."""

    family: Family
    width: int
    layers: int
    heads: int
    kv_heads: int
    """Heads that have keys and values of their own; as many as `heads` without grouping."""
    head_width: int
    intermediate: int
    """Hidden width of a layer's feed-forward part."""
    vocab_size: int
    max_positions: int
    attention_bias: bool = False
    """Of Llama alone: whether its attention has biases."""
    mlp_bias: bool = False
    """Of Llama alone: whether its feed-forward part has biases."""
    token_types: int = 2
    """Of BERT alone: rows of its embedding of segments."""

    @property
    def causal(self) -> bool:
        """Whether a position sees only itself and what is before it, so prompts are read ahead."""
        return self.family != "bert"


def _gpt2(width: int, layers: int, heads: int) -> BackboneFacts:
    return BackboneFacts(
        family="gpt2", width=width, layers=layers, heads=heads, kv_heads=heads,
        head_width=width // heads, intermediate=4 * width, vocab_size=50_257, max_positions=1_024,
    )  # fmt: skip


def _qwen2(
    width: int, layers: int, heads: int, kv_heads: int, intermediate: int, positions: int,
    vocab_size: int = 151_936,
) -> BackboneFacts:  # fmt: skip
    return BackboneFacts(
        family="qwen2", width=width, layers=layers, heads=heads, kv_heads=kv_heads,
        head_width=width // heads, intermediate=intermediate, vocab_size=vocab_size,
        max_positions=positions,
    )  # fmt: skip


EMBEDDED = BackboneFacts(
    family="gpt2", width=64, layers=2, heads=4, kv_heads=4, head_width=16, intermediate=256,
    vocab_size=512, max_positions=1_024,
)  # fmt: skip
"""The engine's embedded backbone."""

KNOWN: dict[str, BackboneFacts] = {
    "Qwen/Qwen2.5-0.5B": _qwen2(896, 24, 14, 2, 4_864, 32_768),
    "Qwen/Qwen2.5-1.5B": _qwen2(1_536, 28, 12, 2, 8_960, 131_072),
    "Qwen/Qwen2.5-3B": _qwen2(2_048, 36, 16, 2, 11_008, 32_768),
    "Qwen/Qwen2.5-7B": _qwen2(3_584, 28, 28, 4, 18_944, 131_072, vocab_size=152_064),
    "huggyllama/llama-7b": BackboneFacts(
        family="llama", width=4_096, layers=32, heads=32, kv_heads=32, head_width=128,
        intermediate=11_008, vocab_size=32_000, max_positions=2_048,
    ),
    "openai-community/gpt2": _gpt2(768, 12, 12),
    "openai-community/gpt2-medium": _gpt2(1_024, 24, 16),
    "openai-community/gpt2-large": _gpt2(1_280, 36, 20),
    "openai-community/gpt2-xl": _gpt2(1_600, 48, 25),
    "google-bert/bert-base-uncased": BackboneFacts(
        family="bert", width=768, layers=12, heads=12, kv_heads=12, head_width=64,
        intermediate=3_072, vocab_size=30_522, max_positions=512,
    ),
}  # fmt: skip
"""By the hub's id."""

_BY_NAME = {hub_id.partition("/")[2].lower(): hub_id for hub_id in KNOWN}
"""Hub ids by their last part, in lower case, since folders are named in many ways."""


def known_id(source: str) -> str | None:
    """The hub id of the well-known backbone that `source` means, if it means one.

    `source` is a hub id, a short one such as `gpt2`, or an absolute folder whose last part is
    named like one. Another owner's model of the same name is another model.
    """
    if source in KNOWN:
        return source
    parts = source.replace("\\", "/").rstrip("/").split("/")
    is_folder = len(parts) > 1 and (parts[0] == "" or parts[0].endswith(":"))
    return _BY_NAME.get(parts[-1].lower()) if is_folder or len(parts) == 1 else None


def parameter_count(facts: BackboneFacts, layers: int) -> int:
    """Parameters of the base model with its first so many layers."""
    return _outside_parameters(facts) + layers * layer_parameters(facts)


def layer_parameters(facts: BackboneFacts) -> int:
    """Parameters of one layer."""
    width, inner = facts.width, facts.intermediate
    queries, shared = facts.heads * facts.head_width, facts.kv_heads * facts.head_width
    match facts.family:
        case "gpt2" | "bert":
            attention = 4 * (width * width + width)
            return attention + 2 * width * inner + inner + width + 4 * width
        case "qwen2":
            weights = 2 * width * queries + 2 * width * shared + 3 * width * inner
            return weights + queries + 2 * shared + 2 * width
        case "llama":
            weights = 2 * width * queries + 2 * width * shared + 3 * width * inner
            attention = queries + 2 * shared + width if facts.attention_bias else 0
            feed_forward = 2 * inner + width if facts.mlp_bias else 0
            return weights + attention + feed_forward + 2 * width
        case _:
            assert_never(facts.family)


def _outside_parameters(facts: BackboneFacts) -> int:
    """Parameters before the first layer and after the last one."""
    width, words = facts.width, facts.vocab_size * facts.width
    match facts.family:
        case "gpt2":
            return words + facts.max_positions * width + 2 * width
        case "bert":
            pooler = width * width + width
            return words + (facts.max_positions + facts.token_types + 2) * width + pooler
        case "qwen2" | "llama":
            return words + width
        case _:
            assert_never(facts.family)
