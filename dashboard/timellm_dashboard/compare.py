"""Two or more runs side by side: what they were asked, what came out, and what follows. Pure.

What follows is little: a difference between single runs is no proof, and errors of different tasks
are not compared at all.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from msgspec import Struct

from timellm_dashboard import format as fmt
from timellm_dashboard.asciitext import to_ascii
from timellm_dashboard.figure import Figure, figure
from timellm_dashboard.headline import mark_of, state_seen
from timellm_dashboard.history import History
from timellm_dashboard.runlist import test_errors
from timellm_dashboard.series import Point
from timellm_dashboard.text import Lang, words
from timellm_dashboard.text_runs import RunsWords, runs_words
from timellm_ops.contract.events import LossName
from timellm_ops.contract.state import RunState

MOST_RUNS = 6
LETTERS = "ABCDEF"
"""What the runs are called here: their ids are long."""

_OF_THE_TASK = (
    "data.dataset", "data.target", "data.features", "data.pred_len", "data.train_ratio",
    "data.test_ratio", "data.train_end", "data.vali_end", "data.test_end", "data.frequency",
    "data.missing", "data.duplicates", "data.unordered", "data.gaps", "data.constant",
    "data.synthetic_rows", "data.synthetic_columns",
)  # fmt: skip
"""Where these differ, the tests are different ones."""
_NOT_OF_TRAINING = (
    "run.name", "gpu.", "host.", "policy.", "supervisor.", "checkpoint.", "train.log_every",
    "train.eval_batch_size", "train.test",
)  # fmt: skip
"""Keys, or beginnings of keys, that no number of a training depends on."""
_STEPS_OF_A_PACE = 50
"""Of fewer steps the time for one says little: the first ones are slow."""


class ComparedRun(Struct, frozen=True, kw_only=True):
    """A run with all that is compared of it."""

    run_id: str
    state: RunState
    history: History
    supervised: bool
    config: Mapping[str, Any] | None
    """Its sections and keys as plain values; `None` where its file cannot be read."""


class ComparedName(Struct, frozen=True, kw_only=True):
    """Which run a letter stands for."""

    letter: str
    run_id: str
    glyph: str
    word: str


class ComparedKey(Struct, frozen=True, kw_only=True):
    """A key of the config that is not the same in all runs, with its value in each."""

    key: str
    values: tuple[str, ...]


class ComparedResult(Struct, frozen=True, kw_only=True):
    """A result, with its value in each run. `better` is a run's letter, where one can be named."""

    id: str
    label: str
    figures: tuple[Figure, ...]
    better: str
    better_text: str


class ComparedCurve(Struct, frozen=True, kw_only=True):
    """The smoothed loss of a run over its steps."""

    letter: str
    points: tuple[Point, ...]


class Comparison(Struct, frozen=True, kw_only=True):
    """All that is shown of two or more runs."""

    lang: Lang
    ascii_only: bool
    runs: tuple[ComparedName, ...]
    results: tuple[ComparedResult, ...]
    config: tuple[ComparedKey, ...]
    config_unknown: tuple[str, ...]
    """Letters of the runs whose config cannot be read."""
    findings: tuple[str, ...]
    curves: tuple[ComparedCurve, ...]

    @property
    def words(self) -> RunsWords:
        """The texts that stand beside it."""
        return runs_words(self.lang, ascii_only=self.ascii_only)


def compare(
    runs: Sequence[ComparedRun], *, lang: Lang = "en", ascii_only: bool = False
) -> Comparison:
    """The comparison of 2 to `MOST_RUNS` runs, called by letters in the order given.

    Raises `ValueError` for fewer or more.
    """
    if not 2 <= len(runs) <= MOST_RUNS:
        raise ValueError(f"found {len(runs)} runs; expected 2 to {MOST_RUNS}")
    keys = _differing(runs)
    scope = _Scope(runs, keys, "en" if ascii_only else lang, ascii_only=ascii_only)
    results = _results(scope)
    return Comparison(
        lang=scope.lang,
        ascii_only=ascii_only,
        runs=tuple(scope.name(index) for index in range(len(runs))),
        results=results,
        config=tuple(
            ComparedKey(key=key, values=tuple(scope.write(v) for v in values))
            for key, values in keys.items()
        ),
        config_unknown=tuple(
            letter for letter, run in zip(LETTERS, runs, strict=False) if run.config is None
        ),
        findings=tuple(scope.write(text) for text in _findings(scope, results)),
        curves=tuple(
            ComparedCurve(letter=letter, points=run.history.smoothed_loss.points())
            for letter, run in zip(LETTERS, runs, strict=False)
        ),
    )


