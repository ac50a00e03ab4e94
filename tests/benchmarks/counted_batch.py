"""Batch 0 of the benchmarks' windows, in numbers."""

from backbone_shapes import LAYERS, facts_of
from contenders import MODEL, PRED_LEN, SEQ_LEN, Terms, Windows
from floor import longest_prompt, shared_tokens
from work import Setting


def counted(terms: Terms) -> Setting:
    """What goes through the model, of the shape that the folder is named after."""
    shape, first = terms.material.name, Windows(terms).batch(0, terms.batch)[0]
    return Setting(
        facts=facts_of(shape, LAYERS[shape]), layers=LAYERS[shape], model=MODEL, seq_len=SEQ_LEN,
        pred_len=PRED_LEN, rows=terms.batch, tokens=longest_prompt(first, terms.batch),
        shared=shared_tokens(),
    )  # fmt: skip
