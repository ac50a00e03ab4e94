"""`policy show`: how each rule of a run stands, and what it would do next."""

import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime

import msgspec
from msgspec import Struct

from timellm_ops.cli.options import Json, RunRef
from timellm_ops.cli.text_table import table
from timellm_ops.client import RunClient
from timellm_ops.clock import machine_zone
from timellm_ops.contract.commands import asker
from timellm_ops.contract.layout import RunLayout
from timellm_ops.contract.sizes import size_text
from timellm_ops.contract.state import RunState
from timellm_ops.journal import read_records
from timellm_ops.store import RunStore, load_config, runs_dir
from timellm_ops.supervisor.rebuild import recall
from timellm_ops.supervisor.rules_in_force import policy_in_force
from timellm_policies.rules import statuses
from timellm_policies.situation import RuleStatus, Situation

SCHEMA = "timellm-ops.policy/1"
_MIB = 1 << 20


class OverrideShown(Struct, frozen=True, kw_only=True):
    """What a person has said against a rule."""

    rule: str
    who: str
    until: datetime | None


class PolicyPage(Struct, frozen=True, kw_only=True):
    """The whole of `policy show --json`."""

    run_id: str
    supervised: bool
    """Whether somebody is there to follow the rules; without, they stand as they did at the end."""
    rules: tuple[RuleStatus, ...]
    overrides: tuple[OverrideShown, ...]
    changed: tuple[str, ...]
    """Keys that were changed under the run, each `key=value`."""
    schema: str = SCHEMA


def show(run: RunRef = "latest", *, json: Json = False) -> int:
    """Each rule of a run: its value now, its threshold, and what it would do next."""
    layout = RunStore(runs_dir()).resolve(run)
    page = policy_page(layout)
    if json:
        sys.stdout.write(msgspec.json.encode(page).decode() + "\n")
        return 0
    for line in _lines(page):
        sys.stdout.write(f"{line}\n")
    return 0


def policy_page(layout: RunLayout) -> PolicyPage:
    """The rules of a run as they stand: now, or when it was last supervised. Raises what reading
    the run's config and journal does."""
    config, past = load_config(layout), recall(read_records(layout.journal))
    state, supervised = past.run, RunClient(layout).supervised()
    now_t, now_at = time.monotonic(), datetime.now(UTC)
    if not supervised or state.ended:
        now_t, now_at = state.t or 0.0, state.updated_at or now_at
    policy = policy_in_force(config.policy, config.gpu, state.policy_settings, machine_zone())
    now = Situation(policy=policy, state=state, recent=past.recent, now_t=now_t, now_at=now_at)
    return PolicyPage(
        run_id=layout.run_id,
        supervised=supervised and not state.ended,
        rules=statuses(now),
        overrides=tuple(_overrides(state, now_t, now_at)),
        changed=state.policy_settings,
    )


def _overrides(state: RunState, now_t: float, now_at: datetime) -> Iterator[OverrideShown]:
    for override in state.overrides:
        if state.override_of(override.rule, now_t, now_at) is not None:
            yield OverrideShown(rule=override.rule, who=override.who, until=override.until_at)


def _lines(page: PolicyPage) -> Iterator[str]:
    if not page.supervised:
        yield f"{page.run_id}: nobody supervises it now; the rules as they last stood"
    rows = [("rule", "", "now", "threshold")]
    rows += [
        (r.rule, r.standing, _number(r.value, r.unit), _number(r.threshold, r.unit))
        for r in page.rules
    ]
    head, *lines = table(rows)
    yield f"{head}  next"
    for line, rule in zip(lines, page.rules, strict=True):
        yield f"{line}  {rule.next}"
    for override in page.overrides:
        until = "" if override.until is None else f" until {override.until.astimezone():%H:%M}"
        yield f"{override.rule} hold overridden{until} by {asker(override.who)}"
    if page.changed:
        yield f"changed under the run: {', '.join(page.changed)}"


def _number(value: float | None, unit: str) -> str:
    if value is None:
        return "-"
    return size_text(value * _MIB) if unit == "MiB" else f"{value:g} {unit}".rstrip()
