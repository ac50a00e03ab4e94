"""Which decisions of policies are news: policies are asked several times a second. Pure."""

from timellm_ops.contract import events as ev
from timellm_ops.contract.state import RunState
from timellm_ops.supervisor.memory import Memory, pace_of


def rests(decision: ev.PolicyDecision) -> bool:
    """Whether it has the engine rest between its steps."""
    return decision.action == "pace" and decision.unit == "" and decision.value != 1.0


def changes_anything(run: RunState, memory: Memory, decision: ev.PolicyDecision) -> bool:
    """Whether the journal does not already say this: policies are asked several times a second."""
    held = any(hold.rule == decision.rule for hold in run.holds)
    match decision.action:
        case "pause" if decision.renewed:
            told = (decision.until, decision.least_s)
            return any(
                (hold.until, hold.least_s) != told
                for hold in run.holds
                if hold.rule == decision.rule
            )
        case "pause":
            return not held
        case "resume":
            return held
        case "alert":
            new = all(notice.message != decision.reason for notice in run.notices)
            return new or decision.about != ""
        case "pace":
            if decision.value is None:
                return False
            if decision.unit == "W":
                return decision.value != run.pace.power_limit_w
            limited = run.pace.power_limit_w is not None
            return limited or pace_of(decision.value) != memory.duty
        case "stop":
            return True
