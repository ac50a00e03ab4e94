"""Which way of reading prompts ahead a backbone takes, if any: each is tried before it is used.

What a family makes of keys and values, masks and positions is its own affair. So a way is taken
where it gives the answers that prompts and patches give in one piece, for two prompts that are
unlike each other and one that is longer than any will be.
"""

import sys
from collections.abc import Callable, Iterator
from functools import partial

import torch
from torch import Tensor

from timellm_engine.model.backbone import Backbone
from timellm_engine.model.gpt2_prefix import GPT2Prefix, gpt2_pass
from timellm_engine.model.in_float32 import computed_in_float32
from timellm_engine.model.precision import Precision, computing_as_held
from timellm_engine.model.prefix import PromptPrefix, common_beginning

InOnePiece = Callable[[list[list[int]], Tensor], Tensor]
"""Last hidden states at patches `[rows, patches, embedding]` after prompts of these tokens."""
_Way = Callable[[], PromptPrefix]

_MARGIN = 64
"""Tokens by which the longest of the prompts that are tried out is longer than the others."""
_ADDED_UP = 10.0
"""Times what rounding may come to, where it adds up: to notice what is no answer at all."""


@torch.no_grad()
def prefix_of(
    backbone: Backbone,
    unlike: list[list[int]],
    patches: int,
    in_one_piece: InOnePiece,
    *,
    precision: Precision,
    recompute: bool,
) -> PromptPrefix | None:
    """A way to read prompts ahead that gives the same answers, if there is one.

    `unlike` are the tokens of two prompts that have in common what all prompts have. Words are in
    the place of `patches`: a run that is resumed must come to the same conclusion, whatever rows it
    begins with. It is looked for in the type of the weights first, and where that is narrow and
    rounding adds up, over dozens of layers, to more than a wrong answer might be off, in float32.
    """
    shared = common_beginning(unlike)
    # Longer than any prompt will be, for what only shows at a distance.
    room = (backbone.max_positions or sys.maxsize) - patches - len(unlike[0])
    ids = [*unlike, unlike[0] + unlike[0][: max(0, min(room, _MARGIN))]]
    device = backbone.word_embeddings.weight.device
    words = torch.arange(patches, device=device) % backbone.vocab_size
    given = backbone.word_embeddings(torch.stack([words, words.flip(0), words])).float()
    with computing_as_held(device):
        plain = in_one_piece(ids, given)
        for way in _ways(backbone, shared, recompute=recompute):
            prefix = way()
            if prefix.agrees(plain, ids, given):
                # What it has read meanwhile is of that precision, and not of the model's.
                return prefix if precision == "fp32" else way()
        if backbone.word_embeddings.weight.dtype == torch.float32:
            return None
        found = _found_in_float32(backbone, shared, ids, given, in_one_piece)
        if found is None or not found().agrees(plain, ids, given, times=_ADDED_UP):
            return None
        return found()


def _ways(backbone: Backbone, shared: tuple[int, ...], *, recompute: bool) -> Iterator[_Way]:
    """What there is to try, the fastest first."""
    gpt2 = gpt2_pass(backbone, recompute=recompute)
    if gpt2 is not None:
        yield lambda: GPT2Prefix(backbone, shared, gpt2)
    yield from _by_its_own_layers(backbone, shared)


def _by_its_own_layers(
    backbone: Backbone, shared: tuple[int, ...]
) -> Iterator["partial[PromptPrefix]"]:
    for adjoining in (False, True):
        yield partial(PromptPrefix, backbone, shared, adjoining=adjoining)


def _found_in_float32(
    backbone: Backbone,
    shared: tuple[int, ...],
    ids: list[list[int]],
    patches: Tensor,
    in_one_piece: InOnePiece,
) -> _Way | None:
    """The way that agrees where every weight is written out, if one does."""
    try:
        # Parts are given other weights for a while, which are to be no tensors of inference.
        with torch.inference_mode(mode=False), torch.no_grad():
            given = patches.clone()
            with computed_in_float32(backbone.model):
                plain = in_one_piece(ids, given)
                for way in _by_its_own_layers(backbone, shared):
                    if way(dtype=torch.float32).agrees(plain, ids, given):
                        return way
    except torch.OutOfMemoryError:
        raise
    except Exception:  # noqa: BLE001 - of a family that reads the weights of its parts itself
        return None
    return None
