"""What the supervisor says to a request, and whether it is taken."""

from typing import assert_never

from msgspec import Struct

from timellm_ops.configfile import with_policy_settings
from timellm_ops.contract.commands import (
    DEFAULT_OVERRIDE_S,
    AnyRequest,
    PauseRun,
    Ping,
    Reply,
    Request,
    ResumeRun,
    SetPolicy,
    StopMode,
    StopRun,
    asker,
)
from timellm_ops.contract.config import GpuSection, PolicySection
from timellm_ops.contract.counting import Count
from timellm_ops.contract.disk_room import has_no_room
from timellm_ops.contract.events import Command, PolicyChanged, RulesOverridden
from timellm_ops.contract.state import Hold, Override, RunState
from timellm_ops.contract.validation import ConfigError
from timellm_ops.supervisor.ladder import is_stronger


class Answer(Struct, frozen=True):
    """`events` are journaled if the request was taken; they alone change the run's state."""

    reply: Reply
    events: tuple[Command | RulesOverridden | PolicyChanged, ...] = ()


class Terms(Struct, frozen=True, kw_only=True):
    """What an answer depends on besides the run's state."""

    stop_grace_s: float
    policy: PolicySection = PolicySection()
    """The run's own `[policy]`, without what was changed under it."""
    gpu: GpuSection = GpuSection()


def answer(state: RunState, request: AnyRequest, terms: Terms) -> Answer:
    """The answer to `request` from a run in `state`. One plain sentence for who asked."""
    match request:
        case Ping():
            return Answer(Reply(ok=True, message=f"{state.phase}{_hold_text(state)}"))
        case PauseRun():
            return _pause(state, request)
        case ResumeRun():
            return _resume(state, request)
        case StopRun():
            return _stop(state, request, terms.stop_grace_s)
        case SetPolicy():
            return _set_policy(state, request, terms)
        case _:
            assert_never(request)


def _taken(request: Request, what: str, message: str) -> Answer:
    return Answer(Reply(ok=True, message=message), (Command(who=request.who, what=what),))


def _refused(message: str) -> Answer:
    return Answer(Reply(ok=False, message=message))


def _pause(state: RunState, request: PauseRun) -> Answer:
    if state.ended or state.stop not in (None, "after_checkpoint"):
        return _refused("the run is ending; there is nothing left to pause")
    if _user_hold(state) is not None:
        return Answer(Reply(ok=True, message="already paused by a user"))
    message = "pausing after the current step"
    if state.activity == "restarting":
        message = "the engine is started again, and stands before its first step"
    if state.engine == "foreign":
        message = "pausing the script and all of its processes"
    if state.standing:
        message = "the run stands still already; now it stays so until you resume it"
    if state.stop == "after_checkpoint":
        message += "; the stop waits until the run goes on to its next checkpoint"
    return _taken(request, "pause", message)


def _resume(state: RunState, request: ResumeRun) -> Answer:
    others = [hold for hold in state.holds if hold.rule != "user"]
    mine = _user_hold(state) is not None
    lift = Command(who=request.who, what="resume")
    if state.ended or state.stop not in (None, "after_checkpoint"):
        return _refused("the run is ending; there is nothing left to resume")
    if not mine and not others:
        return _refused("the run is not paused")
    if mine and others and request.for_s is None:
        stays = "; ".join(_describe(hold, state.t) for hold in others)
        more = "resume once more to go on against it"
        return Answer(Reply(ok=True, message=f"your pause is lifted; {stays}; {more}"), (lift,))
    if not others:
        return Answer(Reply(ok=True, message="going on"), (lift,))
    override = RulesOverridden(
        who=request.who,
        rules=tuple(hold.rule for hold in others),
        for_s=DEFAULT_OVERRIDE_S if request.for_s is None else request.for_s,
    )
    against = "; ".join(f"overridden for {_minutes(override.for_s)}: {_short(h)}" for h in others)
    message = f"going on; {against}; a rule may still stop the run"
    return Answer(Reply(ok=True, message=message), (*((lift,) if mine else ()), override))


def _minutes(seconds: float) -> str:
    return f"{seconds / 60:g} min" if seconds >= 60 else f"{seconds:g} s"


