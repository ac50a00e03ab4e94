"""What the probe says of the GPU, as the supervisor takes it in: each word once."""

from collections.abc import Callable

import msgspec

from timellm_ops.clock import Clock
from timellm_ops.contract.telemetry import GpuSample
from timellm_ops.probe.protocol import GpuProbe, PowerAnswer, Reading
from timellm_ops.process.engine import EngineHandle

PUT_BACK_WITHIN_S = 10.0
"""How long the driver may take to put the card's power limit back, at the end."""
_FIRST_NAP_S = 0.02
_PUT_BACK_NAP_S = 0.05


class Readings:
    """A probe's words, in order. `engine` is the one that runs now, if any."""

    def __init__(
        self, probe: GpuProbe, clock: Clock, engine: Callable[[], EngineHandle | None]
    ) -> None:
        self._probe, self._clock, self._engine = probe, clock, engine
        self._early: Reading | None = None
        self._listed: frozenset[int] = frozenset()
        self._own: frozenset[int] = frozenset()

    def first(self, patience_s: float) -> Reading | None:
        """Wait for what the probe has to say first; `next` gives it like any other.

        A probe may say only once that there is no GPU, or what the limits of its power are.
        """
        give_up_t = self._clock.monotonic() + patience_s
        while self._early is None and self._clock.monotonic() < give_up_t:
            self._early = self._probe.poll(self._clock.monotonic())
            if self._early is None:
                self._clock.sleep(_FIRST_NAP_S)
        return self._early

    def next(self, now_t: float) -> Reading | None:
        """What is new, each process in it marked as the engine's or not."""
        early, self._early = self._early, None
        return self._marked(self._probe.poll(now_t) if early is None else early)

    def put_back(self, limit_w: float) -> PowerAnswer | None:
        """Ask for a power limit and wait for it to be in force; `None` where it is not in time."""
        self._probe.limit_power(limit_w)
        give_up_t = self._clock.monotonic() + PUT_BACK_WITHIN_S
        while self._clock.monotonic() < give_up_t:
            answered = self._probe.poll(self._clock.monotonic())
            if isinstance(answered, PowerAnswer) and answered.limit_w == limit_w:
                return answered
            self._clock.sleep(_PUT_BACK_NAP_S)
        return None

    def _marked(self, reading: Reading | None) -> Reading | None:
        """The engine is asked for its processes only when the driver's list is another one: it
        reads the whole process table for that."""
        engine = self._engine()
        if not isinstance(reading, GpuSample) or not reading.processes or engine is None:
            return reading
        listed = frozenset(process.pid for process in reading.processes)
        if listed != self._listed:
            self._listed, self._own = listed, listed & engine.pids()
        marked = tuple(
            msgspec.structs.replace(process, of_run=process.pid in self._own)
            for process in reading.processes
        )
        return msgspec.structs.replace(reading, processes=marked)
