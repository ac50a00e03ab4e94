"""Searches that would never end are ended, and no others."""

import re
import signal
import threading
import time

import pytest

from timellm_ops.adapters.bounded_match import SearchClock, TooSlow

ENDLESS = re.compile(r"(a+)+$")
LINE = "a" * 200 + "!"


def test_a_search_without_an_end_is_ended_and_the_next_one_is_made() -> None:
    clock = SearchClock(search_s=0.02)
    with clock.limited():
        for _ in range(2):
            with pytest.raises(TooSlow):
                clock.search(ENDLESS, LINE)
            assert clock.search(re.compile("a!"), LINE)
            assert clock.search(re.compile("b"), LINE) is None


def test_many_short_searches_together_may_take_as_long_as_they_like() -> None:
    clock, regex = SearchClock(search_s=0.005), re.compile(r"x+y")
    with clock.limited():
        assert all(clock.search(regex, "x" * 300) is None for _ in range(3000))


def test_time_that_passes_between_two_searches_is_held_against_none() -> None:
    clock, regex = SearchClock(search_s=0.005), re.compile(r"x+y")
    with clock.limited():
        assert clock.search(regex, "xy")
        end = time.process_time() + 0.05
        while time.process_time() < end:
            sum(range(20_000))  # the timer counts no time of the system's
        assert clock.search(regex, "xy")


def test_the_timer_and_the_handler_are_as_before_afterwards() -> None:
    before = signal.getsignal(signal.SIGVTALRM)
    clock = SearchClock(search_s=0.02)
    with clock.limited(), pytest.raises(TooSlow):
        clock.search(ENDLESS, LINE)
    assert signal.getsignal(signal.SIGVTALRM) == before
    assert signal.getitimer(signal.ITIMER_VIRTUAL) == (0.0, 0.0)


def test_outside_of_the_main_thread_searches_are_made_without_a_limit() -> None:
    found: list[object] = []

    def search() -> None:
        clock = SearchClock(search_s=0.02)
        with clock.limited():
            found.append(clock.search(re.compile("a!"), LINE))

    thread = threading.Thread(target=search)
    thread.start()
    thread.join()
    assert found[0] is not None
