"""All layers of a large backbone on a small card: trained under a cap, beside what `plan` says.

    python benchmarks/small_card.py                    a tiny shape on the CPU, some seconds
    python benchmarks/small_card.py --device cuda      Qwen2.5-3B's shape, 36 layers, under 6 GiB

On a GPU every variant is a process of its own: a backbone of random weights is written to a
temporary folder once (6 GB), and some steps and batches of evaluation are made with
`torch.cuda.set_per_process_memory_fraction` at what the cap leaves beside driver and context, so
that libraries which are loaded later may still end above it. Printed are what `plan` foretold, the
peak that the card had and how much of that is not torch's but driver, context and libraries, and
`out of memory` for a variant that does not fit. On the CPU the sizes of the backbone are compared,
which must be equal to the byte, and the peaks are those of the process. Exit code 1 where a
variant that should fit does not, or a size is off.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import msgspec
from backbone_shapes import write_backbone
from own_process import in_own_process

from timellm_ops.backbones import find_facts
from timellm_ops.contract.config import Config
from timellm_ops.contract.plan import Device, Measured, MeasureQuestion
from timellm_ops.contract.validation import parse_config
from timellm_ops.planning.backbone_bytes import backbone_bytes
from timellm_ops.planning.make import make_plan
from timellm_ops.planning.memory import peak_bytes
from timellm_ops.planning.steps import published_data

GIB, MIB = 1 << 30, 1 << 20

SHAPES: dict[Device, tuple[str, int]] = {"cuda": ("qwen2.5-3b", 36), "cpu": ("small-grouped", 2)}
"""By its name in `backbone_shapes`, and its layers."""
VARIANTS = [
    (prototypes, dtype, again)
    for prototypes, dtype in (
        ("mapping", "bfloat16"), ("direct", "bfloat16"), ("direct", "int8"), ("direct", "nf4"),
    )
    for again in (False, True)
]  # fmt: skip
"""Prototypes, the backbone's type, and whether layers are computed again."""


def label(variant: tuple[str, str, bool]) -> str:
    """A variant in a few words."""
    prototypes, dtype, again = variant
    return f"{prototypes} {dtype}{', recomputed' if again else ''}"


def config_of(
    folder: Path, device: Device, variant: tuple[str, str, bool], asked: argparse.Namespace
) -> Config:
    """The run of a variant: 512 to 96, batches of 4 windows."""
    prototypes, dtype, again = variant
    tables = {
        "data": {"dataset": "synthetic", "synthetic_rows": 4_000, "synthetic_columns": 1},
        "model": {"prototypes": prototypes},
        "backbone": {"source": str(folder), "dtype": dtype},
        "train": {
            "batch_size": 4, "eval_batch_size": asked.at_once, "activation_checkpointing": again,
            "precision": "bf16" if device == "cuda" else "fp32", "device": device,
            "cuda_graphs": asked.recorded,
        },
    }  # fmt: skip
    return parse_config(tables, "benchmark")


def worker(config: Config, steps: int, cap_bytes: int | None) -> None:
    """Make the steps in this process and print what they took, as JSON."""
    import torch

    from timellm_engine.model.backbone import load_backbone
    from timellm_engine.model.quantised import quantised_layers
    from timellm_engine.training.measure import measure

    if cap_bytes is not None:
        # What other programs and the context itself take is not the allocator's to give.
        _, total = torch.cuda.mem_get_info()
        rest = cap_bytes - outside_bytes()
        if rest <= 0:
            raise SystemExit(
                f"{outside_bytes() / MIB:,.0f} MiB of the card are taken by others and by CUDA's "
                f"context; found a cap of {cap_bytes / MIB:,.0f} MiB, expected more than that"
            )
        torch.cuda.set_per_process_memory_fraction(rest / total)
    try:
        measured = measure(MeasureQuestion(config=config, steps=steps, batches=1), lambda *_: None)
    except torch.OutOfMemoryError:
        print(json.dumps(None))
        return
    answer = msgspec.to_builtins(measured)
    if cap_bytes is not None:
        answer["outside_bytes"] = outside_bytes()
    else:
        model = load_backbone(config.backbone, config.run.seed).model
        buffers = [b for layer in quantised_layers(model) for b in layer.buffers()]
        answer["held_bytes"] = sum(t.nbytes for t in (*model.parameters(), *buffers))
    print(json.dumps(answer))


