"""One rule in full: how it stands, what it has done in this run, and the course of what it sees."""

from timellm_dashboard.folds.history import History
from timellm_dashboard.folds.trace import MarkKind, TraceMark
from timellm_dashboard.lines import Line, Span, line, wrap, wrap_line
from timellm_dashboard.panels.rules import rule_tone, words_of
from timellm_dashboard.panels.timeline import clock_row, mark_line
from timellm_dashboard.panels.tracks import GUTTER, draw_track
from timellm_dashboard.viewmodel.focus import Focus
from timellm_dashboard.viewmodel.look import Look
from timellm_dashboard.viewmodel.rules import RuleView
from timellm_dashboard.viewmodel.timeline import TrackId, shown_text, timeline
from timellm_dashboard.viewmodel.timereading import mark_reading
from timellm_dashboard.viewmodel.view import View
from timellm_dashboard.words import format as fmt
from timellm_ops.contract import events as ev
from timellm_ops.contract.counting import Count

_SEES: dict[str, TrackId] = {
    "thermal": "temperature", "telemetry": "temperature", "governor": "temperature",
    "power": "power", "health": "loss",
}  # fmt: skip
"""The track of the timeline that a rule looks at, where there is one."""
_ACTS_BY: dict[str, MarkKind] = {"governor": "pace", "power": "power_limit"}
"""What shows that a rule has acted, where its decisions do not."""
_LOWEST_PLOT, _HIGHEST_PLOT = 4, 16
_MOST_DEEDS = 8


def draw_rule_story(
    view: View, history: History, look: Look, rule: RuleView, width: int, height: int
) -> list[Line]:
    """All of it, in `height` rows of `width` cells, from what the run was like until now."""
    dot = " | " if view.ascii_only else " · "
    standing = Span(f"{rule.glyph} {rule.word}", rule_tone(rule, view))
    rows = wrap_line((standing, Span(f"{dot}{rule.next}")), width, indent=2)
    rows += _held_now(view, rule, width, dot)
    rows += [(), *_deeds(view, history, look, rule, width)]
    room = min(_HIGHEST_PLOT, height - len(rows) - 2)
    if rule.rule in _SEES and room >= _LOWEST_PLOT:
        rows += _plot(view, history, look, _SEES[rule.rule], width, room)
    return rows[:height]


def _held_now(view: View, rule: RuleView, width: int, dot: str) -> list[Line]:
    """Why it holds the run, since when and until when, where it does."""
    rows: list[Line] = []
    for hold in view.rules.holds:
        if hold.rule == rule.rule:
            told = dot.join(p for p in (hold.reason, hold.since, hold.until, hold.expected) if p)
            rows += [line("  ", *row) for row in wrap_line((Span(told),), width - 2)]
    return rows


def _deeds(view: View, history: History, look: Look, rule: RuleView, width: int) -> list[Line]:
    """How often it has paused the run, and its latest deeds, the newest first."""
    words = words_of(view)
    rows: list[Line] = []
    for found in history.ledger.standing.by_cause:
        if found.cause == rule.rule:
            time = fmt.duration(found.seconds, view.words)
            told = words.story_paused if found.pauses else words.story_prolonged
            told = told.format(count=Count(found.pauses), time=time)
            rows.append(line(Span(shown_text(view, told), "strong")))
    deeds = [mark for mark in history.trace.marks if _is_deed(mark, rule.rule)]
    newest = deeds[: -_MOST_DEEDS - 1 : -1]
    rows += [mark_line(mark_reading(mark, view, look), view, width) for mark in newest]
    return rows or [line(Span(row, "muted")) for row in wrap(words.story_never, width)]


def _is_deed(mark: TraceMark, rule: str) -> bool:
    if isinstance(mark.event, ev.PolicyDecision):
        return mark.event.rule == rule
    return mark.kind == _ACTS_BY.get(rule)


def _plot(
    view: View, history: History, look: Look, sees: TrackId, width: int, room: int
) -> list[Line]:
    """The course of what it looks at over the whole run, with its clock below."""
    shown = timeline(view, history, look, Focus(), width - GUTTER, (sees,))
    if shown.message:
        return []
    ascii_only = view.ascii_only
    rows: list[Line] = [()]
    for track in shown.tracks:
        rows += draw_track(track, shown.cells, room, None, ascii_only=ascii_only)
    return [*rows, clock_row(shown, ascii_only=ascii_only)]
