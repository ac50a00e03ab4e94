"""The results of runs side by side, and which run is better in what."""

import math
from collections.abc import Callable, Sequence

from timellm_dashboard.runs.compared import LETTERS, ComparedResult, Scope
from timellm_dashboard.runs.runlist import test_errors
from timellm_dashboard.viewmodel.figure import Figure, figure
from timellm_dashboard.viewmodel.progress import mean_step_s
from timellm_dashboard.words import format as fmt
from timellm_dashboard.words.text import words
from timellm_ops.contract.state import RunState

_STEPS_OF_A_PACE = 50
"""Of fewer steps the time for one says little: the first ones are slow."""


def compared_results(scope: Scope) -> tuple[ComparedResult, ...]:
    """Every result that runs can have, whether or not they have it."""
    say = scope.words
    states = [run.state for run in scope.runs]
    tests = [test_errors(state) for state in states]
    one_task = not scope.keys_of_task
    same_steps = one_task and len({state.batch_size for state in states}) == 1
    same_steps = same_steps and all(state.step >= _STEPS_OF_A_PACE for state in states)
    timed = [state.t is not None for state in states]

    def row(
        id_: str,
        label: str,
        values: Sequence[float | None],
        write: Callable[[float], str],
        *,
        lower_is_better: bool = False,
    ) -> ComparedResult:
        figures = tuple(figure(v, lambda x: scope.write(write(x)), scope.none) for v in values)
        better, text = _better(figures, scope) if lower_is_better else ("", "")
        return ComparedResult(id=id_, label=label, figures=figures, better=better, better_text=text)

    return (
        row("best_epoch", say.best_epoch, [s.best_epoch for s in states], fmt.count),
        row(
            "vali_mse", say.best_vali, [s.best_vali_mse for s in states], fmt.loss,
            lower_is_better=one_task,
        ),
        row(
            "test_mse", say.test_mse, [mse for mse, _ in tests], fmt.loss,
            lower_is_better=one_task,
        ),
        row(
            "test_mae", say.test_mae, [mae for _, mae in tests], fmt.loss,
            lower_is_better=one_task,
        ),
        row(
            "seconds_per_step", say.per_step,
            [mean_step_s(run.state, run.history) for run in scope.runs],
            lambda step_s: fmt.pace(step_s, words(scope.lang)),
            lower_is_better=same_steps,
        ),
        row("steps", say.steps, [s.step or None for s in states], fmt.count),
        row(
            "total_s", say.total_time, _if(timed, [s.active_s for s in states]),
            fmt.brief_duration,
        ),
        row(
            "paused_s", say.paused_time, _if(timed, [s.paused_s for s in states]),
            fmt.brief_duration,
        ),
        row("pauses", say.pauses, _if(timed, [float(s.pauses) for s in states]), fmt.count),
        row(
            "energy_kwh", say.energy,
            [None if r.history.gpu.energy_mj is None else r.history.gpu.energy_mj / 3.6e9
             for r in scope.runs],
            _energy,
        ),
        row("peak_c", say.peak, [s.peak_temperature_c for s in states], fmt.celsius),
        row("best_bytes", say.best_size, [_bytes(s, "best") for s in states], fmt.storage),
        row("last_bytes", say.last_size, [_bytes(s, "last") for s in states], fmt.storage),
    )  # fmt: skip


def _if(known: Sequence[bool], values: Sequence[float]) -> list[float | None]:
    return [value if there else None for there, value in zip(known, values, strict=True)]


def _bytes(state: RunState, kind: str) -> float | None:
    saved = state.best if kind == "best" else state.last
    return None if saved is None else saved.bytes


def _energy(kwh: float) -> str:
    return f"{kwh:.2f} kWh" if kwh >= 0.1 else f"{kwh * 1000:.1f} Wh"


def _better(figures: Sequence[Figure], scope: Scope) -> tuple[str, str]:
    """The letter of the run with the lowest value, and by how much it is below the next one."""
    found = lowest(figures)
    if found is None:
        return "", ""
    first, second = found
    if figures[first].text == figures[second].text:
        return "", scope.words.equal
    text = scope.words.less.format(run=LETTERS[first], share=share_below(figures, first, second))
    return LETTERS[first], scope.write(text)


def lowest(figures: Sequence[Figure]) -> tuple[int, int] | None:
    """The places of the lowest value and of the next one; `None` if any is missing."""
    values = [f.value for f in figures]
    if any(value is None or not math.isfinite(value) for value in values):
        return None
    order = sorted(range(len(values)), key=lambda place: values[place] or 0.0)
    return order[0], order[1]


def share_below(figures: Sequence[Figure], low: int, high: int) -> str:
    """By how much the lower of two values is below the higher, as a text."""
    below, above = figures[low].value or 0.0, figures[high].value or 0.0
    return f"{(above - below) / above * 100:.1f} %" if above else "0 %"
