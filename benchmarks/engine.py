"""The engine against the published computation, side by side in one run.

    python benchmarks/engine.py [--shape gpt2-small] [--batch 4] [--rounds 7] [--device cpu]

Every variant trains the same model on the same windows, 512 steps to 96, from the same weights,
over a backbone of a real family's code with random weights. `published` is the computation of the
published code (`published_computation.py`), the others are the engine with overrides of its
config. `--add NAME OVERRIDES` makes one more of them, such as `--add "direct, no dropout"
"model.prototypes=direct model.attention_dropout=0"`; `--peer PYTHON` adds neuralforecast's TimeLLM
(`peer.py` says how to get it, and what it does differently).

Each variant is a process of its own, and they take turns, so that a machine's moods meet all of
them: medians and ratios are printed, and `--json FILE` has every single figure. What is beside a
figure in `×` is how many times as fast it is as the published computation in the same precision
and in float32. Peaks are those of a whole process (of the card's allocator on a GPU), with
training alone and with an evaluation; start-up is from its launch, imports included, until it
could make a step. `checkpoint` is what one needs to go on: the engine's `last` with its optimiser,
and of the published code, which keeps no optimiser, the whole state dict, frozen backbone and all;
`weights` are the trained ones alone. `differs` is the largest difference of one window's forecast
before training from the published one in float32, relative to its largest value.
"""

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from backbone_shapes import DEFAULT_LAYERS, LAYERS, SHAPES
from contenders import (
    FURTHER,
    STANDARD,
    Terms,
    Variant,
    engine_config,
    engine_variant,
    write_material,
)
from engine_tables import PUBLISHED, Figures, goals_table, size_table, speed_table
from turns import ContenderFailed, Process

from timellm_ops.contract.validation import ConfigError

GOALS_ARE_FOR = ("gpt2-small", 4, "cpu")
HERE = Path(__file__).parent
SLOW_BF16 = 4.0
"""So many times slower than in float32, a product in bfloat16 is one that the CPU only imitates."""


def compare(
    processes: dict[str, Process], precisions: dict[str, str], rounds: int, evaluations: int,
    *, together: bool = False,
) -> list[Figures]:  # fmt: skip
    """Let them take turns; the first round is not counted. `together`: they started so."""
    figures = {
        name: Figures(name=name, precision=precisions[name], device=process.device,
                      started_s=None if together else process.started_s)
        for name, process in processes.items()
    }  # fmt: skip
    for name, process in processes.items():
        figures[name].forecast = process.ask("forecast")["values"]
    # The published ones last: what their allocators take of a GPU they keep, and the engine records
    # its steps only where there is room.
    for name, process in sorted(processes.items(), key=lambda each: each[0].startswith(PUBLISHED)):
        figures[name].first_step_s = process.ask("step 0")["seconds"]
        process.ask("step 1")
        figures[name].training_peak_bytes = process.ask("peak")["bytes"]
        process.ask("prepare")
        process.ask("evaluate")
    for number in range(rounds):
        for name, process in processes.items():
            # A run makes one step after the other: the first of a turn finds others' things in
            # the caches, and is not counted.
            process.ask(f"step {2 * number + 2}")
            answer = process.ask(f"step {2 * number + 3}")
            figures[name].steps_s.append(answer["seconds"])
            figures[name].losses.append(answer["loss"])
        for name, process in processes.items() if number < evaluations else ():
            figures[name].prepared_s.append(process.ask("prepare")["seconds"])
            answer = process.ask("evaluate")
            figures[name].windows_s.append(answer["windows"] / answer["seconds"])
    for name, process in processes.items():
        # Linux counts a little late, so that a later peak may come out a few pages lower.
        later = process.ask("peak")["bytes"]
        figures[name].peak_bytes = max(later, figures[name].training_peak_bytes)
        figures[name].file_bytes = process.ask("sizes")["bytes"]
        figures[name].remark = process.ask("remark")["text"]
    return list(figures.values())


def start(variants: list[Variant], terms: Terms, asked: argparse.Namespace) -> dict[str, Process]:
    """One process after the other, so that each starts up by itself; or all together."""
    common = ["--batch", str(terms.batch), "--at-once", str(terms.at_once)]
    common += ["--device", terms.device]
    common += ["--threads", str(asked.threads)] if asked.threads else []
    processes: dict[str, Process] = {}

    def launch(name: str, argv: list[str]) -> None:
        processes[name] = Process(name, [*argv, *common])
        if not asked.together:
            processes[name].wait_for_start()

    try:
        for variant in variants:
            argv = [sys.executable, str(HERE / "contenders.py"), str(terms.material), variant.name]
            if variant.overrides is None:
                launch(variant.name, [*argv, "--published", variant.precision])
            else:
                launch(variant.name, [*argv, "--set", *variant.overrides])
        if asked.peer is not None:
            launch("neuralforecast", [str(asked.peer), str(HERE / "peer.py"), str(terms.material)])
        for process in processes.values() if asked.together else ():
            process.wait_for_start()
    except ContenderFailed:
        for process in processes.values():
            process.close()
        raise
    return processes


