"""Two or more runs side by side: what they were asked, what came out, and what follows. Pure.

What follows is little: a difference between single runs is no proof, and errors of different tasks
are not compared at all.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from timellm_dashboard.runs.compared import (
    LETTERS,
    MOST_RUNS,
    ComparedCurve,
    ComparedKey,
    ComparedRun,
    Comparison,
    Scope,
)  # fmt: skip
from timellm_dashboard.runs.findings import findings
from timellm_dashboard.runs.results import compared_results
from timellm_dashboard.words.text import Lang
from timellm_ops.contract.counting import Count


def compare(
    runs: Sequence[ComparedRun], *, lang: Lang = "en", ascii_only: bool = False
) -> Comparison:
    """The comparison of 2 to `MOST_RUNS` runs, called by letters in the order given.

    Raises `ValueError` for fewer or more.
    """
    if not 2 <= len(runs) <= MOST_RUNS:
        raise ValueError(f"found {Count(len(runs)):run|runs}; expected 2 to {MOST_RUNS}")
    keys = _differing(runs)
    scope = Scope(runs, keys, "en" if ascii_only else lang, ascii_only=ascii_only)
    results = compared_results(scope)
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
        findings=tuple(scope.write(text) for text in findings(scope, results)),
        curves=tuple(
            ComparedCurve(letter=letter, points=run.history.losses.smoothed.points())
            for letter, run in zip(LETTERS, runs, strict=False)
        ),
    )


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