def _set_policy(state: RunState, request: SetPolicy, terms: Terms) -> Answer:
    if state.ended:
        return _refused("the run has ended already")
    settings = tuple(_trimmed(text) for text in request.settings)
    try:
        # With all that was set before, for a key may be right only beside another one.
        with_policy_settings(terms.policy, terms.gpu, (*state.policy_settings, *settings))
    except ConfigError as error:
        return _refused("; also ".join(map(str, error.all)))
    if set(settings) <= set(state.policy_settings):
        return Answer(Reply(ok=True, message=f"already so: {', '.join(settings)}"))
    changed = PolicyChanged(who=request.who, settings=settings)
    message = f"from here on: {', '.join(settings)}"
    return Answer(Reply(ok=True, message=message), (changed,))


def _trimmed(setting: str) -> str:
    key, equals, value = setting.partition("=")
    return f"{key.strip()}{equals}{value.strip()}"


def _stop(state: RunState, request: StopRun, stop_grace_s: float) -> Answer:
    if state.ended:
        return _refused("the run has ended already")
    if not is_stronger(request.mode, state.stop):
        return Answer(Reply(ok=True, message=f"already stopping ({state.stop_reason})"))
    what = f"stop {request.mode}"
    return _taken(request, what, _stop_message(state, request.mode, stop_grace_s))


def _stop_message(state: RunState, mode: StopMode, stop_grace_s: float) -> str:
    foreign = state.engine == "foreign"
    if state.activity == "restarting":
        return "stopping; no engine is there now, and it is not started again"
    match mode:
        case "kill":
            return f"killing the engine at once; {_at_risk(state)}"
        case "now":
            return _stop_now_message(state, stop_grace_s)
        case "checkpoint" if foreign:
            return f"interrupting the script, which has no way to save itself; {_at_risk(state)}"
        case "checkpoint" if state.activity in ("waiting", "starting"):
            return "stopping as soon as the engine is up; there is nothing to save yet"
        case "checkpoint":
            usual = "saving a checkpoint after the current step, then stopping"
            return _without_room(state) or usual
        case "after_checkpoint":
            return _stop_after_message(state, foreign)
        case _:
            assert_never(mode)


def _stop_now_message(state: RunState, stop_grace_s: float) -> str:
    """SIGTERM makes our own engine save at its next step; whoever is still there is killed."""
    killed = f"killed if it is still there after {stop_grace_s:g} s"
    if state.engine == "foreign":
        return f"ending the script, which has no way to save itself; {killed}; {_at_risk(state)}"
    if state.activity in ("waiting", "starting"):
        return f"stopping as soon as the engine is up; {killed}; {_at_risk(state)}"
    without_room = _without_room(state)
    if without_room:
        return f"{without_room}; {killed}"
    at_risk = _at_risk(state)
    joined = f"{killed}; {at_risk}" if state.steps_at_risk == 0 else f"{killed}, and then {at_risk}"
    return f"the engine saves at its next step and ends; {joined}"


def _stop_after_message(state: RunState, foreign: bool) -> str:
    message = "stopping once the next checkpoint is safely on disk"
    if foreign:
        message += ", or at the next epoch's end if the best one already is"
    if state.holds:
        stays = "; ".join(_describe(hold, state.t) for hold in state.holds)
        message += f", but not before the run goes on: {stays}"
    return message


def _without_room(state: RunState) -> str:
    """What a full disk would cost; empty where it costs nothing."""
    if not (has_no_room(state) and state.steps_at_risk > 0):
        return ""
    return f"the disk has no room for a checkpoint: unless room is made, {_at_risk(state)}"


def _at_risk(state: RunState) -> str:
    steps = state.steps_at_risk
    if steps == 0:
        return "no step is lost"
    if state.best is None and state.last is None:
        return f"{Count(steps):step is|steps are} lost, for there is no checkpoint yet"
    since = "since the last checkpoint"
    return f"up to {Count(steps):step {since} is|steps {since} are} lost"


def _user_hold(state: RunState) -> Hold | None:
    return next((hold for hold in state.holds if hold.rule == "user"), None)


def _describe(hold: Hold, now_t: float | None) -> str:
    until = hold.until_at(now_t)
    until = f"; {until}" if until else ""
    if hold.rule == "user":
        return f"{hold.reason}{until}"
    return f"the {hold.rule} hold stays: {hold.reason}{until}"


def _short(hold: Hold) -> str:
    return f"the {hold.rule} hold, {hold.reason}"


def _hold_text(state: RunState) -> str:
    holds = "".join(f" · {_describe(hold, state.t)}" for hold in state.holds)
    overridden = "".join(
        f" · {override.rule} hold overridden{_until(override)} by {asker(override.who)}"
        for override in state.overrides
    )
    return holds + overridden


def _until(override: Override) -> str:
    if override.until_at is None:
        return ""
    return f" until {override.until_at.astimezone():%H:%M}"
