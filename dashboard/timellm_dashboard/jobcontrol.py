"""Being stopped, continued and ended by the shell, or by anybody else."""

import asyncio
import os
import signal
import sys
import termios
import threading
from collections.abc import Callable
from types import FrameType
from typing import Any


def continue_well(refresh: Callable[[], None]) -> None:
    """Let the program go on after any stop, once Textual has set its own handlers.

    Textual takes every SIGCONT for the end of a suspension that it has begun itself (SIGTSTP), and
    takes the terminal over a second time: after a plain SIGSTOP two threads read its keys, and the
    one that is not told of the end keeps the program from ending. Here such a SIGCONT only puts
    back how the terminal hands keys over, which a shell changes meanwhile, and has the screen drawn
    anew.
    """
    if threading.current_thread() is not threading.main_thread():
        return
    suspend, resume = signal.getsignal(signal.SIGTSTP), signal.getsignal(signal.SIGCONT)
    if not callable(suspend) or not callable(resume):
        return  # there is no terminal to be given back
    suspended, modes = False, _terminal_modes()

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
            _set_terminal_modes(modes)
            refresh()

    signal.signal(signal.SIGTSTP, on_suspend)
    signal.signal(signal.SIGCONT, on_continue)


def leave_well(leave: Callable[[], None]) -> None:
    """Have SIGTERM end the program as its own key does, with the terminal given back as it was.

    And SIGHUP at once, also where it was ignored (`nohup`): there is no terminal to give back, and
    none to read keys from, and the run goes on by itself.
    """
    if threading.current_thread() is threading.main_thread():
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, leave)
        signal.signal(signal.SIGHUP, signal.SIG_DFL)


def _terminal_modes() -> list[Any] | None:
    """How the terminal hands keys over; `None` where there is none."""
    try:
        return termios.tcgetattr(sys.__stdin__.fileno()) if sys.__stdin__ is not None else None
    except (OSError, ValueError, termios.error):
        return None


def _set_terminal_modes(modes: list[Any] | None) -> None:
    """Put them back, unless another program has the terminal now."""
    if modes is None or sys.__stdin__ is None:
        return
    try:
        descriptor = sys.__stdin__.fileno()
        if os.tcgetpgrp(descriptor) == os.getpgrp():
            termios.tcsetattr(descriptor, termios.TCSANOW, modes)
    except (OSError, ValueError, termios.error):
        return
