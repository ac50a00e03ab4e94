"""Fewer and fewer of what comes without an end, so that a record stays small enough to be read."""

FULL = 2000
"""So many are kept one by one; of the next as many every second, then every fourth, and so on."""


class Thinning:
    """Of n, some `FULL` times the logarithm of n are kept: of a million, 20,000. Depends on
    nothing but the count."""

    def __init__(self, full: int = FULL) -> None:
        self._full = full
        self._every = 1
        self._kept = 0
        self._left_out = 0

    def keeps(self) -> bool:
        """Whether the one that comes now is kept."""
        if self._left_out + 1 < self._every:
            self._left_out += 1
            return False
        self._left_out = 0
        self._kept += 1
        if self._kept >= self._full:
            self._kept, self._every = 0, 2 * self._every
        return True
