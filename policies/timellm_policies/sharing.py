"""The sharing rule: another program computes on the run's GPU and takes its time and memory.

Drivers list processes by the ids of the machine. In a container they mean nothing, and nobody
there is recognised: so others are only told from ours while one of ours is in the list.
"""

from collections.abc import Sequence

from timellm_ops.contract.config import PolicySection
from timellm_ops.contract.events import PolicyDecision
from timellm_ops.contract.telemetry import GpuProcess, GpuSample, TimedSample
from timellm_policies.holds import nothing_to_read, without_reading
from timellm_policies.situation import RuleStatus, Situation, Terms
from timellm_policies.vram import holders

RULE = "sharing"

_IN_A_ROW = 3
_AGAIN_AFTER_S = 3600.0
_MIB = 1 << 20


def may_hold(policy: PolicySection) -> bool:
    """Whether the rule may hold a run."""
    return policy.sharing.action == "pause"


def decisions(now: Situation) -> tuple[PolicyDecision, ...]:
    """What other programs on the GPU ask for."""
    section = now.policy.sharing
    if section.action == "off":
        return ()
    if now.hold_of(RULE) is not None:
        return _resume(now)
    latest = [_others(reading.sample, section.min_memory_mib) for reading in _latest(now.recent)]
    if len(latest) < _IN_A_ROW or not all(latest):
        return ()
    pause = section.action == "pause"
    if not pause and not now.may_tell(RULE, "others", _AGAIN_AFTER_S):
        return ()
    others = latest[-1]
    return (
        PolicyDecision(
            action="pause" if pause else "alert",
            rule=RULE,
            reason=f"another program computes on this GPU: {holders(others)}",
            value=float(len(others)),
            threshold=0.0,
            unit="programs",
            until=terms_of_hold(now).until if pause else "",
            about="" if pause else "others",
        ),
    )


def terms_of_hold(_: Situation) -> Terms:
    """When a pause for another program ends."""
    return Terms(until="resumes when it has gone")


def _resume(now: Situation) -> tuple[PolicyDecision, ...]:
    blind = nothing_to_read(now.state)
    if blind:
        return (PolicyDecision(action="resume", rule=RULE, reason=blind),)
    latest = _latest(now.recent)
    alone = [
        reading.sample is not None
        and reading.sample.processes is not None
        and not _foreign(reading.sample.processes, now.policy.sharing.min_memory_mib)
        for reading in latest
    ]
    if len(alone) < _IN_A_ROW or not all(alone):
        return ()
    return (
        PolicyDecision(
            action="resume",
            rule=RULE,
            reason="no other program computes on this GPU",
            value=0.0,
            threshold=0.0,
            unit="programs",
        ),
    )


def _latest(recent: Sequence[TimedSample]) -> Sequence[TimedSample]:
    return recent[-_IN_A_ROW:]


def _others(sample: GpuSample | None, min_memory_mib: float) -> list[GpuProcess]:
    """The others in a list that also has one of ours."""
    processes = () if sample is None or sample.processes is None else sample.processes
    if not any(process.of_run for process in processes):
        return []
    return _foreign(processes, min_memory_mib)


def _foreign(processes: Sequence[GpuProcess], min_memory_mib: float) -> list[GpuProcess]:
    return [
        process
        for process in processes
        if process.of_run is False
        and (process.used_bytes is None or process.used_bytes >= min_memory_mib * _MIB)
    ]


def status(now: Situation) -> RuleStatus:
    """What the rule sees, and would do."""
    section, hold = now.policy.sharing, now.hold_of(RULE)
    if section.action == "off":
        return RuleStatus(rule=RULE, standing="off", next="switched off")
    sample = now.state.sample
    known = sample is not None and any(p.of_run for p in sample.processes or ())
    others = _others(sample, section.min_memory_mib)
    deed = "pauses the run" if section.action == "pause" else "tells you"
    deed += " when another program computes on this GPU"
    blind = "" if known else nothing_to_read(now.state)
    return RuleStatus(
        rule=RULE,
        standing="holding" if hold else "watching" if known else without_reading(now.state),
        value=float(len(others)) if known else None,
        threshold=0.0,
        unit="programs",
        next=hold.until if hold else blind or deed,
    )
