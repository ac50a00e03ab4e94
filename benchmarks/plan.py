"""Predicted against measured peak memory of the engine's process, on the CPU.

    python benchmarks/plan.py [CASE ...]

Every case is a whole run of the engine: an epoch of a few steps, its evaluation and checkpoints,
and the best weights read back. Backbones have a real family's code, random weights and a small
vocabulary, and are written to a temporary folder. Exit code 1 where a prediction is off by more
than 15 %.
"""

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import tomli_w
from own_process import in_own_process

from timellm_ops.backbones import find_facts
from timellm_ops.contract.layout import RunLayout
from timellm_ops.contract.validation import parse_config
from timellm_ops.planning.make import make_plan
from timellm_ops.planning.memory import peak_bytes
from timellm_ops.planning.steps import published_data

LIMIT = 0.15
MIB = 1 << 20

BACKBONES: dict[str, tuple[str, dict[str, Any]]] = {
    "gpt2-small": ("gpt2", {"n_layer": 3, "vocab_size": 12_000}),
    "qwen2-shape": (
        "qwen2",
        {
            "vocab_size": 8_000, "hidden_size": 896, "intermediate_size": 2_432,
            "num_hidden_layers": 2, "num_attention_heads": 14, "num_key_value_heads": 2,
        },
    ),
    "llama-shape": (
        "llama",
        {
            "vocab_size": 8_000, "hidden_size": 512, "intermediate_size": 1_376,
            "num_hidden_layers": 4, "num_attention_heads": 8,
        },
    ),
    "bert-shape": (
        "bert",
        {
            "vocab_size": 8_000, "hidden_size": 384, "num_hidden_layers": 3,
            "num_attention_heads": 6, "intermediate_size": 1_536,
        },
    ),
}  # fmt: skip
"""Family and configuration, the rest being the family's own; few layers and words."""

CASES: dict[str, tuple[str, dict[str, Any]]] = {
    "embedded": ("embedded", {"batch_size": 4, "eval_batch_size": 256}),
    "embedded, batch 128": ("embedded", {"batch_size": 128, "eval_batch_size": 256}),
    "embedded, batch 128, no dropout": (
        "embedded", {"batch_size": 128, "eval_batch_size": 64, "attention_dropout": 0.0},
    ),
    "embedded, batch 128 in 4 pieces": (
        "embedded", {"batch_size": 128, "eval_batch_size": 256, "accumulate": 4},
    ),
    "gpt2-small": ("gpt2-small", {"batch_size": 4, "eval_batch_size": 64}),
    "gpt2-small, batch 32": (
        "gpt2-small", {"batch_size": 32, "eval_batch_size": 32, "attention_dropout": 0.0},
    ),
    "embedded, batch 64": ("embedded", {"batch_size": 64, "eval_batch_size": 64}),
    "embedded, batch 32, bfloat16": (
        "embedded", {"batch_size": 32, "eval_batch_size": 32, "dtype": "bfloat16"},
    ),
    "embedded, batch 64, bfloat16": (
        "embedded", {"batch_size": 64, "eval_batch_size": 64, "dtype": "bfloat16"},
    ),
    "embedded, batch 128, bfloat16": (
        "embedded", {"batch_size": 128, "eval_batch_size": 64, "dtype": "bfloat16"},
    ),
    "embedded, batch 64, computed in bf16": (
        "embedded", {"batch_size": 64, "eval_batch_size": 64, "precision": "bf16"},
    ),
    "gpt2-small, bfloat16, computed in bf16": (
        "gpt2-small",
        {"batch_size": 4, "eval_batch_size": 16, "dtype": "bfloat16", "precision": "bf16"},
    ),
    "gpt2-small, batch 32, bfloat16, computed in bf16": (
        "gpt2-small",
        {"batch_size": 32, "eval_batch_size": 16, "dtype": "bfloat16", "precision": "bf16"},
    ),
    "gpt2-small, sgd": (
        "gpt2-small", {"batch_size": 4, "eval_batch_size": 16, "optimiser": "sgd"},
    ),
    "qwen2-shape": ("qwen2-shape", {"batch_size": 8, "eval_batch_size": 64}),
    "llama-shape": (
        "llama-shape", {"batch_size": 16, "eval_batch_size": 128, "attention_dropout": 0.0},
    ),
    "bert-shape": ("bert-shape", {"batch_size": 16, "eval_batch_size": 64}),
    "embedded, batch 128, checkpointing": (
        "embedded",
        {"batch_size": 128, "eval_batch_size": 64, "activation_checkpointing": True},
    ),
    "gpt2-small, batch 32, checkpointing": (
        "gpt2-small",
        {"batch_size": 32, "eval_batch_size": 32, "activation_checkpointing": True},
    ),
    "bert-shape, checkpointing": (
        "bert-shape", {"batch_size": 16, "eval_batch_size": 16, "activation_checkpointing": True},
    ),
    "gpt2-small, moments in 8 bits": (
        "gpt2-small", {"batch_size": 4, "eval_batch_size": 16, "optimiser_state": "int8"},
    ),
    "qwen2-shape, int8": (
        "qwen2-shape", {"batch_size": 8, "eval_batch_size": 16, "dtype": "int8"},
    ),
    "qwen2-shape, nf4": ("qwen2-shape", {"batch_size": 8, "eval_batch_size": 16, "dtype": "nf4"}),
}  # fmt: skip


