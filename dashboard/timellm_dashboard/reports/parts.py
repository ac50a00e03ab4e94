"""What a report is made of: cells of values and texts, in rows, in sections; and what it is given
besides the run's journal."""

from typing import TypeAlias

from msgspec import Struct

from timellm_ops.contract.evaluation import Evaluation

Value: TypeAlias = int | float | str | bool | None


class Cell(Struct, frozen=True):
    """A value and what is shown of it."""

    value: Value
    text: str


class Row(Struct, frozen=True, kw_only=True):
    """A row of a section; the first cell names it."""

    id: str
    cells: tuple[Cell, ...]


class Section(Struct, frozen=True, kw_only=True):
    """A part of the report with a title."""

    id: str
    title: str
    columns: tuple[str, ...] = ()
    """Titles of the cells; none where the rows are pairs of a name and a value."""
    rows: tuple[Row, ...] = ()
    lines: tuple[str, ...] = ()
    """Text as it was printed, such as the engine's last lines."""


class Extras(Struct, frozen=True, kw_only=True):
    """What a report has besides the run's journal, as far as it is at hand."""

    evaluations: tuple[Evaluation, ...] = ()
    last_lines: tuple[str, ...] = ()
    """Of the engine's output; shown where the run has failed."""
