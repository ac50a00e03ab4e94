"""Real runs on a machine whose clock is set, or which sleeps in the middle of the night."""

import time
from itertools import pairwise
from pathlib import Path

import pytest
from conftest import TINY, Shell, moves
from moved_clock import MovedClock

from timellm_ops.contract import events as ev
from timellm_ops.contract.state import RunState
from timellm_ops.journal import read_records

pytestmark = pytest.mark.slow

DAY_S = 86_400
LONG = TINY.replace("epochs = 2", "epochs = 4000\npatience = 4000").replace(
    'probe = "none"', 'probe = "simulated"'
)


@pytest.fixture
def clock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> MovedClock:
    made = MovedClock(tmp_path)
    for name, value in made.env.items():
        monkeypatch.setenv(name, value)
    return made


def begun(shell: Shell) -> None:
    shell.write("run.toml", LONG)
    assert shell("run", "run.toml", "--detach").code == 0
    shell.until(lambda state: moves(state) and state.sample is not None)


def goes_on(shell: Shell) -> RunState:
    step = shell.state().step
    return shell.until(lambda state: moves(state) and state.step > step)


def events(shell: Shell) -> list[ev.Event]:
    return [record.event for record in read_records(shell.run.journal)]


def decisions(shell: Shell) -> list[ev.PolicyDecision]:
    return [event for event in events(shell) if isinstance(event, ev.PolicyDecision)]


def warnings(shell: Shell) -> list[str]:
    told = (event for event in events(shell) if isinstance(event, ev.Alert))
    return [event.message for event in told if event.level != "info"]


def test_a_clock_that_is_set_back_and_forth_changes_nothing_of_a_run(
    shell: Shell, clock: MovedClock
) -> None:
    begun(shell)
    clock.set_wall(-DAY_S)
    goes_on(shell)
    assert shell("pause").code == 0
    shell.until(lambda state: state.standing)
    clock.set_wall(3 * DAY_S)
    time.sleep(2.0)
    assert shell.state().standing
    assert shell("resume").code == 0
    goes_on(shell)
    assert shell("stop", "--wait").code == 0
    stopped = shell.state()
    assert (stopped.outcome, stopped.steps_at_risk) == ("stopped", 0)
    assert stopped.active_s < DAY_S / 2
    paused = [e.paused_seconds for e in events(shell) if isinstance(e, ev.Resumed)]
    assert all(seconds is not None and seconds < DAY_S / 2 for seconds in paused)
    times = [(event.t, event.at) for event in events(shell) if event.t is not None]
    assert all(before <= after for (before, _), (after, _) in pairwise(times))
    jumps = {
        round((b - a).total_seconds() / DAY_S) for (_, a), (_, b) in pairwise(times) if a and b
    }
    assert {-1, 3} <= jumps, "the clock was to be set"
    assert (decisions(shell), warnings(shell)) == ([], [])


@pytest.mark.parametrize("paused", [False, True])
def test_a_night_in_which_the_machine_slept_is_nobodys_silence(
    shell: Shell, clock: MovedClock, *, paused: bool
) -> None:
    """Neither the engine's, which trains, nor the supervisor's, for which a paused engine waits."""
    begun(shell)
    if paused:
        assert shell("pause").code == 0
        shell.until(lambda state: state.standing)
    engine = shell.engine()
    before_t = shell.state().t or 0.0
    clock.sleep(8 * 3600)
    shell.until(lambda state: (state.t or 0.0) > before_t + 7 * 3600.0)
    time.sleep(2.0)
    if paused:
        assert shell.state().standing
        assert shell("resume").code == 0
    goes_on(shell)
    assert (decisions(shell), warnings(shell)) == ([], [])
    assert shell.engine() == engine
    assert shell("stop", "--wait").code == 0
    assert shell.state().outcome == "stopped"
