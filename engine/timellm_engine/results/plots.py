"""Pictures of an evaluation and of a forecast, as files. Nothing here needs a screen."""

import functools
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from timellm_engine.aside import written_aside
from timellm_ops.contract.evaluation import BaselineScore, Evaluation, Score, VariableScore

_TRUTH, _FORECAST, _OTHER = "#444444", "#d1495b", "#2e86ab"
_MOST_BARS = 30
_CHINESE = (
    "Noto Sans CJK SC", "Noto Sans CJK JP", "Source Han Sans SC", "WenQuanYi Micro Hei",
    "WenQuanYi Zen Hei", "Microsoft YaHei", "SimHei", "PingFang SC", "Droid Sans Fallback",
)  # fmt: skip
_HISTORY = 2
"""How many horizons of the history are shown before a forecast."""


class Panel(NamedTuple):
    """One forecast to draw, in the variable's own unit."""

    title: str
    past: np.ndarray[Any, np.dtype[np.datetime64]]
    history: np.ndarray[Any, np.dtype[np.float32]]
    future: np.ndarray[Any, np.dtype[np.datetime64]]
    truth: np.ndarray[Any, np.dtype[np.float32]] | None
    """NaN where it is not known."""
    forecast: np.ndarray[Any, np.dtype[np.float32]]


def draw_forecasts(path: Path, title: str, panels: Sequence[Panel]) -> None:
    """Forecasts against truth, each in a panel of its own. Raises `PreflightError`."""
    columns = 1 if len(panels) == 1 else 2
    rows = -(-len(panels) // columns)
    figure = _figure(6.5 * columns, 2.8 * rows + 0.4)
    for number, panel in enumerate(panels):
        axes = figure.add_subplot(rows, columns, number + 1)
        shown = min(len(panel.past), _HISTORY * len(panel.future))
        times = np.concatenate((panel.past[-shown:], panel.future))
        known = panel.history[-shown:]
        if panel.truth is not None:
            known = np.concatenate((known, panel.truth))
        axes.plot(times[: len(known)], known, color=_TRUTH, linewidth=1.0, label="truth")
        axes.plot(panel.future, panel.forecast, color=_FORECAST, linewidth=1.4, label="forecast")
        axes.axvline(panel.future[0], color="#aaaaaa", linewidth=0.8, linestyle=":")
        _label_dates(axes)
        axes.set_title(_literal(panel.title), fontsize=9)
        if number == 0:
            axes.legend(fontsize=8, frameon=False, loc="best")
    _save(figure, path, title)


def draw_steps(
    path: Path, title: str, model: Sequence[Score], baselines: Sequence[BaselineScore]
) -> None:
    """MSE by step of the horizon, the model's and the baselines'. Raises `PreflightError`."""
    figure = _figure(8.0, 4.2)
    axes = figure.add_subplot()
    steps = np.arange(1, len(model) + 1)
    axes.plot(steps, [score.mse for score in model], color=_FORECAST, linewidth=2, label="Time-LLM")
    for baseline, style in zip(
        (b for b in baselines if b.by_step), ("-", "--", "-.", ":"), strict=False
    ):
        errors = [score.mse for score in baseline.by_step]
        axes.plot(steps, errors, color=_OTHER, linestyle=style, linewidth=1.1, label=baseline.name)
    axes.set_xlabel("step of the horizon")
    axes.set_ylabel("MSE, scaled")
    axes.set_ylim(bottom=0.0)
    axes.legend(fontsize=8, frameon=False)
    _save(figure, path, title)


def draw_variables(path: Path, title: str, variables: Sequence[VariableScore]) -> None:
    """MSE by variable, the highest where there are too many. Raises `PreflightError`."""
    chosen = list(variables)
    if len(chosen) > _MOST_BARS:
        title = f"{title}: the {_MOST_BARS} highest of {len(chosen)}"
        chosen = sorted(chosen, key=lambda variable: -variable.mse)[:_MOST_BARS]
    figure = _figure(7.0, 0.9 + 0.28 * len(chosen))
    axes = figure.add_subplot()
    places = np.arange(len(chosen))
    axes.barh(places, [variable.mse for variable in chosen], color=_FORECAST, height=0.65)
    axes.set_yticks(places, [_literal(variable.name) for variable in chosen], fontsize=8)
    axes.invert_yaxis()
    axes.set_xlabel("MSE, scaled")
    _save(figure, path, title)


def draw_evaluation(beginning: str, found: Evaluation, panels: Sequence[Panel]) -> tuple[str, ...]:
    """Every picture of an evaluation; their paths, which begin with `beginning`.

    Raises `PreflightError`.
    """
    about = f"{found.run_id}, {found.checkpoint}, {found.split}"
    paths = tuple(Path(f"{beginning}-{what}.png") for what in ("forecasts", "steps", "variables"))
    draw_forecasts(paths[0], f"Forecasts against truth: {about}", panels)
    draw_steps(paths[1], f"Error by step: {about}", found.by_step, found.baselines)
    draw_variables(paths[2], f"Error by variable: {about}", found.variables)
    return tuple(map(str, paths))


def _figure(width: float, height: float) -> Any:
    """A figure of its own, without pyplot, which would keep it and look for a screen."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    mpl.rcParams["font.family"] = _families()
    return Figure(figsize=(width, height), layout="constrained")


@functools.cache
def _families() -> list[str]:
    """The usual font, and behind it what is installed for names in Chinese."""
    from matplotlib.font_manager import fontManager

    installed = {font.name for font in fontManager.ttflist}
    return ["DejaVu Sans", *(name for name in _CHINESE if name in installed)][:2]


def _save(figure: Any, path: Path, title: str) -> None:
    figure.suptitle(_literal(title), fontsize=10)
    with written_aside(path) as aside:
        figure.savefig(aside, dpi=120, format=path.suffix.removeprefix("."))


def _label_dates(axes: Any) -> None:
    from matplotlib.dates import AutoDateLocator, ConciseDateFormatter

    locator = AutoDateLocator(minticks=3, maxticks=6)
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(ConciseDateFormatter(locator))
    axes.tick_params(labelsize=8)
    axes.xaxis.get_offset_text().set_fontsize(8)


def _literal(text: str) -> str:
    """`text` with no formulas in it, whatever a column is called."""
    return text.replace("$", r"\$")
