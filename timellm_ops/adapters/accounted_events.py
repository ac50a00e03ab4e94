"""Which bytes of an output an event accounts for, so that another reader can go on behind it."""

import itertools
from collections.abc import Callable

from timellm_ops.contract.events import Event


class AccountedEvents:
    """Gathers the events of pieces of an output. Of a piece, they account for its last bytes, one
    each; none goes beyond its end, or the file would seem to have become shorter."""

    def __init__(self) -> None:
        self._found: list[tuple[Event, int]] = []  # each with the end of its piece
        self._offset = 0  # of the newest event that was handed out

    def add(self, end: int, *events: Event) -> None:
        """Events of the piece that ends with byte `end`; pieces come in order."""
        self._found += [(event, end) for event in events]

    def handed_out(self, still_to_come: Callable[[int], int]) -> list[tuple[Event, int]]:
        """What was gathered, each with its bytes, ever more. More events than bytes are left out.

        `still_to_come`: how many more there may be of the piece that ends at a byte, for which
        bytes are kept free.
        """
        found: list[tuple[Event, int]] = []
        for end, group in itertools.groupby(self._found, key=lambda item: item[1]):
            events = [event for event, _ in group]
            last = end - still_to_come(end)
            for place, event in enumerate(events):
                offset = max(self._offset + 1, last - len(events) + 1 + place)
                if offset > last:
                    break
                found.append((event, offset))
                self._offset = offset
        self._found = []
        return found
