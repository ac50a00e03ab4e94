"""How an engine leaves whose last events a full disk has not taken: not before they are on it.

Nobody else has them, and without them a run that was trained to its end would be told as one that
was left in the middle.
"""

from timellm_engine.clock import Clock
from timellm_engine.emit import Emitter
from timellm_engine.training.control import ControlFile, Signals
from timellm_engine.training.signs_of_life import SignsOfLife
from timellm_ops.contract.layout import RunLayout

TRY_EVERY_S = 0.5


def hand_over(emitter: Emitter, layout: RunLayout, signals: Signals, clock: Clock) -> None:
    """Wait until the disk has taken every event, as long as a supervisor waits for them.

    Whoever is told to stop leaves at once, as does one whom nobody supervises.
    """
    control, signs = ControlFile(layout.control), SignsOfLife(layout, clock)
    while emitter.untold and not signals.received and signs.is_held():
        control.changed()
        if control.control.desired in ("stop_now", "stop_after_checkpoint"):
            return
        clock.sleep(TRY_EVERY_S)
        emitter.flush()
