"""Rows of cells as lines of text whose columns stand under each other, wide characters too."""

from collections.abc import Collection, Iterator, Sequence


def table(rows: Sequence[Sequence[str]], words: Collection[int] = (0,)) -> Iterator[str]:
    """Line by line; the first row has the titles.

    The columns `words` and one without a title hold words, to the left; the others numbers, to the
    right.
    """
    from rich.cells import cell_len

    widths = [max(cell_len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        cells = []
        for column, cell in enumerate(row):
            space = " " * (widths[column] - cell_len(cell))
            to_the_left = column in words or not rows[0][column]
            cells.append(cell + space if to_the_left else space + cell)
        yield "  ".join(cells).rstrip()
