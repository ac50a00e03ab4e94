"""Batch 0 of the benchmarks' windows, in numbers."""

from backbone_shapes import LAYERS
from contenders import Terms, Windows
from floor import setting_of
from work import Setting


def counted(terms: Terms) -> Setting:
    """What goes through the model, of the shape that the folder is named after."""
    shape, first = terms.material.name, Windows(terms).batch(0, terms.batch)[0]
    return setting_of(shape, LAYERS[shape], first, terms.batch)