def imitates_bf16() -> bool:
    """Whether this CPU has no arithmetic in bfloat16, so that it takes many times as long."""
    taken = {}
    for dtype in (torch.float32, torch.bfloat16):
        left, right = torch.ones(64, 768, dtype=dtype), torch.ones(768, 768, dtype=dtype)
        left @ right
        tries = []
        for _ in range(5):
            began = time.perf_counter()
            left @ right
            tries.append(time.perf_counter() - began)
        taken[dtype] = min(tries)
    return taken[torch.bfloat16] > SLOW_BF16 * taken[torch.float32]


def chosen(asked: argparse.Namespace) -> list[Variant]:
    """The variants that were named, or the standard ones, as far as the machine has the means."""
    added = [engine_variant(name, overrides) for name, overrides in asked.add]
    if asked.variant:
        named = {variant.name: variant for variant in (*STANDARD, *FURTHER)}
        return [*(named[name] for name in asked.variant), *added]
    if asked.device == "cuda" or not imitates_bf16():
        return [*STANDARD, *added]
    print(
        "This CPU only imitates bfloat16, many times slower than float32: those variants are "
        "left out unless --variant names them."
    )
    return [*(variant for variant in STANDARD if variant.precision == "fp32"), *added]


def run(asked: argparse.Namespace, shape: str, batches: list[int]) -> list[dict[str, Any]]:
    """The tables of a shape; their figures."""
    layers = asked.layers or LAYERS.get(shape, DEFAULT_LAYERS)
    variants = chosen(asked)
    tables = []
    with tempfile.TemporaryDirectory(dir=asked.scratch) as made:
        material = Path(made)
        for variant in variants:
            engine_config(variant, Terms(material, 1, 1, asked.device), material)
        write_material(shape, layers, material, asked.device)
        for batch in batches:
            terms = Terms(material, batch, asked.at_once, asked.device)
            processes = start(variants, terms, asked)
            precisions = {variant.name: variant.precision for variant in variants}
            precisions["neuralforecast"] = "fp32"
            try:
                figures = compare(
                    processes, precisions, asked.rounds, asked.evaluations, together=asked.together
                )
            finally:
                for process in processes.values():
                    process.close()
            print(
                f"\n{shape}, {layers} layers, batch {batch}, 512 to 96, {figures[0].device}, torch "
                f"{torch.__version__}, {asked.rounds} rounds\n\n{speed_table(figures, batch)}\n\n"
                f"{size_table(figures)}",
                flush=True,
            )
            for of_one in figures:
                if of_one.remark:
                    print(f"\n{of_one.name}: {of_one.remark}", flush=True)
            if (shape, batch, asked.device) == GOALS_ARE_FOR:
                print(f"\n{goals_table(figures)}", flush=True)
            tables.append(
                {
                    "shape": shape, "layers": layers, "batch": batch, "torch": torch.__version__,
                    "variants": [vars(of_one) for of_one in figures],
                }
            )  # fmt: skip
    return tables


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the tables of each shape and batch."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    names = [variant.name for variant in (*STANDARD, *FURTHER)]
    parser.add_argument("--shape", nargs="+", choices=SHAPES, default=["gpt2-small"])
    parser.add_argument("--layers", type=int, help="of the backbone; 6 but for the tiny shapes")
    parser.add_argument("--batch", nargs="+", type=int, default=[4])
    parser.add_argument("--variant", nargs="+", choices=names)
    parser.add_argument("--add", nargs=2, action="append", default=[], metavar=("NAME", "SET"))
    parser.add_argument("--peer", type=Path, help="a Python that has neuralforecast")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--evaluations", type=int, default=3, help="rounds that also evaluate")
    parser.add_argument("--at-once", type=int, default=32, help="windows of an evaluation")
    parser.add_argument("--threads", type=int)
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    parser.add_argument("--together", action="store_true", help="start all at once: no start-up")
    parser.add_argument("--scratch", type=Path, help="a folder for gigabytes")
    parser.add_argument("--json", type=Path, help="a file for the raw figures")
    asked = parser.parse_args(arguments)
    tables = []
    try:
        for shape in asked.shape:
            tables += run(asked, shape, asked.batch)
    except ConfigError as error:
        print(error, file=sys.stderr)
        return 2
    except ContenderFailed as error:
        print(error, file=sys.stderr)
        return 1
    if asked.json:
        asked.json.write_text(json.dumps(tables, indent=1) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