class _Scope:
    """The runs, the keys in which they differ, and how to say it."""

    def __init__(
        self,
        runs: Sequence[ComparedRun],
        keys: Mapping[str, tuple[str, ...]],
        lang: Lang,
        *,
        ascii_only: bool,
    ) -> None:
        self.runs, self.lang, self.ascii_only = runs, lang, ascii_only
        self.words = runs_words(lang, ascii_only=ascii_only)
        self.write: Callable[[str], str] = to_ascii if ascii_only else str
        self.none = self.write("—")
        self.keys_of_task = tuple(key for key in keys if _is_of_task(key, runs))
        self.keys_of_training = tuple(key for key in keys if not key.startswith(_NOT_OF_TRAINING))
        self.configs_known = all(run.config is not None for run in runs)

    def name(self, index: int) -> ComparedName:
        run = self.runs[index]
        state = state_seen(run.state, supervised=run.supervised)
        glyph, _ = mark_of(state)
        word: str = getattr(words(self.lang), state)
        return ComparedName(
            letter=LETTERS[index], run_id=run.run_id, glyph=self.write(glyph), word=word
        )

    def letters(self, indices: Sequence[int]) -> str:
        return self.words.list_and.join(
            part
            for part in (", ".join(LETTERS[i] for i in indices[:-1]), LETTERS[indices[-1]])
            if part
        )


def _is_of_task(key: str, runs: Sequence[ComparedRun]) -> bool:
    if key in _OF_THE_TASK:
        return True
    datasets = {run.config["data"]["dataset"] for run in runs if run.config is not None}
    if key == "data.path":
        return "custom" in datasets
    return key == "run.seed" and "synthetic" in datasets  # the seed draws the series


# --- config --------------------------------------------------------------------------------------


def _differing(runs: Sequence[ComparedRun]) -> dict[str, tuple[str, ...]]:
    """The keys whose values are not the same in all runs with a readable config, in order."""
    flat = [None if run.config is None else _flattened(run.config) for run in runs]
    known = [keys for keys in flat if keys is not None]
    names = dict.fromkeys(key for keys in known for key in keys)
    return {
        key: tuple("?" if keys is None else _value(keys.get(key)) for keys in flat)
        for key in names
        if any(keys.get(key) != known[0].get(key) for keys in known[1:])
    }


