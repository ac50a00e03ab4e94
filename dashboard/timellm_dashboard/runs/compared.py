"""What is compared, what comes of it, and how its parts are called."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from msgspec import Struct

from timellm_dashboard.folds.history import History
from timellm_dashboard.folds.series import Point
from timellm_dashboard.viewmodel.figure import Figure
from timellm_dashboard.viewmodel.headline import mark_of, state_seen
from timellm_dashboard.words.ascii import to_ascii
from timellm_dashboard.words.runs import RunsWords, runs_words
from timellm_dashboard.words.text import Lang, words
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


class Scope:
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
        """The run at that place, and how it is."""
        run = self.runs[index]
        state = state_seen(run.state, supervised=run.supervised)
        glyph, _ = mark_of(state)
        word: str = getattr(words(self.lang), state)
        return ComparedName(
            letter=LETTERS[index], run_id=run.run_id, glyph=self.write(glyph), word=word
        )

    def letters(self, indices: Sequence[int]) -> str:
        """`A, B and C`."""
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
