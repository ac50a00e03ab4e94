"""The rules as a table, what holds the run, and one rule in full."""

from rich.cells import cell_len

from timellm_dashboard.lines import Line, Span, Tone, clip, line, pad, wrap, wrap_line
from timellm_dashboard.rulerows import Standing
from timellm_dashboard.rules import HoldView, RuleView
from timellm_dashboard.text_rules import RuleWords, rule_words
from timellm_dashboard.view import View

_TONES: dict[Standing, Tone] = {
    "off": "muted", "watching": "good", "holding": "held", "overridden": "busy", "unknown": "muted",
}  # fmt: skip
_LEAST = (0, 0, 8, 0)
"""Cells of each column at least: values that change should not move what is beside them."""
_LEAST_NEXT = 12
"""Cells that the last column needs, or it is left out."""
_HERE = "> "
HEAD_ROWS = 1


def words_of(view: View) -> RuleWords:
    """The texts of this screen in the view's language and characters."""
    return rule_words(view.lang, ascii_only=view.ascii_only)


def rules_title(view: View) -> str:
    """That these are the rules, and which keys were changed."""
    words, changed = words_of(view), ", ".join(view.rules.changed)
    dot = " | " if view.ascii_only else " · "
    if not changed:
        return words.title
    return f"{words.title}{dot}{words.changed.format(settings=changed)}"


def draw_rules(view: View, width: int, selected: int | None = None) -> list[Line]:
    """A head, then a row for each rule. `selected` is the one that keys act on; without one, the
    last column goes on below itself instead of being cut off."""
    words, rules = words_of(view), view.rules
    if not rules.rows:
        return []
    heads = (words.col_rule, words.col_standing, words.col_value, words.col_threshold)
    rows = [heads, *(_cells(rule) for rule in rules.rows)]
    widths = [
        max(least, *(cell_len(row[column]) for row in rows)) + 2
        for column, least in enumerate(_LEAST)
    ]
    gutter = 0 if selected is None else len(_HERE)
    used = gutter + sum(widths)
    room = width - used if width - used >= _LEAST_NEXT else 0
    head = " " * gutter + "".join(map(pad, heads, widths))
    drawn = [line(Span(head + clip(words.col_next, room), "muted"))]
    for number, rule in enumerate(rules.rows):
        name, standing, value, threshold = map(pad, _cells(rule), widths)
        here = number == selected
        whole = selected is None and room > 0
        first, *rest = wrap(rule.next, room) if whole else [_clipped(rule.next, room, view)]
        drawn.append(
            line(
                Span((_HERE if here else " " * gutter), "accent"),
                Span(name, "strong" if here else "plain"),
                Span(standing, _TONES[rule.standing]),
                Span(value),
                Span(threshold, "muted"),
                Span(first),
            )
        )
        drawn += [line(" " * used, row) for row in rest]
    return drawn


def _cells(rule: RuleView) -> tuple[str, str, str, str]:
    standing = f"{rule.glyph} {rule.word}"
    return (rule.name, standing, rule.value_text, rule.threshold_text)


def draw_holds(view: View, width: int, height: int) -> list[Line]:
    """Why the run stands still, since when, when it goes on, and what a person can do."""
    words, rules = words_of(view), view.rules
    rows: list[Line] = []
    if rules.note:
        rows += [line(Span(row, "muted")) for row in wrap(rules.note, width)]
    for hold in rules.holds:
        rows += _hold(hold, view, width)
    for override in rules.overrides:
        rows += wrap_line(line(Span(override, "busy")), width)
    if not rows:
        moves_on = view.headline.state == "resuming"
        rows.append(line(Span(words.moves_on if moves_on else words.nothing_holds, "good")))
        rows.append(line(Span(words.select_hint, "muted")))
    return _cut(rows, height, width, view)


def _hold(hold: HoldView, view: View, width: int) -> list[Line]:
    words = words_of(view)
    dot, glyph = (" | ", "||") if view.ascii_only else (" · ", "‖")
    head = [Span(f"{glyph} {hold.name}", "held"), Span(f"{dot}{hold.reason}")]
    if hold.mine and hold.reason:
        head = [Span(f"{glyph} {hold.reason}", "held")]
    when = dot.join(part for part in (hold.since, hold.until, hold.expected) if part)
    deed = ""
    if view.run.supervised:
        deed = words.how_to_resume if hold.mine else words.how_to_override
    rows = wrap_line(head, width, indent=2)
    rows += wrap_line((Span(when),), width - 2) if when else []
    rows += [line(Span(deed, "accent"))] if deed else []
    begin = len(wrap_line(head, width, indent=2))
    return [row if number < begin else line("  ", *row) for number, row in enumerate(rows)]


def draw_rule(view: View, width: int, height: int, selected: int) -> list[Line]:
    """One rule: its whole sentence, and its keys."""
    words, rows = words_of(view), view.rules.rows
    if not rows:
        return []
    rule = rows[min(selected, len(rows) - 1)]
    drawn = wrap_line((Span(words.next_of.format(text=rule.next)),), width, indent=2)
    dot = " | " if view.ascii_only else " · "
    section = rule.settings[0].partition("=")[0].rpartition(".")[0] if rule.settings else ""
    names = [setting.removeprefix(f"{section}.") for setting in rule.settings]
    if len(drawn) + len(names) < height:
        drawn.append(line(Span(words.keys_of.format(section=section, keys="").rstrip(), "muted")))
        return [*drawn, *(line(Span(f"  {clip(name, width - 2)}", "muted")) for name in names)]
    keys = words.keys_of.format(section=section, keys=dot.join(names))
    drawn += wrap_line((Span(keys, "muted"),), width, indent=2)
    return _cut(drawn, height, width, view)


def rule_title(view: View, selected: int) -> str:
    """Which rule it is."""
    rows = view.rules.rows
    if not rows:
        return ""
    return words_of(view).rule_title.format(rule=rows[min(selected, len(rows) - 1)].name)


def _cut(rows: list[Line], height: int, width: int, view: View) -> list[Line]:
    """At most `height` rows; an ellipsis says that there are more."""
    if len(rows) <= height:
        return rows
    ellipsis = "..." if view.ascii_only else "…"
    last = "".join(span.text for span in rows[height - 1]) if height else ""
    tone = rows[height - 1][-1].tone if height and rows[height - 1] else "plain"
    cut = clip(last + " " * width, width, ellipsis)
    return [*rows[: max(0, height - 1)], line(Span(cut, tone))]


def _clipped(text: str, width: int, view: View) -> str:
    return clip(text, width, "..." if view.ascii_only else "…")
