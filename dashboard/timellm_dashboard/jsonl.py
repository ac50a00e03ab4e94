"""The view as JSON, for programs: one document, or a line for every change."""

from collections.abc import Callable
from datetime import datetime, tzinfo
from typing import Any

import msgspec

from timellm_dashboard.source import RunSource, follow
from timellm_dashboard.viewmodel.look import LimitsOf, Look
from timellm_dashboard.viewmodel.rulerows import RulesOf
from timellm_dashboard.viewmodel.view import Recorder, View
from timellm_ops.contract.state import RunState

SCHEMA = "timellm-ops.view/1"
SHORTEST_INTERVAL_S = 1.0
"""Lines are at least so far apart, the last one excepted."""


def view_json(view: View) -> bytes:
    """The whole view, charts included, as one JSON object without a line end.

    A number that is unknown or not finite is null, and the `text` beside it says which.
    """
    return msgspec.json.encode({"schema": SCHEMA, **_fields(view)})


def _fields(view: View) -> dict[str, Any]:
    fields = msgspec.structs.asdict(view)
    del fields["keys"]
    return fields


def view_schema() -> dict[str, Any]:
    """The JSON schema of what `view_json` writes."""
    schema = msgspec.json.schema(View)
    properties = schema["$defs"]["View"]["properties"]
    del properties["keys"]
    properties["schema"] = {"const": SCHEMA}
    return schema


def follow_json(
    source: RunSource,
    write: Callable[[str], None],
    *,
    sleep: Callable[[float], None],
    monotonic: Callable[[], float],
    now: Callable[[], datetime],
    stop: Callable[[], bool],
    zone: tzinfo | None = None,
    limits: LimitsOf | None = None,
    rules: RulesOf | None = None,
    run_id: str = "",
) -> RunState:
    """Write a line for the first view, for changes at most once a second, and for the last view.

    A line is a view without its charts, and its `feed` holds only what is new since the line
    before. Texts are in English. Returns the last state, when the run has ended, `stop()` says so,
    or the supervisor has been gone for a few seconds.
    """
    recorder = Recorder()
    look = Look(zone=zone, limits=limits, rules=rules, run_id=run_id)
    told_seq = 0
    written_t: float | None = None
    told: tuple[int, str] | None = None
    for turn in follow(
        source, recorder, look, sleep=sleep, monotonic=monotonic, now=now, stop=stop
    ):
        t, view = monotonic(), turn.view
        news = (recorder.records, view.headline.state)
        early = written_t is not None and t - written_t < SHORTEST_INTERVAL_S
        if not turn.last and (news == told or early):
            continue
        write(_line(view, told_seq))
        written_t, told = t, news
        told_seq = max((line.seq for line in view.feed), default=told_seq)
    return recorder.state


def _line(view: View, told_seq: int) -> str:
    fields = _fields(view)
    del fields["charts"]
    fields["feed"] = [line for line in view.feed if line.seq > told_seq]
    return msgspec.json.encode({"schema": SCHEMA, **fields}).decode()