def outside_bytes() -> int:
    """What is taken of the card by anything but torch's allocator."""
    import torch

    free, total = torch.cuda.mem_get_info()
    return total - free - torch.cuda.memory_reserved()


def asked(folder: Path, device: Device, number: int, arguments: argparse.Namespace) -> Any:
    """What a process of its own found for a variant; `None` where memory was not enough."""
    command = [
        sys.executable, __file__, "--device", device, "--worker", str(number),
        "--folder", str(folder), "--steps", str(arguments.steps), "--gib", str(arguments.gib),
        "--at-once", str(arguments.at_once), *(["--recorded"] if arguments.recorded else []),
    ]  # fmt: skip
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"variant {VARIANTS[number]} failed with exit code {done.returncode}")
    return json.loads(done.stdout.splitlines()[-1])


def main() -> int:
    """Every variant, one after the other; 1 where one is not as foretold."""
    parser = argparse.ArgumentParser(description="Train a large backbone under a memory cap.")
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    parser.add_argument("--gib", type=float, default=6.0, help="the cap on a GPU")
    parser.add_argument("--steps", type=int, default=3)
    parser.add_argument("--at-once", type=int, default=8, help="windows of an evaluation")
    parser.add_argument("--variant", nargs="+", choices=[label(each) for each in VARIANTS])
    parser.add_argument(
        "--recorded", action="store_true", help="steps as CUDA graphs, where there is room"
    )
    parser.add_argument("--worker", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help="a backbone to use instead of a random one")
    chosen = parser.parse_args()
    device: Device = chosen.device
    cap_bytes = round(chosen.gib * GIB) if device == "cuda" else None
    if chosen.worker is not None:
        variant = VARIANTS[chosen.worker]
        config = config_of(chosen.folder, device, variant, chosen)
        worker(config, chosen.steps, cap_bytes)
        return 0
    with tempfile.TemporaryDirectory() as scratch:
        folder = chosen.folder or Path(scratch) / "qwen2-shape"
        if chosen.folder is None:
            in_own_process(write_backbone, *SHAPES[device], folder, device)
        return table(folder, device, cap_bytes, chosen)


def table(
    folder: Path, device: Device, cap_bytes: int | None, arguments: argparse.Namespace
) -> int:
    """Print a row for each variant; 1 where one is not as foretold."""
    found = find_facts(str(folder))
    facts = found.facts
    if facts is None:
        raise SystemExit(f"{folder}: no backbone whose memory a plan knows")
    wrong = 0
    titles = "prototypes", "backbone", "checkpointing", "backbone MiB", "foretold MiB", "peak MiB"
    titles += ("outside of torch MiB", "s/step")
    print("|", " | ".join(titles), "|")
    print("|" + "---|" * len(titles))
    for number, variant in enumerate(VARIANTS):
        if arguments.variant and label(variant) not in arguments.variant:
            continue
        config = config_of(folder, device, variant, arguments)
        plan = make_plan(config, published_data(config.data), found, device)
        told = peak_bytes(plan.memory)
        answer = asked(folder, device, number, arguments)
        held = backbone_bytes(facts, facts.layers, config.backbone.dtype)
        peak, outside, seconds = "out of memory", "-", "-"
        if answer is not None:
            wrong += answer.pop("held_bytes", held) != held
            if cap_bytes is not None:
                outside = f"{answer.pop('outside_bytes') / MIB:,.0f}"
            measured = msgspec.convert(answer, Measured)
            most = max(measured.training_peak_bytes, measured.evaluation_peak_bytes)
            peak = f"{most / MIB:,.0f} ({told / most - 1:+.0%})"
            seconds = f"{measured.seconds_per_step:.2f}"
            if cap_bytes is not None and most > cap_bytes:
                peak += ", over the cap"
                wrong += told <= cap_bytes
        elif cap_bytes is not None and told <= cap_bytes:
            wrong += 1
        cells = (
            *variant[:2], "yes" if variant[2] else "no",
            f"{held / MIB:,.1f}", f"{told / MIB:,.0f}", peak, outside, seconds,
        )  # fmt: skip
        print("|", " | ".join(cells), "|", flush=True)
    return int(wrong > 0)


if __name__ == "__main__":
    sys.exit(main())
