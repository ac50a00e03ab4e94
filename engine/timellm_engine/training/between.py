"""What is done between two batches that are only read: rest, obey, and tell how far it is."""

from collections.abc import Callable

from timellm_engine.clock import Clock
from timellm_engine.training.control import Controls

REPORT_EVERY_S = 0.25
"""Progress is reported once in so many seconds at most."""


class Between:
    """To be called before each batch and at the end, with the windows that are done.

    The supervisor is obeyed as between two steps; `StopNow` ends the work there. With all windows
    done it is not, so that the result is not lost, unless `to_the_end`: there is more to do then.
    `tell` hears how far it is each time.
    """

    def __init__(
        self,
        controls: Controls,
        clock: Clock,
        total: int,
        tell: Callable[[int], None],
        *,
        to_the_end: bool = False,
    ) -> None:
        self._controls, self._clock = controls, clock
        self._total, self._tell, self._to_the_end = total, tell, to_the_end
        self._began = clock.monotonic()
        self.spent_s = 0.0
        """What the work took so far, pauses not counted."""

    def __call__(self, done: int) -> None:
        """Rest for the work since the call before, and stand or leave where that is wanted."""
        self._controls.rest(self._clock.monotonic() - self._began)
        self.spent_s += self._clock.monotonic() - self._began
        if done < self._total or self._to_the_end:
            self._controls.boundary()
        self._tell(done)
        self._began = self._clock.monotonic()
