"""Signals that stop and continue the dashboard, as whoever has the terminal sends them."""

import os
import signal
from collections.abc import Iterator

import pytest

from timellm_dashboard.jobcontrol import continue_well


@pytest.fixture
def told() -> Iterator[list[str]]:
    """What Textual's own handlers were told; the process is not really stopped."""
    heard: list[str] = []
    before = {number: signal.getsignal(number) for number in (signal.SIGTSTP, signal.SIGCONT)}
    signal.signal(signal.SIGTSTP, lambda *_: heard.append("suspend"))
    signal.signal(signal.SIGCONT, lambda *_: heard.append("resume"))
    yield heard
    for number, handler in before.items():
        signal.signal(number, handler)


def test_whoever_was_only_stopped_draws_anew_and_takes_no_terminal_twice(told: list[str]) -> None:
    drawn: list[int] = []
    continue_well(lambda: drawn.append(1))
    os.kill(os.getpid(), signal.SIGCONT)
    assert (told, len(drawn)) == ([], 1)


def test_who_has_given_the_terminal_back_takes_it_again_once(told: list[str]) -> None:
    drawn: list[int] = []
    continue_well(lambda: drawn.append(1))
    os.kill(os.getpid(), signal.SIGTSTP)
    os.kill(os.getpid(), signal.SIGCONT)
    assert (told, drawn) == (["suspend", "resume"], [])
    os.kill(os.getpid(), signal.SIGCONT)
    assert (told, len(drawn)) == (["suspend", "resume"], 1)


def test_without_a_terminal_nothing_is_touched() -> None:
    before = signal.getsignal(signal.SIGCONT)
    continue_well(lambda: None)
    assert signal.getsignal(signal.SIGCONT) == before
