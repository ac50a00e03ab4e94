"""The schedule rule: quiet hours, in which the run stands still, and a deadline that it may miss.

Quiet hours go by the clock on the wall. They are stretches of real time, one a day: a clock that
goes back an hour within one does not end it, and none is begun twice.
"""

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from math import isfinite

from timellm_ops.contract.config import PolicySection
from timellm_ops.contract.events import PolicyDecision
from timellm_ops.contract.localtime import moment_of, zone_of
from timellm_ops.contract.policy_sections import ScheduleSection
from timellm_policies.situation import RuleStatus, Situation, Terms

RULE = "schedule"

_FEWEST_RECORDS = 10
"""Progress records before an estimate of the end is believed."""
_MOST_HELD = 0.95
"""Of a run that stands still nearly always, nobody can tell when it will end."""
_MOST_NIGHTS = 1000

Span = tuple[datetime, datetime]


def may_hold(policy: PolicySection) -> bool:
    """Whether the rule may hold a run."""
    return bool(policy.schedule.quiet_from)


def decisions(now: Situation) -> tuple[PolicyDecision, ...]:
    """A pause in quiet hours, a resume after them, and an alert about a deadline."""
    return (*_quiet(now), *_deadline(now))


def _quiet(now: Situation) -> tuple[PolicyDecision, ...]:
    section, hold = now.policy.schedule, now.hold_of(RULE)
    if not section.quiet_from or now.now_at is None:
        return ()
    hours = quiet_hours(section, now.now_at)
    if (hours is not None) == (hold is not None):
        return ()
    span = f"{section.quiet_from} to {section.quiet_until}"
    if hours is None:
        return (
            PolicyDecision(
                action="resume",
                rule=RULE,
                reason=f"quiet hours, {span}, are over",
                until=f"pauses at {section.quiet_from}",
            ),
        )
    terms = terms_of_hold(now)
    return (
        PolicyDecision(
            action="pause",
            rule=RULE,
            reason=f"quiet hours, {span}",
            until=terms.until,
            expected_s=terms.expected_s,
        ),
    )


def terms_of_hold(now: Situation) -> Terms:
    """When a pause in quiet hours ends."""
    section, hold = now.policy.schedule, now.hold_of(RULE)
    hours = None if now.now_at is None else quiet_hours(section, now.now_at)
    passed_s = 0.0 if hold is None else now.held_s(hold)
    expected_s = None
    if hours is not None and now.now_at is not None and isfinite(passed_s):
        expected_s = passed_s + (hours[1] - now.now_at).total_seconds()
    return Terms(until=f"resumes at {section.quiet_until}", expected_s=expected_s)


def quiet_hours(section: ScheduleSection, at: datetime) -> Span | None:
    """Begin and end, in UTC, of the quiet hours that `at` is in; `None` where it is in none.

    They begin with the first of two equal local times and end with the last.
    """
    return next((span for span in _spans(section, at) if span[0] <= at < span[1]), None)


def _spans(section: ScheduleSection, at: datetime) -> Iterator[Span]:
    """The quiet hours around `at`, one span of real time for each day, in their order."""
    zone = zone_of(section.timezone)
    if zone is None or not section.quiet_from:
        return
    begins, ends = time.fromisoformat(section.quiet_from), time.fromisoformat(section.quiet_until)
    today = at.astimezone(zone).date()
    for later in (-1, 0, 1, 2):
        day = today + timedelta(days=later)
        last = day if ends > begins else day + timedelta(days=1)
        begin, end = _instant(day, begins, zone, fold=0), _instant(last, ends, zone, fold=1)
        if begin < end:
            yield begin, end