def make_backbone(folder: Path, family: str, settings: dict[str, Any]) -> None:
    """A model of random weights, as a user's folder would be."""
    from transformers import AutoConfig, AutoModel

    from timellm_engine.model.embedded import embedded_tokenizer

    model = AutoModel.from_config(AutoConfig.for_model(family, **settings))
    model.save_pretrained(folder)
    embedded_tokenizer().save_pretrained(folder)


def tables(source: str, keys: dict[str, Any]) -> dict[str, Any]:
    """The config of a case."""
    train = {
        "batch_size": keys["batch_size"], "eval_batch_size": keys["eval_batch_size"],
        "epochs": 1, "device": "cpu", "threads": 1, "accumulate": keys.get("accumulate", 1),
        "precision": keys.get("precision", "fp32"),
        "optimiser": keys.get("optimiser", "adam"), "test": "never",
        "activation_checkpointing": keys.get("activation_checkpointing", False),
        "optimiser_state": keys.get("optimiser_state", "fp32"),
    }  # fmt: skip
    batches = max(1, 12 // keys["batch_size"])
    wanted = batches * keys["batch_size"] + 512 + 96
    return {
        "data": {
            "dataset": "synthetic", "synthetic_rows": 3_040, "synthetic_columns": 1,
            "percent": max(7, -(-100 * (wanted - 512) // (2_128 - 512))),
        },
        "model": {"attention_dropout": keys.get("attention_dropout", 0.1)},
        "backbone": {"source": source, "dtype": keys.get("dtype", "float32")},
        "train": train,
    }  # fmt: skip


def predicted(config_tables: dict[str, Any]) -> int:
    """The peak that `plan` has for the config."""
    config = parse_config(config_tables, "benchmark")
    found = find_facts(config.backbone.source)
    return peak_bytes(make_plan(config, published_data(config.data), found, "cpu").memory)


def measured(config_tables: dict[str, Any], root: Path) -> int:
    """The largest resident set of an engine that runs the config to its end."""
    root.mkdir()
    layout = RunLayout(root)
    layout.config.write_text(tomli_w.dumps(config_tables), encoding="utf-8")
    command = [sys.executable, "-P", "-m", "timellm_engine", "--run-dir", str(root)]
    with layout.engine_log.open("wb") as log:
        child = subprocess.Popen(command, stdout=log, stderr=log)
        _, status, usage = os.wait4(child.pid, 0)
    if status:
        raise SystemExit(layout.engine_log.read_text(encoding="utf-8")[-2000:])
    return 1024 * usage.ru_maxrss


def main() -> int:
    """Run the cases that are named, or all; 1 where one is off by more than the limit."""
    parser = argparse.ArgumentParser(description="Compare predicted with measured memory.")
    parser.add_argument("cases", nargs="*", help=f"some of: {'; '.join(CASES)}")
    chosen = parser.parse_args().cases or list(CASES)
    worst = 0.0
    print("| case | predicted MiB | measured MiB | off |\n|---|---|---|---|")
    with tempfile.TemporaryDirectory() as scratch:
        for number, case in enumerate(chosen):
            backbone, keys = CASES[case]
            source = "embedded"
            if backbone != "embedded":
                folder = Path(scratch) / backbone
                if not folder.exists():
                    in_own_process(make_backbone, folder, *BACKBONES[backbone])
                source = str(folder)
            config = tables(source, keys)
            told, found = predicted(config), measured(config, Path(scratch) / str(number))
            off = told / found - 1.0
            worst = max(worst, abs(off))
            print(f"| {case} | {told / MIB:,.0f} | {found / MIB:,.0f} | {off:+.1%} |", flush=True)
    print(f"\nlargest deviation {worst:.1%}, limit {LIMIT:.0%}")
    return int(worst > LIMIT)


if __name__ == "__main__":
    sys.exit(main())
