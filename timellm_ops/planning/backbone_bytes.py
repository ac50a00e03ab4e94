"""What a frozen backbone takes, by the type that its weights are held in."""

import math
from typing import assert_never

from timellm_ops.contract.backbone_facts import BackboneFacts, parameter_count
from timellm_ops.contract.engine_memory import FEWEST_LAID_OUT, MOST_LAID_OUT
from timellm_ops.contract.small_cards import is_quantised

NUMBER_BYTES = {"float32": 4, "bfloat16": 2, "int8": 2, "nf4": 2}
"""Of a weight without codes, and of what the backbone computes with."""
_NF4_BLOCK, _NF4_SCALES_BLOCK = 64, 256
_NF4_TABLES_BYTES = 4 * (16 + 256 + 1)
"""Of each tensor: its levels, those of its scales, and their mean."""


def backbone_bytes(facts: BackboneFacts, layers: int, dtype: str) -> int:
    """The base model with its first so many layers, to the byte."""
    count = parameter_count(facts, layers)
    if not is_quantised(dtype):
        return NUMBER_BYTES[dtype] * count
    products = [*layers * products_of_a_layer(facts), *_products_outside(facts)]
    coded = sum(outputs * inputs for outputs, inputs in products)
    others = NUMBER_BYTES[dtype] * (count - coded)
    return others + sum(_coded_bytes(outputs, inputs, dtype) for outputs, inputs in products)


def written_out_bytes(facts: BackboneFacts, dtype: str) -> int:
    """The largest weight that has codes, as it is multiplied with, and its scales; else nothing."""
    if not is_quantised(dtype):
        return 0
    largest = max(outputs * inputs for outputs, inputs in products_of_a_layer(facts))
    scales = 4 * math.ceil(largest / _NF4_BLOCK) if dtype == "nf4" else 0
    return NUMBER_BYTES[dtype] * largest + scales


def laid_out_bytes(facts: BackboneFacts, layers: int, dtype: str) -> int:
    """Weights that lie beside themselves as a processor's products want them."""
    products = [*layers * products_of_a_layer(facts), *_products_outside(facts)]
    counts = (outputs * inputs for outputs, inputs in products)
    found = NUMBER_BYTES[dtype] * sum(each for each in counts if each >= FEWEST_LAID_OUT)
    if dtype == "float32" and found > MOST_LAID_OUT:
        return 0
    # The last layer's keys and values have a product of their own.
    alone = 2 * facts.width**2 if facts.family == "gpt2" else 0
    return found + NUMBER_BYTES[dtype] * alone if found else 0


def products_of_a_layer(facts: BackboneFacts) -> tuple[tuple[int, int], ...]:
    """Outputs and inputs of every matrix product of one layer."""
    width, inner = facts.width, facts.intermediate
    queries, shared = facts.heads * facts.head_width, facts.kv_heads * facts.head_width
    match facts.family:
        case "gpt2":
            return ((3 * width, width), (width, width), (inner, width), (width, inner))
        case "bert":
            return (*4 * ((width, width),), (inner, width), (width, inner))
        case "qwen2" | "llama":
            attention = ((queries, width), (shared, width), (shared, width), (width, queries))
            return (*attention, (inner, width), (inner, width), (width, inner))
        case _:
            assert_never(facts.family)


def _products_outside(facts: BackboneFacts) -> tuple[tuple[int, int], ...]:
    """Of the base model, outside its layers: BERT's pooler."""
    return ((facts.width, facts.width),) if facts.family == "bert" else ()


def _coded_bytes(outputs: int, inputs: int, dtype: str) -> int:
    count = outputs * inputs
    if dtype == "int8":
        return count + 4 * outputs
    scales = math.ceil(count / _NF4_BLOCK)
    scales_of_scales = 4 * math.ceil(scales / _NF4_SCALES_BLOCK)
    return math.ceil(count / 2) + scales + scales_of_scales + _NF4_TABLES_BYTES
