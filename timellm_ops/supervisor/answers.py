"""What the supervisor says to a request, and whether it is taken."""

from typing import assert_never

from msgspec import Struct

from timellm_ops.contract.commands import (
    AnyRequest,
    PauseRun,
    Ping,
    Reply,
    Request,
    ResumeRun,
    StopMode,
    StopRun,
)
from timellm_ops.contract.events import Command
from timellm_ops.contract.state import Hold, RunState
from timellm_ops.supervisor.ladder import is_stronger


class Answer(Struct, frozen=True):
    """`command` is journaled if the request was taken; it alone changes the run's state."""

    reply: Reply
    command: Command | None = None


def answer(state: RunState, request: AnyRequest, stop_grace_s: float) -> Answer:
    """The answer to `request` from a run in `state`. One plain sentence for who asked."""
    match request:
        case Ping():
            return Answer(Reply(ok=True, message=f"{state.phase}{_hold_text(state)}"))
        case PauseRun():
            return _pause(state, request)
        case ResumeRun():
            return _resume(state, request)
        case StopRun():
            return _stop(state, request, stop_grace_s)
        case _:
            assert_never(request)


def _taken(request: Request, what: str, message: str) -> Answer:
    return Answer(Reply(ok=True, message=message), Command(who=request.who, what=what))


def _refused(message: str) -> Answer:
    return Answer(Reply(ok=False, message=message))


def _pause(state: RunState, request: PauseRun) -> Answer:
    if state.ended or state.stop not in (None, "after_checkpoint"):
        return _refused("the run is ending; there is nothing left to pause")
    if _user_hold(state) is not None:
        return Answer(Reply(ok=True, message="already paused by a user"))
    message = "pausing after the current step"
    if state.engine == "foreign":
        message = "pausing the script and all of its processes"
    if state.standing:
        message = "the run stands still already; now it stays so until you resume it"
    if state.stop == "after_checkpoint":
        message += "; the stop waits until the run goes on to its next checkpoint"
    return _taken(request, "pause", message)


def _resume(state: RunState, request: ResumeRun) -> Answer:
    others = [hold for hold in state.holds if hold.rule != "user"]
    stays = "; ".join(_describe(hold) for hold in others)
    if _user_hold(state) is None:
        return _refused(stays or "the run is not paused")
    if others:
        return _taken(request, "resume", f"your pause is lifted; {stays}")
    return _taken(request, "resume", "going on")


def _stop(state: RunState, request: StopRun, stop_grace_s: float) -> Answer:
    if state.ended:
        return _refused("the run has ended already")
    if not is_stronger(request.mode, state.stop):
        return Answer(Reply(ok=True, message=f"already stopping ({state.stop_reason})"))
    what = f"stop {request.mode}"
    return _taken(request, what, _stop_message(state, request.mode, stop_grace_s))


def _stop_message(state: RunState, mode: StopMode, stop_grace_s: float) -> str:
    foreign = state.engine == "foreign"
    match mode:
        case "kill":
            return f"killing the engine at once; {_at_risk(state)}"
        case "now":
            return (
                f"asking the engine to end now; killed if it is still there after"
                f" {stop_grace_s:g} s; {_at_risk(state)}"
            )
        case "checkpoint" if foreign:
            return f"interrupting the script, which has no way to save itself; {_at_risk(state)}"
        case "checkpoint" if state.activity in ("waiting", "starting"):
            return "stopping as soon as the engine is up; there is nothing to save yet"
        case "checkpoint":
            return "saving a checkpoint after the current step, then stopping"
        case "after_checkpoint":
            return _stop_after_message(state, foreign)
        case _:
            assert_never(mode)


def _stop_after_message(state: RunState, foreign: bool) -> str:
    message = "stopping once the next checkpoint is safely on disk"
    if foreign:
        message += ", or at the next epoch's end if the best one already is"
    if state.holds:
        stays = "; ".join(_describe(hold) for hold in state.holds)
        message += f", but not before the run goes on: {stays}"
    return message


def _at_risk(state: RunState) -> str:
    steps = state.steps_at_risk
    if steps == 0:
        return "no step is lost"
    if state.best is None and state.last is None:
        return f"all {steps} steps are lost, for there is no checkpoint yet"
    return f"up to {steps} steps since the last checkpoint are lost"


def _user_hold(state: RunState) -> Hold | None:
    return next((hold for hold in state.holds if hold.rule == "user"), None)


def _describe(hold: Hold) -> str:
    until = f"; {hold.until}" if hold.until else ""
    if hold.rule == "user":
        return f"{hold.reason}{until}"
    return f"the {hold.rule} hold stays: {hold.reason}{until}"


def _hold_text(state: RunState) -> str:
    return "".join(f" · {_describe(hold)}" for hold in state.holds)
