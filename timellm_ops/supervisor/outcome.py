"""How a run ended: from what the journal holds and how the engine left, to one verdict.

Exit codes: 0 finished, or stopped as asked; 2 bad input; 3 preflight failed; 4 training failed;
5 stopped for the hardware's sake.
"""

import signal

from msgspec import Struct

from timellm_ops.contract import events as ev
from timellm_ops.contract.counting import Count
from timellm_ops.contract.state import RunState
from timellm_ops.supervisor.memory import Memory

_REFUSED = {2: "bad input", 3: "a check before training failed"}
_REFUSED_KINDS: dict[ev.FailureKind, int] = {"input": 2, "preflight": 3}


class Evidence(Struct, frozen=True, kw_only=True):
    """What was found on disk after the engine had gone."""

    last_line: str = ""
    """The last line that the engine printed."""
    last_on_disk: bool = False
    """`checkpoints/last` is the checkpoint that the engine said to have saved last."""


def conclude(
    state: RunState,
    memory: Memory,
    exited: ev.EngineExited,
    evidence: Evidence,
) -> ev.RunEnded:
    """The end of a run whose engine is gone.

    `exited` has neither code nor signal when the engine was adopted and nobody could learn how it
    left; its own last events then decide.
    """
    if state.engine == "foreign":
        return _conclude_foreign(state, memory, exited, evidence)
    return _conclude_own(state, memory, exited, evidence)


def _conclude_own(
    state: RunState, memory: Memory, exited: ev.EngineExited, evidence: Evidence
) -> ev.RunEnded:
    if memory.all_done:
        return _ended("finished", 0, _finished(state))  # the very last thing that an engine does
    left_well = exited.code == 0 or (exited.code is None and left_as_told(memory))
    # A signal of the stop's own ladder may still reach an engine that has saved and is leaving.
    too_late = state.stop is not None and state.steps_at_risk == 0
    if memory.failed is None and left_well and (exited.signal is None or too_late):
        return _stopped_by_itself(state, memory, evidence)
    if state.stop in ("now", "kill"):
        return _ended_at_once(state)
    code = _refusal(memory, exited)
    if code is not None:
        return _ended("refused", code, state.failure or evidence.last_line or _REFUSED[code])
    return _failed(state, memory, exited, evidence)


def _refusal(memory: Memory, exited: ev.EngineExited) -> int | None:
    """The exit code of an engine that could not begin. Its own words outweigh its exit code."""
    if memory.failed is not None:
        return _REFUSED_KINDS.get(memory.failed)
    return exited.code if exited.code in _REFUSED else None


def _ended_at_once(state: RunState) -> ev.RunEnded:
    failure = f" ({state.failure})" if state.failure else ""
    return _stopped(state, f"ended at once as asked{failure}; {_lost(state)}")


def left_as_told(memory: Memory) -> bool:
    """For an engine whose exit status nobody saw: it was told to stop, and saved; or it saved
    during a pause and was gone, which is what it does when its supervisor has been lost."""
    return (memory.stop_acknowledged and memory.saved_since_stop) or memory.saved_standing


def _stopped_by_itself(state: RunState, memory: Memory, evidence: Evidence) -> ev.RunEnded:
    if evidence.last_on_disk and state.last is not None:
        total = "unknown" if not state.total_steps else f"{state.total_steps:,}"
        where = f"at step {state.last.step:,} of {total}"
        saved = f"the checkpoint is on disk; go on with: {resume_command(state)}"
        if state.stop is None:
            why = "nobody supervised it" if memory.saved_standing else "a signal told it to"
            return _stopped(state, f"the engine saved and left {where}, as {why}; {saved}")
        return _stopped(state, f"{_as_asked(state)} {where}; {saved}")
    if state.stop is not None and state.step <= memory.steps_before:
        nothing = "before the first step; there was nothing to save"
        return _stopped(state, f"{_as_asked(state)} {nothing}")
    if state.stop in ("now", "kill"):
        return _ended_at_once(state)
    unsaved = "the engine left without an error, but its last checkpoint is not on disk"
    if state.stopping_for_hardware:
        return _stopped(state, unsaved)
    return _ended("failed", 4, unsaved)


