"""What a forward pass keeps for its backward pass, and what it needs on the way.

Each count is of the tensors that torch keeps, by the code of `timellm_engine` and of the
backbone's family in `transformers`. Allocators need more than they hand out, by factors that
`benchmarks/plan.py` measures. Letters: `rows` windows at once, `patches` of a window, `tokens` of
the longest prompt, of which the first `shared` are read once for all rows.
"""

import math

from msgspec import Struct

from timellm_ops.contract.backbone_facts import BackboneFacts
from timellm_ops.contract.config import ModelSection, PromptSection
from timellm_ops.contract.engine_memory import BLOCK_QUERIES, MMAP_BYTES
from timellm_ops.contract.plan import Device
from timellm_ops.contract.shapes import patch_count

_BLOCK_OVERHEAD = {2: 1.45, 4: 1.3}
"""Of those blocks: their pieces of several sizes leave holes that nothing fits into; by the
bytes of a number in the backbone, beside which they lie."""
_HOLES = 2.0
"""Times the memory that a layer takes which is computed again: its pieces come and go among others
that stay."""
_DRAWN_BYTES = 12
"""Of a weight that is dropped: a random number, and the place that it stands for."""
_OVERHEAD = 1.08
"""Of everything else."""
_CHARACTERS_PER_TOKEN = 2.2
"""Of prompts, half of which are numbers; measured on GPT-2's tokenizer and the embedded one."""
_WORDING_CHARACTERS, _WORDING_SHARED_CHARACTERS = 320, 125
"""Of a prompt without the description: all of it, and what all prompts begin with."""
_DESCRIPTION_CHARACTERS = 110
"""Of the project's own descriptions, about."""


class Pass(Struct, frozen=True, kw_only=True):
    """A forward pass: of how much, where, in which precision."""

    rows: int
    patches: int
    tokens: int
    shared: int
    device: Device
    bytes_each: int
    """Of a number in the backbone."""
    training: bool
    in_bf16: bool = False
    """Whether products of float32 are made in bfloat16."""
    attention_kept: bool = False
    """Whether the backbone keeps its attention weights, those of every head."""
    recompute: bool = False
    """Whether layers, and blocks of attention weights, are computed again for their gradients."""


class Need(Struct, frozen=True, kw_only=True):
    """What one part of the model needs for a pass, in bytes as they come from the system."""

    what: str
    kept: float
    """For the backward pass; nothing without one."""
    passing: float
    """On the way through, on top of what is kept; freed again."""


def _once_more(of: Pass, need: Need, kept: float) -> Need:
    """A part that is computed again: `kept` between the passes, all else while its turn lasts."""
    if not (of.training and of.recompute):
        return need
    # Of what is in passing only half counts; this is there in whole, but for one part at a time.
    holes = _HOLES if of.device == "cpu" else 1.0
    return Need(what=need.what, kept=_OVERHEAD * kept, passing=2 * holes * need.kept + need.passing)


def prompt_tokens(prompt: PromptSection) -> tuple[int, int]:
    """About how many tokens a prompt has, and how many of them all prompts begin with."""
    characters = len(prompt.description) or _DESCRIPTION_CHARACTERS
    shared = round((_WORDING_SHARED_CHARACTERS + characters) / _CHARACTERS_PER_TOKEN)
    if not prompt.statistics:
        return shared, shared
    return round((_WORDING_CHARACTERS + characters) / _CHARACTERS_PER_TOKEN), shared


def needs(
    of: Pass, model: ModelSection, facts: BackboneFacts, layers: int, seq_len: int, pred_len: int
) -> tuple[Need, ...]:
    """Of every part, in the order in which a window goes through them."""
    return (
        _patch_embedding(of, model, seq_len),
        _reprogramming(of, model, facts.width),
        _prompt(of, facts, layers),
        _backbone(of, facts, layers),
        _head(of, model, pred_len),
    )


def patches_of(model: ModelSection, seq_len: int) -> int:
    """Patches of a window."""
    return patch_count(seq_len, model.patch_len, model.stride)


def _need(of: Pass, what: str, kept: float, passing: float, overhead: float = _OVERHEAD) -> Need:
    if not of.training:
        kept, passing = 0.0, kept + passing
    return Need(what=what, kept=overhead * kept, passing=overhead * passing)


def _patch_embedding(of: Pass, model: ModelSection, seq_len: int) -> Need:
    windows = 4 * of.rows * seq_len * 4
    embedded = 4 * of.rows * of.patches * (2 * model.d_model + model.patch_len)
    return _need(of, "patch embedding", embedded, windows)


