"""Rows of cells as lines of text whose columns stand under each other, wide characters too."""

from collections.abc import Iterator, Sequence


def table(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """Line by line; the first row has the titles.

    The first column and one without a title hold words, to the left; the others numbers, to the
    right.
    """
    from rich.cells import cell_len

    widths = [max(cell_len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        cells = []
        for column, cell in enumerate(row):
            space = " " * (widths[column] - cell_len(cell))
            words = column == 0 or not rows[0][column]
            cells.append(cell + space if words else space + cell)
        yield "  ".join(cells).rstrip()
