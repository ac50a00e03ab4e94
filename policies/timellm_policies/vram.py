"""The memory rule: tells once that the card's memory is nearly full, and who holds it."""

from collections.abc import Iterable

from timellm_ops.contract.config import PolicySection
from timellm_ops.contract.events import PolicyDecision
from timellm_ops.contract.sizes import size_text
from timellm_ops.contract.telemetry import GpuProcess, GpuSample
from timellm_policies.holds import nothing_to_read, without_reading
from timellm_policies.situation import RuleStatus, Situation

RULE = "vram"

_IN_A_ROW = 3
_MOST_NAMED = 4


def may_hold(policy: PolicySection) -> bool:  # noqa: ARG001 - as every rule's
    """Whether the rule may hold a run: a pause would free nothing."""
    return False


def decisions(now: Situation) -> tuple[PolicyDecision, ...]:
    """An alert when the last readings all show too much in use, unless it was given before."""
    section = now.policy.vram
    if not section.enabled or not now.may_tell(RULE, "full"):
        return ()
    shares = [used_pct(reading.sample) for reading in now.recent[-_IN_A_ROW:]]
    full = [share for share in shares if share is not None and share >= section.alert_above_pct]
    sample = now.recent[-1].sample if now.recent else None
    if len(full) < _IN_A_ROW or sample is None:
        return ()
    used, total = sample.memory_used_bytes or 0, sample.memory_total_bytes or 0
    return (
        PolicyDecision(
            action="alert",
            rule=RULE,
            reason=(
                f"{size_text(used)} of {size_text(total)} of the card's memory are in use"
                f" ({holders(sample.processes)}), so the next allocation may fail"
            ),
            value=round(full[-1], 1),
            threshold=section.alert_above_pct,
            unit="%",
            about="full",
        ),
    )


def used_pct(sample: GpuSample | None) -> float | None:
    """The share of the card's memory in use, in percent; `None` where it is not known."""
    if sample is None or sample.memory_used_bytes is None or not sample.memory_total_bytes:
        return None
    return 100.0 * sample.memory_used_bytes / sample.memory_total_bytes


def holders(processes: Iterable[GpuProcess] | None) -> str:
    """Who holds memory of the card, the largest first."""
    if processes is None:
        return "the driver does not say who holds them"
    named = sorted(processes, key=lambda p: (-(p.used_bytes or 0), p.pid))
    if not named:
        return "the driver names nobody who holds them"
    texts = [_holder(process) for process in named[:_MOST_NAMED]]
    if len(named) > _MOST_NAMED:
        texts.append(f"{len(named) - _MOST_NAMED} more")
    return ", ".join(texts)


def _holder(process: GpuProcess) -> str:
    # Any program can call itself anything.
    name = "".join(c if c.isalnum() or c in " ._-+:/" else "?" for c in process.name or "process")
    size = "" if process.used_bytes is None else f" {size_text(process.used_bytes)}"
    return f"{name} [{process.pid}]{size}"


def status(now: Situation) -> RuleStatus:
    """What the rule sees, and would do."""
    section = now.policy.vram
    if not section.enabled:
        return RuleStatus(rule=RULE, standing="off", next="switched off")
    share = None if now.state.telemetry_problem else used_pct(now.state.sample)
    told = not now.may_tell(RULE, "full")
    threshold = f"{section.alert_above_pct:g} %"
    deed = "has told you, and says no more" if told else f"tells you from {threshold} on"
    full = share is not None and share >= section.alert_above_pct
    unread = without_reading(now.state) if share is None else None
    blind = nothing_to_read(now.state) if unread else ""
    return RuleStatus(
        rule=RULE,
        standing=unread or ("told" if full and told else "watching"),
        value=None if share is None else round(share, 1),
        threshold=section.alert_above_pct,
        unit="%",
        next=blind or deed,
    )