def _flattened(section: Mapping[str, Any], before: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in section.items():
        if isinstance(value, Mapping):
            flat |= _flattened(value, f"{before}{name}.")
        else:
            flat[f"{before}{name}"] = value
    return flat


def _value(value: Any) -> str:
    """A value as its config file has it."""
    match value:
        case None:
            return "—"
        case bool():
            return "true" if value else "false"
        case float():
            return f"{value:g}"
        case str():
            return value or '""'
        case _:
            return str(value)


# --- results -------------------------------------------------------------------------------------


def _results(scope: _Scope) -> tuple[ComparedResult, ...]:
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
            [run.history.seconds_per_step or run.state.seconds_per_iteration for run in scope.runs],
            _pace,
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
            [None if r.history.energy_mj is None else r.history.energy_mj / 3.6e9
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


def _pace(seconds_per_step: float) -> str:
    if seconds_per_step < 0.1:
        return f"{seconds_per_step * 1000:.3g} ms"
    return f"{seconds_per_step:.3g} s"


def _energy(kwh: float) -> str:
    return f"{kwh:.2f} kWh" if kwh >= 0.1 else f"{kwh * 1000:.1f} Wh"


def _better(figures: Sequence[Figure], scope: _Scope) -> tuple[str, str]:
    """The letter of the run with the lowest value, and by how much it is below the next one."""
    found = _lowest(figures)
    if found is None:
        return "", ""
    first, second = found
    if figures[first].text == figures[second].text:
        return "", scope.words.equal
    text = scope.words.less.format(run=LETTERS[first], share=_share(figures, first, second))
    return LETTERS[first], scope.write(text)


def _lowest(figures: Sequence[Figure]) -> tuple[int, int] | None:
    """The places of the lowest value and of the next one; `None` if any is missing."""
    values = [f.value for f in figures]
    if any(value is None or not math.isfinite(value) for value in values):
        return None
    order = sorted(range(len(values)), key=lambda place: values[place] or 0.0)
    return order[0], order[1]


def _share(figures: Sequence[Figure], low: int, high: int) -> str:
    below, above = figures[low].value or 0.0, figures[high].value or 0.0
    return f"{(above - below) / above * 100:.1f} %" if above else "0 %"


# --- findings ------------------------------------------------------------------------------------

_LOSSES: dict[LossName, str] = {"mse": "MSE", "mae": "MAE", "huber": "Huber"}


def _findings(scope: _Scope, results: Sequence[ComparedResult]) -> list[str]:
    """Sentences, each of which is true of these runs and claims no more."""
    say, runs = scope.words, scope.runs
    found: list[str] = []
    if scope.keys_of_task:
        found.append(say.find_other_task.format(keys=", ".join(scope.keys_of_task)))
    else:
        by_id = {result.id: result for result in results}
        for name in ("test_mse", "vali_mse"):
            found += _about_error(by_id[name], scope)
        found += _about_causes(by_id["test_mse"], by_id["vali_mse"], scope)
    unfinished = [i for i, run in enumerate(runs) if run.state.outcome != "finished"]
    if unfinished:
        found.append(say.find_not_finished.format(runs=scope.letters(unfinished)))
    by_epoch = [
        i for i, run in enumerate(runs)
        if run.state.final_mse is None and test_errors(run.state)[0] is not None
    ]  # fmt: skip
    if by_epoch and len(by_epoch) < len(runs) and not scope.keys_of_task:
        found.append(say.find_tested_differently.format(runs=scope.letters(by_epoch)))
    losses = list(dict.fromkeys(_LOSSES[run.state.loss_name] for run in runs))
    if len(losses) > 1:
        found.append(say.find_other_loss.format(losses=", ".join(losses)))
    return found


def _about_error(result: ComparedResult, scope: _Scope) -> list[str]:
    say, figures = scope.words, result.figures
    missing = [i for i, figure_ in enumerate(figures) if figure_.value is None]
    if missing:
        runs = scope.letters(missing)
        return [say.find_none_yet.format(runs=runs, what=result.label)]
    lowest = _lowest(figures)
    if lowest is None:
        return []
    first, second = lowest
    if len({figure_.text for figure_ in figures}) == 1:
        everyone = scope.letters(range(len(figures)))
        text = say.find_equal.format(runs=everyone, what=result.label, value=figures[first].text)
        return [text]
    if not result.better:
        return []
    return [
        say.find_lowest.format(
            run=result.better,
            what=result.label,
            value=figures[first].text,
            share=_share(figures, first, second),
            other=LETTERS[second],
            other_value=figures[second].text,
        )
    ]


def _about_causes(test: ComparedResult, vali: ComparedResult, scope: _Scope) -> list[str]:
    """What the difference may come from, as far as that can be told; and what would tell it."""
    say, keys = scope.words, scope.keys_of_training
    if not scope.configs_known:
        return [say.find_one_seed]
    if keys == ("run.seed",):
        result = test if _lowest(test.figures) is not None else vali
        values = [f.value for f in result.figures if f.value is not None]
        if len(values) == len(result.figures) and max(values) > 0:
            share = f"{(max(values) - min(values)) / max(values) * 100:.1f} %"
            return [say.find_seed_alone.format(count=len(values), what=result.label, share=share)]
        return []
    if not keys:
        return [say.find_no_key]
    found = (
        say.find_one_key.format(keys=keys[0])
        if len(keys) == 1
        else say.find_many_keys.format(count=len(keys))
    )
    return [found, say.find_one_seed]
