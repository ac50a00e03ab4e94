"""The runs of a folder as a list: a row each, in the order that is asked for. Pure."""

import re
from collections.abc import Callable, Collection, Iterable
from datetime import datetime
from typing import Literal

from msgspec import Struct
from msgspec.structs import replace

from timellm_dashboard.viewmodel.figure import Figure, figure
from timellm_dashboard.viewmodel.headline import Mood, StateName, mark_of
from timellm_dashboard.words import format as fmt
from timellm_dashboard.words.ascii import to_ascii
from timellm_dashboard.words.text import Lang, words
from timellm_ops.contract.state import RunState

SortKey = Literal["started", "state", "epoch", "vali", "mse", "mae", "time"]
SORTS: tuple[SortKey, ...] = ("started", "state", "epoch", "vali", "mse", "mae", "time")
"""In the order of the columns."""

_STAMP = re.compile(r"(\d{4})(\d\d)(\d\d)-(\d\d)(\d\d)\d\d-")


class RunRow(Struct, frozen=True, kw_only=True):
    """One run in a list. Numbers are `None` where the run has none yet."""

    run_id: str
    state: StateName
    epoch: int
    epochs: int | None
    best_vali_mse: float | None
    test_mse: float | None
    test_mae: float | None
    """Of the final test, or of the best epoch so far."""
    active_s: float | None
    """Seconds under supervision, pauses included; `None` for a log without a clock."""
    started_at: datetime | None
    whole: RunState
    """All that is known of it."""

    @property
    def started_text(self) -> str:
        """The minute of its start, as its id has it, on the clock of the machine that made it."""
        found = _STAMP.match(self.run_id)
        return "" if found is None else "{}-{}-{} {}:{}".format(*found.groups())


class RunLine(Struct, frozen=True, kw_only=True):
    """A row as it is shown."""

    run_id: str
    shown: bool
    """It is the run that the other screens show."""
    marked: bool
    state: StateName
    glyph: str
    word: str
    mood: Mood
    epoch: str
    vali: Figure
    mse: Figure
    mae: Figure
    time: Figure
    started: str


class Order(Struct, frozen=True):
    """By which column the list is sorted."""

    key: SortKey = "started"
    reverse: bool = False
    """The other way round than is natural for the column."""

    def beside(self, by: int) -> "Order":
        """By the column so many places further right."""
        return Order(SORTS[(SORTS.index(self.key) + by) % len(SORTS)])


def row_of(run_id: str, state: RunState, name: StateName) -> RunRow:
    """The row of a run in `state`, which is called `name`."""
    mse, mae = test_errors(state)
    return RunRow(
        run_id=run_id,
        state=name,
        epoch=state.epoch,
        epochs=state.epochs,
        best_vali_mse=state.best_vali_mse,
        test_mse=mse,
        test_mae=mae,
        active_s=None if state.t is None else state.active_s,
        started_at=state.started_at,
        whole=state,
    )


def test_errors(state: RunState) -> tuple[float | None, float | None]:
    """MSE and MAE of the final test, or of the best epoch so far."""
    if state.final_mse is not None:
        return state.final_mse, state.final_mae
    best = next((row for row in state.rows if row.epoch == state.best_epoch), None)
    return (None, None) if best is None else (best.test_mse, best.test_mae)


_NATURAL: dict[SortKey, tuple[Callable[[RunRow], float | str | None], bool]] = {
    "started": (lambda row: row.run_id, True),
    "state": (lambda row: row.state, False),
    "epoch": (lambda row: row.epoch, True),
    "vali": (lambda row: row.best_vali_mse, False),
    "mse": (lambda row: row.test_mse, False),
    "mae": (lambda row: row.test_mae, False),
    "time": (lambda row: row.active_s, True),
}
"""What a column is sorted by, and whether the highest comes first."""


def in_order(rows: Iterable[RunRow], order: Order) -> tuple[RunRow, ...]:
    """The rows sorted; those without a value come last, and among equals the newest first."""
    value, highest_first = _NATURAL[order.key]
    newest_first = sorted(rows, key=lambda row: row.run_id, reverse=True)
    known = [row for row in newest_first if _is_known(value(row))]
    # A stable sort keeps the newest first among equals, whichever way it goes.
    known.sort(key=value, reverse=highest_first is not order.reverse)  # type: ignore[arg-type]
    return (*known, *(row for row in newest_first if not _is_known(value(row))))


def _is_known(value: float | str | None) -> bool:
    return value is not None and value == value


def run_lines(
    rows: Iterable[RunRow],
    *,
    shown: str,
    marked: Collection[str],
    lang: Lang,
    ascii_only: bool,
) -> tuple[RunLine, ...]:
    """The rows as texts; `shown` is the id of the run on the other screens."""
    return tuple(
        _line(row, row.run_id == shown, row.run_id in marked, lang, ascii_only) for row in rows
    )


def seen_as(rows: Iterable[RunRow], run_id: str, state: StateName) -> tuple[RunRow, ...]:
    """The rows, with one run in the state that is shown of it: who looks at it knows more of it
    than its record, such as that it is silent."""
    return tuple(
        replace(row, state=state) if row.run_id == run_id and row.state != state else row
        for row in rows
    )


def _line(row: RunRow, shown: bool, marked: bool, lang: Lang, ascii_only: bool) -> RunLine:
    glyph, mood = mark_of(row.state)
    write = to_ascii if ascii_only else str
    word: str = getattr(words("en" if ascii_only else lang), row.state)
    of = "" if row.epochs is None else f"/{row.epochs}"
    none = write("—")
    return RunLine(
        run_id=row.run_id,
        shown=shown,
        marked=marked,
        state=row.state,
        glyph=write(glyph),
        word=word,
        mood=mood,
        epoch=f"{row.epoch}{of}" if row.epoch else none,
        vali=figure(row.best_vali_mse, fmt.loss, none),
        mse=figure(row.test_mse, fmt.loss, none),
        mae=figure(row.test_mae, fmt.loss, none),
        time=figure(row.active_s, fmt.brief_duration, none),
        started=row.started_text,
    )
