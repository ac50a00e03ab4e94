"""What a step cannot go below on this machine, part by part: from shapes alone, and measured.

    python benchmarks/floor.py [--shape gpt2-small] [--batch 4] [--precision fp32] [--measured]

Operations, bytes and exponentials of a training step and of a window of an evaluation are counted
(`work.py`) for the published computation and for the engine with the published mapping and with
direct prototypes; what the first layer makes of a prompt's word is taken to be at hand. The machine
is measured (`machine.py`): products of the sizes that occur, memory, exponentials. A part's floor
is the longer one of its arithmetic and its traffic, each at the best rate that was seen.
`--measured` puts beside it what the models really take, in turns, medians. The tokens of prompts
are those of the embedded tokenizer on the windows of `engine.py`.
"""

import argparse
import statistics
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from backbone_shapes import DEFAULT_LAYERS, LAYERS, SHAPES, facts_of
from contenders import (
    BF16,
    DESCRIPTION,
    MODEL,
    PRED_LEN,
    RATE,
    SEQ_LEN,
    WINDOWS,
    Terms,
    Windows,
    engine_config,
    engine_variant,
    load_weights,
    published_model,
    write_material,
    write_windows,
)
from machine import Machine, measure
from parts import Seconds, engine_pass, in_turns, published_pass
from published_computation import PublishedTimeLLM
from safetensors.torch import load_file
from work import MODES, Mode, Parts, Setting, Work, evaluation_window, total, training_step

from timellm_engine.model.embedded import embedded_tokenizer
from timellm_engine.model.layers import normalise
from timellm_engine.model.prefix import common_beginning
from timellm_engine.model.prompts import WindowStatistics, prompt_text, window_statistics
from timellm_engine.training.build import Job, build

Measured = Mapping[str, Mapping[str, float]]
"""Seconds of each part, by mode."""
Timed = Callable[[int], Seconds]


def prompt_ids(statistics: Iterable[WindowStatistics]) -> list[list[int]]:
    """The tokens of the prompts of such windows."""
    texts = [prompt_text(one, DESCRIPTION, SEQ_LEN, PRED_LEN) for one in statistics]
    tokenizer: Any = embedded_tokenizer()
    return [list(ids) for ids in tokenizer(texts).input_ids]


def shared_tokens() -> tuple[int, ...]:
    """The tokens that all prompts begin with, whatever the window."""
    below = WindowStatistics(-1.0, 1.0, 0.0, upward=True, lags=(0,))
    return common_beginning(prompt_ids([below, below._replace(minimum=0.5)]))


def longest_prompt(windows: torch.Tensor, rows: int) -> int:
    """Tokens of the longest of a batch of so many windows, the median batch."""
    normalised = normalise(windows.unsqueeze(-1))[0].squeeze(-1)
    lengths = [len(ids) for ids in prompt_ids(window_statistics(normalised))]
    longest = [max(lengths[begin : begin + rows]) for begin in range(0, len(lengths), rows)]
    return int(statistics.median(longest))


def setting_of(shape: str, layers: int, windows: torch.Tensor, rows: int) -> Setting:
    """A backbone of that shape in float32, and so many of these windows at once."""
    return Setting(
        facts=facts_of(shape, layers), layers=layers, model=MODEL, seq_len=SEQ_LEN,
        pred_len=PRED_LEN, rows=rows, tokens=longest_prompt(windows, rows),
        shared=len(shared_tokens()),
    )  # fmt: skip


def products_of(of: Setting) -> dict[str, tuple[int, int, int]]:
    """The products that take the time, by the parts that they stand for."""
    facts, model = of.facts, of.model
    alone, whole = of.rows * of.patches, of.rows * (of.tokens + of.patches)
    return {
        "prototypes": (model.num_prototypes, facts.vocab_size, facts.width),
        "prototypes backward": (model.num_prototypes, facts.width, facts.vocab_size),
        "a layer, patches alone": (alone, facts.width, facts.intermediate),
        "a layer, prompt and patches": (whole, facts.width, facts.intermediate),
    }


