"""Being stopped and continued by the shell, or by anybody else."""

import signal
import threading
from collections.abc import Callable
from types import FrameType


def continue_well(refresh: Callable[[], None]) -> None:
    """Let the program go on after any stop, once Textual has set its own handlers.

    Textual takes every SIGCONT for the end of a suspension that it has begun itself (SIGTSTP), and
    takes the terminal over a second time: after a plain SIGSTOP two threads read its keys, and the
    one that is not told of the end keeps the program from ending. Here such a SIGCONT only has the
    screen drawn anew.
    """
    if threading.current_thread() is not threading.main_thread():
        return
    suspend, resume = signal.getsignal(signal.SIGTSTP), signal.getsignal(signal.SIGCONT)
    if not callable(suspend) or not callable(resume):
        return  # there is no terminal to be given back
    suspended = False

    def on_suspend(number: int, frame: FrameType | None) -> None:
        nonlocal suspended
        suspended = True
        suspend(number, frame)

    def on_continue(number: int, frame: FrameType | None) -> None:
        nonlocal suspended
        if suspended:
            suspended = False
            resume(number, frame)
        else:
            refresh()

    signal.signal(signal.SIGTSTP, on_suspend)
    signal.signal(signal.SIGCONT, on_continue)