def _reprogramming(of: Pass, model: ModelSection, width: int) -> Need:
    """Attention to the prototypes; its weights are kept only where a CPU drops some of them."""
    queries = of.rows * of.patches
    inner = model.n_heads * model.d_ff
    ends = 4 * queries * (6 * inner + 2 * width) if of.training else 4 * queries * 4 * inner
    prototypes = 4 * model.num_prototypes * (3 * width + 4 * inner)
    blocks = of.training and of.device == "cpu" and model.attention_dropout > 0.0
    if not blocks:
        return _need(of, "reprogramming", ends + prototypes, 0.0)
    weights = model.n_heads * model.num_prototypes
    block = 4 * min(BLOCK_QUERIES, queries) * weights
    overhead = _BLOCK_OVERHEAD[of.bytes_each] if block < MMAP_BYTES else 1.0
    each = 4 if of.in_bf16 else 8  # before some were dropped, and behind that
    kept, passing = float(each * queries * weights), 3.0 * block
    if of.recompute:
        # Scores, weights, what is left of them, and for each that is dropped a random number and
        # its place: of one block, one after the other.
        of_weight = 3 * each // 2 + _DRAWN_BYTES * model.attention_dropout
        kept, passing = 0.0, 2 * of_weight * min(BLOCK_QUERIES, queries) * weights
    attention = _need(of, "reprogramming", kept, passing, overhead)
    rest = _need(of, "reprogramming", ends + prototypes, 0.0)
    return Need(
        what="reprogramming",
        kept=attention.kept + rest.kept,
        passing=attention.passing + rest.passing,
    )


def _prompt(of: Pass, facts: BackboneFacts, layers: int) -> Need:
    """Keys and values of the prompts, and the pass that makes them; only where read ahead."""
    if not facts.causal:
        return _need(of, "prompt", 0.0, 0.0)
    read = max(0, of.tokens - of.shared)
    cache = 2 * of.rows * layers * of.tokens * facts.kv_heads * facts.head_width
    inside = of.rows * read * (_feed_forward(facts, training=False) + 5 * facts.width)
    seen = of.rows * read * of.tokens
    return _need(of, "prompt", 0.0, of.bytes_each * (cache + inside) + seen * (1 + of.bytes_each))


def _backbone(of: Pass, facts: BackboneFacts, layers: int) -> Need:
    each = of.bytes_each
    weights_of = facts.heads if of.attention_kept else 1
    if not facts.causal:
        length = of.tokens + of.patches
        own = _feed_forward(facts, training=of.training) + weights_of * length
        if of.training:
            layer = each * of.rows * length * (6 * facts.width + own)
            if of.recompute:
                between = each * of.rows * length * facts.width * layers
                return _once_more(of, _need(of, "backbone", layer, 2 * layer / 3), between)
            return _need(of, "backbone", layers * layer, 2 * layer / 3)
        # With the whole sequence as it goes in, and as it comes out of the layer before.
        return _need(of, "backbone", 0.0, each * of.rows * length * (9 * facts.width + own))
    seen = of.tokens + of.patches
    heads = facts.heads * facts.head_width
    norms = 2 * of.patches * facts.width * (each if each == 4 else 3 * each)
    numbers = 2 * seen * heads + 2 * of.patches * heads
    numbers += weights_of * of.patches * seen
    if facts.family == "gpt2":
        numbers += 2 * of.patches * facts.width
    numbers += of.patches * _feed_forward(facts, training=of.training)
    layer = of.rows * (each * numbers + norms)
    if of.training and of.recompute:
        # What goes into each layer, and the keys and values that it will look at again.
        between = of.patches * facts.width + 2 * of.tokens * facts.kv_heads * facts.head_width
        whole = _need(of, "backbone", layer, 0.0)
        return _once_more(of, whole, layers * each * of.rows * between)
    if of.training:
        return _need(of, "backbone", layers * layer, 0.0)
    return _need(of, "backbone", 0.0, layer)


def _feed_forward(facts: BackboneFacts, *, training: bool) -> int:
    """Numbers a position that the feed-forward part keeps in training, or holds at once."""
    gated = facts.family in ("llama", "qwen2")
    if gated:
        return (3 if training else 4) * facts.intermediate
    return (1 if training else 2) * facts.intermediate


def _head(of: Pass, model: ModelSection, pred_len: int) -> Need:
    flattened = 4 * of.rows * of.patches * model.d_ff
    return _need(of, "head", 2 * flattened + 4 * of.rows * pred_len * 3, 0.0)


def rows_at_once(batch_size: int, pieces: int) -> int:
    """Windows in the largest piece of a batch."""
    return math.ceil(batch_size / min(pieces, batch_size))
