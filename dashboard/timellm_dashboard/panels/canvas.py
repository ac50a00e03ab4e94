"""A small drawing of dots in character cells: braille, or ASCII where that can't be shown."""

from timellm_dashboard.lines import Line, Span, Tone

_BRAILLE = 0x2800
_DOTS = ((0x01, 0x08), (0x02, 0x10), (0x04, 0x20), (0x40, 0x80))
"""Bit of the dot in (row, column) of a braille character, which has four rows of two."""
_DASH_CELLS = 2
"""A dash of a limit in so many cells."""
_ASCII_MEETING = "+"
"""A limit and what runs over it, in one cell."""


class Canvas:
    """Layers of dots over one another. Where they meet in a cell, the last layer alone is shown;
    a limit is seen through whatever runs over it.

    Dots are counted from the left and from the bottom. A braille cell holds 2 × 4 of them, an
    ASCII cell 1 × 2.
    """

    def __init__(self, width: int, height: int, *, ascii_only: bool) -> None:
        self._width, self._height, self._ascii = width, height, ascii_only
        self._across, self._down = (1, 2) if ascii_only else (2, 4)
        self._layers: list[tuple[Tone, str, list[list[int]]]] = []
        self._limits: list[tuple[Tone, int]] = []

    @property
    def columns(self) -> int:
        """Dots from left to right."""
        return self._width * self._across

    @property
    def rows(self) -> int:
        """Dots from bottom to top."""
        return self._height * self._down

    @property
    def dots_per_cell(self) -> tuple[int, int]:
        """Dots across a cell and down it."""
        return self._across, self._down

    def layer(self, tone: Tone, ascii_mark: str = "") -> None:
        """Begin a layer above the ones before it; dots go there from now on.

        In ASCII its cells are `ascii_mark`, or tell which halves they fill if that is empty.
        """
        cells = [[0] * self._width for _ in range(self._height)]
        self._layers.append((tone, ascii_mark, cells))

    def limit(self, tone: Tone, row: int) -> None:
        """Draw a dashed line across at that row of dots. In a cell that it shares with a layer both
        are shown: the dots of both, or `+` in ASCII, in the limit's tone; between two dashes a
        layer has its own. Limits in one row of cells take turns, for a cell has one tone."""
        self._limits.append((tone, row))

    def limit_at(self, index: int) -> Tone | None:
        """The tone of a limit in that row of cells, counted from above; `None`: none is there."""
        within = [tone for tone, row in self._limits if self._cell_row(row) == index]
        return within[-1] if within else None

    def covers(self, index: int, cells: range) -> bool:
        """Whether the last layer has a dot in one of those cells of a row."""
        row = self._layers[-1][2][index]
        return any(row[cell] for cell in cells)

    def _cell_row(self, row: int) -> int:
        return (self.rows - 1 - row) // self._down

    def dot(self, column: int, row: int) -> None:
        """Set a dot; one outside of the drawing is not drawn."""
        self.bar(column, row, row)

    def bar(self, column: int, low: int, high: int) -> None:
        """Set the dots of a column from `low` to `high`, both included."""
        low, high = max(0, low), min(self.rows - 1, high)
        if not 0 <= column < self.columns or low > high:
            return
        cells, across = self._layers[-1][2], column // self._across
        top, bottom = self.rows - 1 - high, self.rows - 1 - low
        for row in range(top // self._down, bottom // self._down + 1):
            first = max(top - row * self._down, 0)
            last = min(bottom - row * self._down, self._down - 1)
            for inner in range(first, last + 1):
                cells[row][across] |= self._bit(inner, column % self._across)

    def _bit(self, inner_row: int, inner_column: int) -> int:
        return 1 << inner_row if self._ascii else _DOTS[inner_row][inner_column]

    def lines(self) -> list[Line]:
        """The drawing, top row first."""
        return [self._row(index) for index in range(self._height)]

    def _row(self, index: int) -> Line:
        characters = [" "] * self._width
        tones: list[Tone] = ["plain"] * self._width
        for tone, mark, cells in self._layers:
            for column, bits in enumerate(cells[index]):
                if bits:
                    characters[column] = self._character(bits, mark)
                    tones[column] = tone
        within = [limit for limit in self._limits if self._cell_row(limit[1]) == index]
        for turn, (tone, row) in enumerate(within):
            self._dashes(tone, row, characters, tones, range(turn, self._width, len(within)))
        spans: list[Span] = []
        start = 0
        for column in range(1, self._width + 1):
            if column == self._width or tones[column] != tones[start]:
                spans.append(Span("".join(characters[start:column]), tones[start]))
                start = column
        return tuple(spans)

    def _dashes(
        self, tone: Tone, row: int, characters: list[str], tones: list[Tone], turns: range
    ) -> None:
        bit = self._bit((self.rows - 1 - row) % self._down, 0)
        for turn in turns:
            column = turn * _DASH_CELLS
            if column >= self._width:
                break
            if self._ascii:
                characters[column] = "-" if characters[column] == " " else _ASCII_MEETING
            else:
                shared = 0 if characters[column] == " " else ord(characters[column]) - _BRAILLE
                characters[column] = chr(_BRAILLE + (shared | bit))
            tones[column] = tone

    def _character(self, bits: int, mark: str) -> str:
        if not self._ascii:
            return chr(_BRAILLE + bits)
        return mark or {1: "'", 2: ".", 3: ":"}[bits]
