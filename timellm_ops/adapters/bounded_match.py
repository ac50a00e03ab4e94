"""Regular expressions of other people, matched without waiting for one that never comes back.

Python's `re` backtracks and has no limit of time: `(a+)+$` takes years for a line of 60 letters.
But while it searches it looks for signals, so a timer of the processor time that this process has
used ends a search that goes on for too long.
"""

import contextlib
import re
import signal
import threading
from collections.abc import Iterator
from types import FrameType

SEARCH_S = 0.2
"""Processor seconds after which a search is sure not to be ended yet; after twice as many it is.
A sane expression takes microseconds for the longest line."""


class TooSlow(Exception):  # noqa: N818 - it says what happened
    """A search was ended because it took too long."""


class SearchClock:
    """Searches under `limited` are ended when they take too long.

    Outside of the main thread, where no signals arrive, they are not.
    """

    def __init__(self, search_s: float = SEARCH_S) -> None:
        self._search_s = search_s
        self._searches = 0
        self._seen = -1
        self._searching = False

    @contextlib.contextmanager
    def limited(self) -> Iterator[None]:
        """One timer for many searches, since each would otherwise cost two calls of the system."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = signal.signal(signal.SIGVTALRM, self._tick)
        signal.setitimer(signal.ITIMER_VIRTUAL, self._search_s, self._search_s)
        try:
            yield
        finally:
            signal.setitimer(signal.ITIMER_VIRTUAL, 0.0)
            signal.signal(signal.SIGVTALRM, before if before is not None else signal.SIG_DFL)

    def search(self, regex: re.Pattern[str], text: str) -> re.Match[str] | None:
        """`regex.search(text)`. Raises `TooSlow`."""
        self._searches += 1
        self._searching = True
        try:
            return regex.search(text)
        finally:
            self._searching = False

    def _tick(self, number: int, frame: FrameType | None) -> None:  # noqa: ARG002
        """A search that was under way at the tick before as well has taken all of it."""
        if self._searching and self._seen == self._searches:
            raise TooSlow
        self._seen = self._searches
