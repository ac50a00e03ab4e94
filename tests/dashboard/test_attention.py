"""How often a dashboard looks: rarely only where nobody is at it and training pays for it."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from sample_journals import FakeRun, Journal, training
from screen_text import running, until
from textual.events import AppFocus

from timellm_dashboard.app import Dashboard
from timellm_dashboard.attention import ATTENDED_S, refresh_every_s
from timellm_dashboard.viewmodel.look import Look
from timellm_ops.contract.events import JournalRecord

USUAL_S = 0.02


class Counted(FakeRun):
    """Knows how often it was looked at."""

    looks = 0

    def poll(self) -> list[JournalRecord]:
        self.looks += 1
        return super().poll()


class Later:
    """A dashboard whose clock is set."""

    def __init__(self, journal: Journal) -> None:
        self.journal, self.passed_s = journal, 0.0
        self.run = Counted(journal)

    def app(self, usual_s: float = USUAL_S) -> Dashboard:
        wall, t = self.journal.wall, self.journal.t
        return Dashboard(
            self.run,
            Look(),
            now=lambda: wall + timedelta(seconds=self.passed_s),
            monotonic=lambda: t + self.passed_s,
            refresh_s=usual_s,
        )


@pytest.mark.parametrize(
    ("untouched_s", "device", "times"),
    [
        (0.0, "cpu", 1),
        (ATTENDED_S, "cpu", 1),
        (ATTENDED_S + 1, "cpu", 3),
        (1e6, "cuda", 1),
        (1e6, "", 1),
    ],
)
def test_it_is_more_rarely_only_when_left_alone_with_a_processor(
    untouched_s: float, device: str, times: int
) -> None:
    assert refresh_every_s(2.0, untouched_s, device) == 2.0 * times


@pytest.mark.parametrize(
    "touch",
    [
        lambda app: app.post_message(AppFocus()),
        lambda app: app.simulate_key("x"),
    ],
    ids=["focus", "key"],
)
async def test_whoever_comes_back_sees_it_live_again(touch: Callable[[Dashboard], object]) -> None:
    clock = Later(training("none", device="cpu"))
    app = clock.app()
    async with running(app) as pilot:
        assert app.refresh_s == USUAL_S
        clock.passed_s = ATTENDED_S + 60.0
        assert app.refresh_s == 3 * USUAL_S
        touch(app)
        await until(pilot, lambda: app.refresh_s == USUAL_S)


async def test_whoever_comes_back_need_not_wait_for_the_next_look() -> None:
    clock = Later(training("none", device="cpu"))
    app = clock.app(usual_s=3600.0)
    async with running(app) as pilot:
        clock.passed_s = ATTENDED_S + 60.0
        looks = clock.run.looks
        app.post_message(AppFocus())
        await until(pilot, lambda: clock.run.looks > looks)


async def test_a_run_on_a_gpu_is_live_always() -> None:
    clock = Later(training())
    app = clock.app()
    async with running(app):
        clock.passed_s = 36_000.0
        assert app.refresh_s == USUAL_S
