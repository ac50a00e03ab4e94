"""What the supervisor asks for, obeyed between two steps and between two batches of evaluation.

`control.json` is looked at by its inode and times, which costs microseconds; it is read only when
it was replaced. Waiting of any kind is done in short naps, so that a new control, a signal or
a lost supervisor is noticed at once.
"""

import signal
from pathlib import Path

import msgspec

from timellm_engine.clock import Clock
from timellm_engine.emit import Emitter
from timellm_engine.training.signs_of_life import SignsOfLife
from timellm_ops.contract import events as ev
from timellm_ops.contract.config import SupervisorSection
from timellm_ops.contract.control import Control
from timellm_ops.contract.layout import RunLayout

NAP_S = 0.05

_NOT_READ = Control(sequence=-1)


class StopNow(Exception):  # noqa: N818 - it is what is to be done
    """Save `last` where training stands, and leave. The text says why, as half a sentence."""


class Leave(Exception):  # noqa: N818 - it is what is to be done
    """Leave: what was asked to be saved first is saved."""


class Signals:
    """SIGTERM and SIGINT, remembered until the next boundary. A second one changes nothing."""

    def __init__(self) -> None:
        self.received = ""
        """The name of the signal that asked to stop; empty: none has."""

    def install(self) -> None:
        """Take over the process's signals; the terminal's hang-up is ignored."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._remember)
        signal.signal(signal.SIGHUP, signal.SIG_IGN)

    def _remember(self, number: int, _frame: object) -> None:
        self.received = self.received or signal.Signals(number).name


class ControlFile:
    """`control.json` as it was last seen whole; no file means: run."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._seen: tuple[int, int, int] | None = None
        self.control = _NOT_READ

    def changed(self) -> bool:
        """Look; whether there is another control. One that is torn is left alone.

        On a full disk it is written over where it lies, so that a mixture of two may be read; the
        times of the file change once more when it is whole.
        """
        try:
            found = self._path.stat()
            seen = (found.st_ino, found.st_mtime_ns, found.st_size)
            if seen == self._seen:
                return False
            control = msgspec.json.decode(self._path.read_bytes(), type=Control)
        except (OSError, msgspec.MsgspecError, UnicodeDecodeError):
            return False
        self._seen = seen
        if control == self.control:
            return False
        self.control = control
        return True


class Controls:
    """The engine's side of its control: to be called at every boundary of its work."""

    def __init__(
        self,
        layout: RunLayout,
        section: SupervisorSection,
        emitter: Emitter,
        clock: Clock,
        signals: Signals,
    ) -> None:
        self._file = ControlFile(layout.control)
        self._signs = SignsOfLife(layout, clock)
        self._section, self._emitter = section, emitter
        self._clock, self._signals = clock, signals
        self._orphaned = False
        self._duty = 1.0

    def saved(self) -> None:
        """To be called after a save. Raises `Leave` where that was what a stop waited for."""
        if self._file.control.desired == "stop_after_checkpoint":
            raise Leave("the supervisor asked for it after a checkpoint")

    def boundary(self) -> None:
        """Obey: go on at once, stand still until told otherwise, or raise `StopNow`."""
        self._look()
        self._leave_if_told()
        if self._told_to_stand():
            self._stand()

    def wait(self, seconds: float) -> bool:
        """Let so much time go by, obeying as at a boundary; whether anybody supervises."""
        end = self._clock.monotonic() + seconds
        while self._clock.monotonic() < end and self._signs.is_held():
            self._clock.sleep(NAP_S)
            self.boundary()
        return self._signs.is_held()

    def rest(self, worked_s: float) -> None:
        """Sleep as long as the duty wants after `worked_s` seconds of work, or until told else."""
        began = self._clock.monotonic()
        while not self._in_demand():
            end = began + worked_s * (1.0 / self._duty - 1.0)
            left = end - self._clock.monotonic()
            if left <= 0.0:
                return
            self._clock.sleep(min(NAP_S, left))
            self._look()

    def _look(self) -> None:
        self._emitter.flush()
        if not self._file.changed():
            return
        control = self._file.control
        self._orphaned = False
        self._emitter.event(
            ev.ControlAcknowledged(
                sequence=control.sequence, desired=control.desired, duty=control.duty
            )
        )
        if control.duty != self._duty:
            self._duty = control.duty
            self._emitter.event(ev.Paced(duty=control.duty))

    def _leave_if_told(self) -> None:
        if self._signals.received:
            raise StopNow(f"{self._signals.received} was received")
        if self._file.control.desired == "stop_now":
            raise StopNow("the supervisor asked for it")

    def _in_demand(self) -> bool:
        """Whether a boundary would not simply go on."""
        stopping = bool(self._signals.received) or self._file.control.desired == "stop_now"
        return stopping or self._told_to_stand()

    def _told_to_stand(self) -> bool:
        """A pause holds, unless its supervisor was lost and the rule then is to go on."""
        if self._file.control.desired != "pause":
            return False
        if self._orphaned and not self._is_lost():
            self._orphaned = False
        return not self._orphaned

    def _is_lost(self) -> bool:
        """Whether the supervisor was silent for longer than a living one may be, and is none; or
        for so long that nobody can tell whether it will ever say a word again."""
        silent_s = self._signs.look()
        if silent_s <= self._section.orphan_after_s:
            return False
        return silent_s > self._section.hung_after_s or not self._signs.is_held()

    def _stand(self) -> None:
        began = self._clock.monotonic()
        self._emitter.event(ev.Paused())
        self._signs.begin()
        told = False
        while self._told_to_stand():
            self._clock.sleep(NAP_S)
            self._look()
            self._leave_if_told()
            if not self._told_to_stand():
                break
            silent = self._signs.silent_s > self._section.orphan_after_s
            if self._is_lost():
                self._follow_orphan_rule()
            elif silent and not told:
                self._emitter.event(ev.Alert(level="warning", message=self._held_up()))
            told = silent
        self._emitter.event(ev.Resumed(paused_seconds=self._clock.monotonic() - began))

    def _held_up(self) -> str:
        return (
            f"paused; the supervisor lives and has been silent for {self._signs.silent_s:.0f} s: "
            "its disk may hold it up, and it is waited for until that is "
            f"{self._section.hung_after_s:.0f} s"
        )

    def _follow_orphan_rule(self) -> None:
        hangs = ", though it lives" if self._signs.is_held() else ""
        lost = f"paused, and the supervisor has been silent for {self._signs.silent_s:.0f} s{hangs}"
        if self._section.orphan_action == "continue":
            self._orphaned = True
            self._emitter.event(ev.Alert(level="warning", message=f"{lost}: training goes on"))
            return
        self._emitter.event(ev.Alert(level="warning", message=f"{lost}: saving and leaving"))
        raise StopNow(lost)
