"""What each change to the published computation should gain by counting, and what it gains.

    python benchmarks/changes.py [--batch 4] [--rounds 7]

Every row is the row above it with one change more, from the published computation to the engine's
fastest mode, on a GPT-2 of random weights and a CPU. What a row should take is counted from shapes
(`work.py`) at the rates that this machine was seen to have (`machine.py`), as a floor is; what it
takes is the sum of the medians of its parts (`parts.py`), over steps, and evaluations, that all
rows make in turns in one process. A change that does not touch what is counted, such as fewer calls
from Python, should gain nothing by counting. `differs` is how far a row's first forecast, of one
window, is from the published one.
"""

import argparse
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import NamedTuple

import torch
from backbone_shapes import DEFAULT_LAYERS, LAYERS
from contenders import Terms, Windows, published_model, write_material
from floor import (
    Timed,
    engine_contender,
    floor_s,
    job_of,
    products_of,
    published_contender,
    setting_of,
    shared_tokens,
)
from machine import Machine, measure
from parts import Seconds, in_turns
from torch import Tensor, nn
from work import Mode, Parts, Setting, evaluation_window, training_step

from timellm_engine.model.gpt2_parts import parts_of
from timellm_engine.model.gpt2_pass import GPT2Pass
from timellm_engine.model.gpt2_prefix import GPT2Prefix
from timellm_engine.model.packed import unpack_products
from timellm_engine.model.precision import processor_has_bf16
from timellm_engine.model.prefix import PromptPrefix
from timellm_engine.training.build import Job

SHAPES = ("gpt2-small", "tiny")

Way = Callable[[Job], PromptPrefix | None]
"""How prompts are read."""


class Change(NamedTuple):
    """A change to the row above."""

    name: str
    job: Job
    way: Way
    machine: Machine
    counted: Callable[[Setting], Setting]
    """From the published setting to that of this row."""


class Row(NamedTuple):
    """The published computation and all changes up to this one."""

    change: str
    mode: Mode
    machine: Machine
    step_of: Setting
    evaluation_of: Setting
    forecast: Tensor
    """Of the first window, by the weights that all rows begin with."""
    step: Timed
    evaluation: Timed


class Machines(NamedTuple):
    """One machine by how it is asked for products."""

    plain: Machine
    laid_out: Machine
    bf16: Machine


def rows_of(terms: Terms, machines: Machines, trained: Setting, evaluated: Setting) -> list[Row]:
    """All rows, from the published computation on; settings are those of the published one."""
    plain, packed = job_of("mapping", terms), job_of("mapping", terms)
    direct = job_of("direct", terms)
    unpack_products(plain.backbone.model)
    whole = partial(replace, in_one_piece=True)
    nothing_shared = partial(replace, shared=0)
    # A mapping's gradient is made by laid-out products in every row of the engine.
    unpacked = Machine(
        {name: rate if "layer" in name else machines.laid_out.flop_s[name]
         for name, rate in machines.plain.flop_s.items()},
        machines.plain.bytes_s, machines.plain.exps_s,
    )  # fmt: skip
    last, counted = fastest(direct)
    changes: list[Change] = [
        Change("fewer operations", plain, in_one_piece, unpacked, whole),
        Change("prompts without a graph", plain, by_layers, unpacked, nothing_shared),
        Change("their common beginning once", plain, with_beginning, unpacked, replace),
        Change("frozen weights laid out", packed, with_beginning, machines.laid_out, replace),
    ]
    if last is keeping_words:
        changes += [
            Change("layers by hand", packed, by_hand, machines.laid_out, replace),
            Change("words of the first layer once", packed, last, machines.laid_out, counted),
        ]
    changes.append(Change("direct prototypes", direct, last, machines.laid_out, counted))
    if processor_has_bf16():
        narrow = job_of("direct", terms, bf16=True)
        last, counted = fastest(narrow)
        half = partial(counted, bytes_each=2)
        changes.append(Change("bfloat16", narrow, last, machines.bf16, half))
    model = published_model(terms)
    first = Row(
        "published", "published", machines.plain, trained, trained,
        forecast_of(model, terms), *published_contender(model, terms),
    )  # fmt: skip
    return [first, *(row_of(made, terms, trained, evaluated) for made in changes)]


def in_one_piece(_job: Job) -> None:
    """With their patches."""


def by_layers(job: Job) -> PromptPrefix:
    """Each as a whole, by the backbone's own layers."""
    return PromptPrefix(job.backbone, ())


def with_beginning(job: Job) -> PromptPrefix:
    """What all have in common being known."""
    return PromptPrefix(job.backbone, shared_tokens())


def by_hand(job: Job) -> PromptPrefix:
    """By a pass of our own."""
    return GPT2Prefix(job.backbone, shared_tokens(), gpt2(job, keeps_words=False))


def keeping_words(job: Job) -> PromptPrefix:
    """By that pass, which makes the words of the first layer once."""
    return GPT2Prefix(job.backbone, shared_tokens(), gpt2(job, keeps_words=True))