def floor_s(part: str, work: Work, machine: Machine) -> float:
    """Seconds that the part takes at least."""
    wanted = "prototypes" if part == "prototypes" else "a layer"
    rate = max(rate for product, rate in machine.flop_s.items() if product.startswith(wanted))
    arithmetic_s = work.flop / rate + work.exps / machine.exps_s
    return max(arithmetic_s, work.bytes / machine.bytes_s)


def report(
    what: str, of_mode: Mapping[Mode, Parts], machine: Machine, measured: Measured | None
) -> str:
    """A table of every part in every mode, and one of what they come to."""
    lines = [
        f"| {what} | part | GFLOP | MB | million exponentials | floor ms | measured ms |",
        "|---" * 7 + "|",
    ]
    floors: dict[Mode, float] = {}
    sums: dict[Mode, float | None] = {}
    for mode, parts in of_mode.items():
        own = measured[mode] if measured else {}
        for part in [*parts, *(name for name in own if name not in parts)]:
            work = parts.get(part, Work())
            least = floor_s(part, work, machine)
            floors[mode] = floors.get(mode, 0.0) + least
            lines.append(_row(mode, part, work, least, own.get(part)))
        sums[mode] = sum(own.values()) if own else None
        lines.append(_row(mode, "**together**", total(parts), floors[mode], sums[mode]))
    lines += [
        "",
        "| mode | floor, times as fast | measured, times as fast | floor over measured |",
        "|---" * 4 + "|",
    ]
    for mode in of_mode:
        found, base = sums[mode], sums["published"]
        times = f"{base / found:.2f}" if found and base else "-"
        reached = f"{floors[mode] / found:.0%}" if found else "-"
        lines.append(f"| {mode} | {floors['published'] / floors[mode]:.2f} | {times} | {reached} |")
    return "\n".join(lines)


def _row(mode: Mode, part: str, work: Work, least_s: float, found_s: float | None) -> str:
    shown = "-" if found_s is None else f"{1e3 * found_s:,.1f}"
    return (
        f"| {mode} | {part} | {work.flop / 1e9:,.2f} | {work.bytes / 1e6:,.1f} | "
        f"{work.exps / 1e6:,.1f} | {1e3 * least_s:,.1f} | {shown} |"
    )


