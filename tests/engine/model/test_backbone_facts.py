"""What is known of backbones without them, against the library's own models on no device."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny_backbones import FAMILIES, save_backbone
from transformers import AutoConfig, AutoModel, BertConfig, GPT2Config, LlamaConfig

from timellm_engine.model.embedded import embedded_model
from timellm_ops.backbones import facts_of_settings, find_facts
from timellm_ops.contract.backbone_facts import (
    EMBEDDED,
    KNOWN,
    BackboneFacts,
    Family,
    known_id,
    layer_parameters,
    parameter_count,
)

COUNTED: tuple[Family, ...] = ("gpt2", "llama", "qwen2", "bert")


def settings_of(facts: BackboneFacts) -> dict[str, Any]:
    """The facts in the words of a `config.json`."""
    if facts.family == "gpt2":
        return {
            "n_embd": facts.width, "n_head": facts.heads, "n_layer": facts.layers,
            "n_inner": facts.intermediate, "vocab_size": facts.vocab_size,
            "n_positions": facts.max_positions,
        }  # fmt: skip
    common = {
        "hidden_size": facts.width, "num_attention_heads": facts.heads,
        "num_hidden_layers": facts.layers, "intermediate_size": facts.intermediate,
        "vocab_size": facts.vocab_size, "max_position_embeddings": facts.max_positions,
    }  # fmt: skip
    if facts.family == "bert":
        return {**common, "type_vocab_size": facts.token_types}
    shared = {**common, "num_key_value_heads": facts.kv_heads}
    if facts.family == "qwen2":
        return shared
    return {
        **shared, "head_dim": facts.head_width, "attention_bias": facts.attention_bias,
        "mlp_bias": facts.mlp_bias,
    }  # fmt: skip


def counted(facts: BackboneFacts) -> int:
    """Parameters of the library's base model, which is built without its numbers."""
    with torch.device("meta"):
        model = AutoModel.from_config(AutoConfig.for_model(facts.family, **settings_of(facts)))
    return sum(parameter.numel() for parameter in model.parameters())


@pytest.mark.parametrize("hub_id", KNOWN)
def test_a_well_known_backbone_has_so_many_parameters(hub_id: str) -> None:
    facts = KNOWN[hub_id]
    few = BackboneFacts(**{n: getattr(facts, n) for n in facts.__struct_fields__} | {"layers": 2})
    two = counted(few)
    assert parameter_count(facts, 2) == two
    assert parameter_count(facts, facts.layers) == two + (facts.layers - 2) * layer_parameters(
        facts
    )


def test_some_counts_that_everybody_knows() -> None:
    counts = {name: parameter_count(facts, facts.layers) for name, facts in KNOWN.items()}
    assert counts["openai-community/gpt2"] == 124_439_808
    assert counts["google-bert/bert-base-uncased"] == 109_482_240
    assert counts["huggyllama/llama-7b"] == 6_738_415_616 - 32_000 * 4_096  # without its head
    assert counts["Qwen/Qwen2.5-3B"] == 3_085_938_688


def test_the_librarys_defaults_are_the_well_known_ones() -> None:
    for hub_id, config in (
        ("openai-community/gpt2", GPT2Config()),
        ("google-bert/bert-base-uncased", BertConfig()),
        ("huggyllama/llama-7b", LlamaConfig()),
    ):
        assert facts_of_settings(config.to_dict()) == KNOWN[hub_id]


@settings(max_examples=25)
@given(st.data())
def test_the_count_holds_for_any_shape_of_a_family(data: st.DataObject) -> None:
    def some(least: int, most: int) -> int:
        return data.draw(st.integers(least, most))

    family = data.draw(st.sampled_from(COUNTED))
    heads, head_width = some(1, 4), 2 * some(1, 4)
    of_llama = family == "llama"
    facts = BackboneFacts(
        family=family, width=heads * head_width, layers=some(1, 4), heads=heads,
        kv_heads=data.draw(st.sampled_from([n for n in (1, 2, 4) if heads % n == 0]))
        if family in ("llama", "qwen2") else heads,
        head_width=head_width * (2 if of_llama and data.draw(st.booleans()) else 1),
        intermediate=some(1, 30), vocab_size=some(2, 60), max_positions=some(2, 40),
        token_types=some(1, 3), attention_bias=of_llama and data.draw(st.booleans()),
        mlp_bias=of_llama and data.draw(st.booleans()),
    )  # fmt: skip
    assert parameter_count(facts, facts.layers) == counted(facts)


def test_the_embedded_one_is_the_engines() -> None:
    model = embedded_model(2, seed=0)
    assert parameter_count(EMBEDDED, 2) == sum(p.numel() for p in model.parameters())


@pytest.mark.parametrize("family", FAMILIES)
def test_a_folder_is_counted_from_its_config_or_not_at_all(tmp_path: Path, family: str) -> None:
    folder = save_backbone(tmp_path / family, family)
    found = find_facts(str(folder))
    assert found.known_from == "folder"
    assert found.shape.vocab_size == 512
    if family not in COUNTED:
        assert found.facts is None
        return
    assert found.facts is not None
    real = AutoModel.from_pretrained(folder)
    assert parameter_count(found.facts, found.facts.layers) == sum(
        parameter.numel() for parameter in real.parameters()
    )


def test_weights_need_not_be_there(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "gpt2", "n_layer": 3}))
    found = find_facts(str(tmp_path))
    assert found.facts is not None
    assert (found.facts.layers, found.facts.width, found.facts.vocab_size) == (3, 768, 50_257)


@pytest.mark.parametrize(
    ("source", "hub_id"),
    [
        ("Qwen/Qwen2.5-3B", "Qwen/Qwen2.5-3B"),
        ("gpt2", "openai-community/gpt2"),
        ("bert-base-uncased", "google-bert/bert-base-uncased"),
        ("/models/base_models/Qwen2.5-3B", "Qwen/Qwen2.5-3B"),
        ("/models/base_models/qwen2.5-3b/", "Qwen/Qwen2.5-3B"),
        ("D:\\models\\Qwen2.5-7B", "Qwen/Qwen2.5-7B"),
        ("somebody/Qwen2.5-3B", None),
        ("/models/Qwen2.5-3B-tuned", None),
        ("embedded", None),
    ],
)
def test_which_source_means_a_well_known_backbone(source: str, hub_id: str | None) -> None:
    assert known_id(source) == hub_id


def test_a_folder_that_is_not_here_goes_by_its_name(tmp_path: Path) -> None:
    found = find_facts(str(tmp_path / "elsewhere" / "Qwen2.5-3B"))
    assert (found.known_from, found.known_as) == ("table_by_name", "Qwen/Qwen2.5-3B")
    assert found.facts == KNOWN["Qwen/Qwen2.5-3B"]


def test_nobody_knows_a_hub_id_that_is_not_in_the_cache(tmp_path: Path) -> None:
    assert find_facts("somebody/something", {"HF_HUB_CACHE": str(tmp_path)}).known_from == "nothing"