def fastest(job: Job) -> tuple[Way, "partial[Setting]"]:
    """How the engine reads prompts on this processor, and how that is counted."""
    if parts_of(job.backbone.model) is None:  # products are not laid out
        return with_beginning, partial(replace)
    return keeping_words, partial(replace, words_at_hand=True)


def gpt2(job: Job, *, keeps_words: bool) -> GPT2Pass:
    """A pass through the job's backbone."""
    parts = parts_of(job.backbone.model)
    assert parts is not None  # or these rows are not there
    return GPT2Pass(parts, keeps_words=keeps_words)


def row_of(made: Change, terms: Terms, trained: Setting, evaluated: Setting) -> Row:
    """The row of a change: its forecast, its step and its evaluation read prompts in its way."""
    model, way = made.job.model, made.way(made.job)
    step, evaluation = engine_contender(made.job, terms)

    def in_its_way(timed: Timed) -> Timed:
        def taken(number: int) -> Seconds:
            model.read_ahead_by(way)
            return timed(number)

        return taken

    model.read_ahead_by(way)
    return Row(
        made.name, made.job.config.model.prototypes, made.machine,
        made.counted(trained), made.counted(evaluated),
        forecast_of(model, terms), in_its_way(step), in_its_way(evaluation),
    )  # fmt: skip


def forecast_of(model: nn.Module, terms: Terms) -> Tensor:
    """Of one window alone, whose prompt nothing pads."""
    model.eval()
    with torch.inference_mode():
        forecast: Tensor = model(Windows(terms).x[:1].unsqueeze(-1)).float()
    return forecast


def together(passes: dict[str, Timed], rounds: int) -> list[float]:
    """The medians of all parts of each, which take turns."""
    return [sum(parts.values()) for parts in in_turns(passes, rounds).values()]


def table(
    what: str, rows: Sequence[Row], of_row: Callable[[Row], Parts], measured: Sequence[float]
) -> str:
    """A line for each row."""
    titles = (
        f"{what}, with all above it", "GFLOP", "MB", "counted ms", "measured ms",
        "counted gain", "measured gain", "all gains, counted", "measured", "differs",
    )  # fmt: skip
    lines = ["| " + " | ".join(titles) + " |", "|---" * len(titles) + "|"]
    counted = [
        sum(floor_s(part, w, row.machine) for part, w in of_row(row).items()) for row in rows
    ]
    for number, row in enumerate(rows):
        before, parts = max(0, number - 1), of_row(row).values()
        gains = (
            counted[before] / counted[number], measured[before] / measured[number],
            counted[0] / counted[number], measured[0] / measured[number],
        )  # fmt: skip
        flop, moved = sum(work.flop for work in parts), sum(work.bytes for work in parts)
        lines.append(
            f"| {row.change} | {flop / 1e9:,.1f} | {moved / 1e6:,.0f} | "
            f"{1e3 * counted[number]:,.1f} | {1e3 * measured[number]:,.1f} | "
            + " | ".join(f"{gain:.2f}" for gain in gains)
            + f" | {apart(row.forecast, rows[0].forecast):.0e} |"
        )
    return "\n".join(lines)


def apart(found: Tensor, expected: Tensor) -> float:
    """The largest difference, relative to the largest value."""
    return float((found - expected).abs().max() / expected.abs().max())


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the table of a step, and that of a window evaluated."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--shape", choices=SHAPES, default="gpt2-small")
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--at-once", type=int, default=32, help="windows of an evaluation")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--threads", type=int)
    asked = parser.parse_args(arguments)
    if asked.threads:
        torch.set_num_threads(asked.threads)
    layers = LAYERS.get(asked.shape, DEFAULT_LAYERS)
    with tempfile.TemporaryDirectory() as folder:
        terms = Terms(Path(folder), asked.batch, asked.at_once, "cpu")
        write_material(asked.shape, layers, terms.material)
        windows = Windows(terms).x

        trained, evaluated = (
            setting_of(asked.shape, layers, windows, rows) for rows in (asked.batch, asked.at_once)
        )
        products = products_of(trained)
        machines = Machines(
            measure(products, torch.float32, "cpu", laid_out=False),
            measure(products, torch.float32, "cpu"),
            measure(products, torch.bfloat16, "cpu"),
        )
        rows = rows_of(terms, machines, trained, evaluated)
        print(
            f"{asked.shape}, {layers} layers, batch {asked.batch}, {torch.get_num_threads()} "
            f"threads, torch {torch.__version__}, {asked.rounds} rounds\n"
        )
        steps = together({row.change: row.step for row in rows}, asked.rounds)
        print(table("a step", rows, lambda row: training_step(row.mode, row.step_of), steps))
        windows_evaluated = {row.change: row.evaluation for row in rows}
        evaluations = together(windows_evaluated, max(1, asked.rounds // 2))
        print()
        print(
            table(
                "a window evaluated", rows,
                lambda row: evaluation_window(row.mode, row.evaluation_of), evaluations,
            ),
            flush=True,
        )  # fmt: skip


if __name__ == "__main__":
    main()