def measured_parts(terms: Terms, rounds: int, *, bf16: bool) -> tuple[Measured, Measured]:
    """Of a step, and of a window of an evaluation, as all three models really take them."""
    models = {"published": published_contender(published_model(terms), terms, bf16=bf16)}
    for mode in MODES:
        if mode != "published":
            models[mode] = engine_contender(job_of(mode, terms, bf16=bf16), terms)
    steps = {mode: step for mode, (step, _) in models.items()}
    evaluations = {mode: evaluation for mode, (_, evaluation) in models.items()}
    return in_turns(steps, rounds), in_turns(evaluations, max(1, rounds // 2))


def published_contender(
    model: PublishedTimeLLM, terms: Terms, *, bf16: bool = False
) -> tuple[Timed, Timed]:
    """A step and an evaluation of the published computation, by their number."""
    windows = Windows(terms)
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimiser = torch.optim.Adam(trained, lr=RATE)

    def step(number: int) -> Seconds:
        return published_pass(model, *windows.batch(number, terms.batch), optimiser, bf16=bf16)

    def evaluation(number: int) -> Seconds:
        x, y = windows.batch(number, terms.batch)
        return _of_one(published_pass(model, x, y, None, bf16=bf16), terms.batch)

    return step, evaluation


def job_of(mode: Mode, terms: Terms, *, bf16: bool = False) -> Job:
    """The engine in this mode, ready to train, with the weights that everybody begins with."""
    variant = engine_variant(mode, f"model.prototypes={mode} {BF16 if bf16 else ''}")
    job = build(engine_config(variant, terms, terms.material))
    load_weights(job.model, terms.material)
    return job


def engine_contender(job: Job, terms: Terms) -> tuple[Timed, Timed]:
    """A step and an evaluation of the engine, by their number."""
    windows = Windows(terms, "cpu")

    def step(number: int) -> Seconds:
        return engine_pass(job.model, *windows.batch(number, terms.batch), job.optimiser)

    def evaluation(number: int) -> Seconds:
        x, y = windows.batch(number, terms.at_once)
        return _of_one(engine_pass(job.model, x, y, None), terms.at_once)

    return step, evaluation


def _of_one(seconds: Seconds, windows: int) -> Seconds:
    return {part: taken / windows for part, taken in seconds.items()}


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the machine, and both tables of each batch."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--shape", nargs="+", choices=SHAPES, default=["gpt2-small"])
    parser.add_argument("--layers", type=int, help="of the backbone; 6 but for the tiny shapes")
    parser.add_argument("--batch", nargs="+", type=int, default=[4])
    parser.add_argument("--at-once", type=int, default=32, help="windows of an evaluation")
    parser.add_argument("--precision", choices=["fp32", "bf16"], default="fp32")
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    parser.add_argument("--threads", type=int)
    parser.add_argument(
        "--rates", nargs=3, type=float, metavar=("GFLOP/S", "GB/S", "EXP/NS"),
        help="of all products, memory and exponentials, as they were seen on a better day",
    )  # fmt: skip
    parser.add_argument("--measured", action="store_true", help="what the models really take")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--scratch", type=Path, help="a folder for gigabytes")
    asked = parser.parse_args(arguments)
    if asked.threads:
        torch.set_num_threads(asked.threads)
    for shape in asked.shape:
        layers = asked.layers or LAYERS.get(shape, DEFAULT_LAYERS)
        with tempfile.TemporaryDirectory(dir=asked.scratch) as made:
            material = Path(made)
            if asked.measured:
                write_material(shape, layers, material)
            else:
                write_windows(material)
            for batch in asked.batch:
                terms = Terms(material, batch, asked.at_once, asked.device)
                _print_tables(asked, shape, layers, terms)


def _print_tables(asked: argparse.Namespace, shape: str, layers: int, terms: Terms) -> None:
    windows = load_file(terms.material / WINDOWS)["x"]

    def setting(rows: int) -> Setting:
        each = 2 if asked.precision == "bf16" else 4
        of = setting_of(shape, layers, windows, rows)
        return replace(of, words_at_hand=True, bytes_each=each)

    trained, evaluated = setting(terms.batch), setting(terms.at_once)
    dtype = torch.bfloat16 if asked.precision == "bf16" else torch.float32
    products = products_of(trained)
    if asked.rates:
        flop_s, bytes_s, exps_s = (1e9 * rate for rate in asked.rates)
        machine = Machine(dict.fromkeys(products, flop_s), bytes_s, exps_s)
    else:
        machine = measure(products, dtype, terms.device)
    rates = ", ".join(f"{name} {rate / 1e9:,.1f}" for name, rate in machine.flop_s.items())
    print(
        f"\n{shape}, {layers} layers, batch {terms.batch}, {asked.precision}, "
        f"{terms.device}, {torch.get_num_threads()} threads, torch {torch.__version__}\n"
        f"prompts of {trained.tokens} tokens, the first {trained.shared} the same in all\n"
        f"GFLOP/s: {rates}\nmemory: {machine.bytes_s / 1e9:.1f} GB/s; "
        f"exponentials: {machine.exps_s / 1e9:.2f} billion/s\n"
    )
    steps = evaluations = None
    if asked.measured:
        bf16 = asked.precision == "bf16"
        steps, evaluations = measured_parts(terms, asked.rounds, bf16=bf16)
    step = {mode: training_step(mode, trained) for mode in MODES}
    print(report("a training step", step, machine, steps), end="\n\n")
    # The published code evaluates in the batches that it trains with.
    window = {
        mode: evaluation_window(mode, trained if mode == "published" else evaluated)
        for mode in MODES
    }
    print(report("a window evaluated", window, machine, evaluations), flush=True)


if __name__ == "__main__":
    main()