def _instant(day: date, clock: time, zone: tzinfo, *, fold: int) -> datetime:
    """The moment when a local clock shows a time; where it skips it, the moment of the skip."""
    first, last = (
        datetime.combine(day, clock.replace(fold=f), tzinfo=zone).astimezone(UTC) for f in (0, 1)
    )
    if first <= last:
        return last if fold else first
    before, after = last, first
    while after - before > timedelta(seconds=1):
        middle = before + (after - before) / 2
        changed = middle.astimezone(zone).utcoffset() == after.astimezone(zone).utcoffset()
        before, after = (before, middle) if changed else (middle, after)
    return after.replace(microsecond=0)


def _deadline(now: Situation) -> tuple[PolicyDecision, ...]:
    section = now.policy.schedule
    ends = estimated_end(now)
    deadline = moment_of(section.deadline, section.timezone) if section.deadline else None
    # A deadline that is changed under the run is another one to be told of.
    about = f"deadline {section.deadline}"
    if ends is None or deadline is None or ends <= deadline or not now.may_tell(RULE, about):
        return ()
    late_s = (ends - deadline).total_seconds()
    zone = zone_of(section.timezone)
    return (
        PolicyDecision(
            action="alert",
            rule=RULE,
            reason=(
                f"the run is expected to end at {_clock(ends, zone)}, after the deadline,"
                f" {_clock(deadline, zone)}"
            ),
            value=round(late_s / 60.0, 1),
            threshold=0.0,
            unit="min late",
            about=about,
        ),
    )


def estimated_end(now: Situation) -> datetime | None:
    """When the run will have ended, by the engine's own estimate of the work left; `None` before
    there is enough to go by.

    Quiet hours to come are counted. Without any, it is assumed to stand still for the same share
    of its time as so far.
    """
    state = now.state
    left_s, word_t = state.engine_left_seconds, state.engine_word_t
    if now.now_at is None or left_s is None or word_t is None or state.ended:
        return None
    if len(state.recent_training) < _FEWEST_RECORDS or state.active_s <= 0.0:
        return None
    passed_s = 0.0 if state.standing else max(0.0, now.now_t - word_t)
    work_s = max(0.0, left_s - passed_s)
    try:
        if now.policy.schedule.quiet_from:
            return _worked_until(now.policy.schedule, now.now_at, timedelta(seconds=work_s))
        moving_share = 1.0 - min(_MOST_HELD, state.paused_s / state.active_s)
        return now.now_at + timedelta(seconds=work_s / moving_share)
    except OverflowError:
        return None


def _worked_until(section: ScheduleSection, at: datetime, work: timedelta) -> datetime | None:
    """When so much work is done that is begun at `at` and rests in quiet hours."""
    for _ in range(_MOST_NIGHTS):
        ahead = next((span for span in _spans(section, at) if span[1] > at), None)
        if ahead is None or at + work <= ahead[0]:
            return at + work
        work -= max(timedelta(0), ahead[0] - at)
        at = ahead[1]
    return None


def _clock(at: datetime, zone: tzinfo | None) -> str:
    return f"{at.astimezone(zone):%Y-%m-%d %H:%M}"


def status(now: Situation) -> RuleStatus:
    """What the rule sees, and would do."""
    section, hold = now.policy.schedule, now.hold_of(RULE)
    if not section.quiet_from and not section.deadline:
        return RuleStatus(rule=RULE, standing="off", next="no quiet hours and no deadline are set")
    parts = []
    if section.quiet_from:
        parts.append(hold.until if hold else f"pauses the run at {section.quiet_from}")
    ends = estimated_end(now)
    deadline = moment_of(section.deadline, section.timezone) if section.deadline else None
    late_min = None
    if deadline is not None:
        parts.append(f"tells you when the end is expected after {section.deadline}")
        late_min = None if ends is None else round((ends - deadline).total_seconds() / 60.0, 1)
    return RuleStatus(
        rule=RULE,
        standing="holding" if hold else "watching",
        value=late_min,
        threshold=None if deadline is None else 0.0,
        unit="" if deadline is None else "min late",
        next=", ".join(parts),
    )