def _conclude_foreign(
    state: RunState, memory: Memory, exited: ev.EngineExited, evidence: Evidence
) -> ev.RunEnded:
    if state.stop is None:
        if exited.code == 0:
            return _ended("finished", 0, _finished(state))
        return _failed(state, memory, exited, evidence)
    if memory.safe:
        return _stopped(state, f"{_as_asked(state)}: {memory.safe}; {_lost(state)}")
    if state.stop == "after_checkpoint":
        # It was sent no signal yet: however it went, it went by itself.
        if exited.code == 0:
            return _ended("finished", 0, "the script came to its end before its next checkpoint")
        return _failed(state, memory, exited, evidence)
    return _stopped(state, f"{_as_asked(state)}; {_lost(state)}")


def _stopped(state: RunState, reason: str) -> ev.RunEnded:
    if state.stopping_for_hardware:
        return _ended("stopped_for_hardware", 5, f"{state.stop_reason}; {reason}")
    if state.stopping_for_failure:
        return _ended("failed", 4, f"{state.stop_reason}; {reason}")
    return _ended("stopped", 0, reason)


def _as_asked(state: RunState) -> str:
    by_a_rule = state.stopping_for_hardware or state.stopping_for_failure
    return "stopped" if by_a_rule else "stopped as asked"


def _failed(
    state: RunState, memory: Memory, exited: ev.EngineExited, evidence: Evidence
) -> ev.RunEnded:
    word = state.failure or evidence.last_line
    parts = [f"{how(exited)}{': ' if word else ''}{word}"]
    if state.engine == "timellm" and evidence.last_on_disk:
        parts.append(f"go on from the last checkpoint with: {resume_command(state)}")
    if memory.restarts_in_row:
        parts.insert(1, _in_vain(memory.restarts_in_row))
    if state.stopping_for_hardware:
        return _ended("stopped_for_hardware", 5, "; ".join((state.stop_reason, *parts)))
    if state.stopping_for_failure:
        parts.insert(0, state.stop_reason)
    return _ended("failed", 4, "; ".join(parts))


def _in_vain(times: int) -> str:
    often = "once" if times == 1 else f"{times} times"
    return f"it was started again {often} without getting to a further checkpoint"


def before_restart(state: RunState) -> ev.RunEnded:
    """The end of a run that was told to stop while its engine was to be started again."""
    if state.last is None:
        return _stopped(state, f"{_as_asked(state)} before its first checkpoint")
    saved = f"step {state.last.step} is on disk; go on with: {resume_command(state)}"
    return _stopped(state, f"{_as_asked(state)} before the engine was started again; {saved}")


def not_started(state: RunState, problem: str) -> ev.RunEnded:
    """The end of a run whose engine could not be started again, however often that was tried."""
    parts = [problem]
    if state.last is not None:
        parts.append(f"go on from the last checkpoint with: {resume_command(state)}")
    return _ended("failed", 4, "; ".join(parts))


def _ended(outcome: ev.Outcome, exit_code: int, reason: str) -> ev.RunEnded:
    return ev.RunEnded(outcome=outcome, exit_code=exit_code, reason=reason)


def _finished(state: RunState) -> str:
    if state.final_mse is not None:
        return f"training finished; test MSE {state.final_mse:.4f}"
    if state.early_stopped:
        return "training finished: no improvement for as many epochs as allowed"
    return "training finished"


def _lost(state: RunState) -> str:
    """What stopping here costs."""
    steps = state.steps_at_risk
    if steps == 0:
        return "no step is lost"
    if state.best is None and state.last is None:
        return f"{Count(steps):step is|steps are} lost, for there is no checkpoint yet"
    since = "since the last checkpoint"
    return f"{Count(steps):step {since} is|steps {since} are} lost"


def resume_command(state: RunState) -> str:
    """The command that goes on with this run."""
    return f"timellm-ops run --resume {state.run_id}"


def how(exited: ev.EngineExited) -> str:
    """How the engine left, in words."""
    if exited.signal is not None:
        try:
            name = signal.Signals(exited.signal).name
        except ValueError:
            name = f"signal {exited.signal}"
        return f"the engine was ended by {name}"
    if exited.code is not None:
        return f"the engine failed with exit code {exited.code}"
    return "the engine is gone and nobody saw how"
