"""The rules as a table, what holds the run, and the keys of one rule."""

from collections.abc import Sequence

from rich.cells import cell_len

from timellm_dashboard.lines import Line, Span, Tone, clip, line, pad, width_of, wrap, wrap_line
from timellm_dashboard.viewmodel.rulerows import Standing
from timellm_dashboard.viewmodel.rules import HoldView, RuleView
from timellm_dashboard.viewmodel.view import View
from timellm_dashboard.words.keys import keyed
from timellm_dashboard.words.rulekeys import meaning
from timellm_dashboard.words.rules import RuleWords, rule_words

_TONES: dict[Standing, Tone] = {
    "off": "muted", "watching": "good", "told": "held", "holding": "held", "overridden": "busy",
    "unknown": "muted",
}  # fmt: skip
_LEAST_VALUE = 8
"""Cells of the values' column at least: ones that change should not move what is beside them."""
_LEAST_NEXT = 12
"""Cells that the last column needs, or it is left out."""
_COMFORTABLE_NEXT = 40
"""Cells of the last column with which the others may stand further apart."""
_LEAST_MEANING = 36
"""Cells that what a key is for needs beside it, or it stands below."""
_HERE = "> "
HEAD_ROWS = 1


def words_of(view: View) -> RuleWords:
    """The texts of this screen in the view's language and characters."""
    return rule_words(view.lang, ascii_only=view.ascii_only)


def rules_title(view: View, seen: range | None = None) -> str:
    """That these are the rules, which of them are `seen` if not all are, and which keys were
    changed."""
    words, changed = words_of(view), ", ".join(view.rules.changed)
    count, parts = len(view.rules.rows), [words.title]
    if seen is not None and len(seen) < count:
        parts[0] += f" {words.seen.format(first=seen.start + 1, last=seen.stop, count=count)}"
    if changed:
        parts.append(words.changed.format(settings=changed))
    return (" | " if view.ascii_only else " · ").join(parts)


def draw_rules(view: View, width: int) -> list[Line]:
    """A head, then the rules, each in as many rows as it needs."""
    head, blocks = rule_blocks(view, width)
    return [*head, *(row for block in blocks for row in block)]


def rule_blocks(
    view: View, width: int, selected: int | None = None
) -> tuple[list[Line], list[list[Line]]]:
    """The head, and the rows of each rule: what it does next goes on below itself. `selected` is
    the rule that keys act on."""
    rules = view.rules.rows
    if not rules:
        return [], []
    words, gutter = words_of(view), 0 if selected is None else len(_HERE)
    widths, room = _columns(view, width - gutter)
    used = gutter + sum(widths)
    head = " " * gutter + "".join(map(pad, _heads(view), widths))
    blocks: list[list[Line]] = []
    for number, rule in enumerate(rules):
        name, standing, value, threshold = map(pad, _cells(rule), widths)
        here = number == selected
        first, *rest = wrap(rule.next, room) if room else [""]
        block = [
            line(
                Span((_HERE if here else " " * gutter), "accent"),
                Span(name, "strong" if here else "plain"),
                Span(standing, rule_tone(rule, view)),
                Span(value),
                Span(threshold, "muted"),
                Span(first),
            )
        ]
        blocks.append(block + [line(" " * used, row) for row in rest])
    return [line(Span(head + clip(words.col_next, room), "muted"))], blocks


def rule_tone(rule: RuleView, view: View) -> Tone:
    """Faint where no rule acts any more: what watched then guards nothing now."""
    if not view.rules.in_force and rule.standing in ("watching", "told"):
        return "muted"
    return _TONES[rule.standing]


def _columns(view: View, width: int) -> tuple[list[int], int]:
    """Cells of the columns, and those that are left for what a rule does next: 0 where it has no
    room."""
    words = words_of(view)
    usual = max(map(cell_len, (words.off, words.watching, words.told, words.holding)))
    rows = [_heads(view), *map(_cells, view.rules.rows)]
    columns = [
        max(least, *(cell_len(row[column]) for row in rows))
        for column, least in enumerate((0, len("✓ ") + usual, _LEAST_VALUE, 0))
    ]
    gap = 2 if width - sum(columns) - 2 * len(columns) >= _COMFORTABLE_NEXT else 1
    widths = [cells + gap for cells in columns]
    room = width - sum(widths)
    return widths, room if room >= _LEAST_NEXT else 0


def _heads(view: View) -> tuple[str, str, str, str]:
    words = words_of(view)
    value = words.col_value if view.rules.in_force else words.col_value_then
    return (words.col_rule, words.col_standing, value, words.col_threshold)


def blocks_seen(heights: Sequence[int], chosen: int, first: int, rows: int) -> range:
    """Which of the blocks are seen in so many rows: from `first` on, moved as little as it takes
    to see the chosen one; only whole ones, unless the chosen one alone is too high."""
    first = min(first, chosen)
    while first < chosen and sum(heights[first : chosen + 1]) > rows:
        first += 1
    last, used = first, 0
    while last < len(heights) and used + heights[last] <= rows:
        used += heights[last]
        last += 1
    while last == len(heights) and first > 0 and used + heights[first - 1] <= rows:
        first -= 1
        used += heights[first]
    return range(first, max(last, min(chosen + 1, len(heights))))


def _cells(rule: RuleView) -> tuple[str, str, str, str]:
    standing = f"{rule.glyph} {rule.word}"
    return (rule.name, standing, rule.value_text, rule.threshold_text)


def draw_holds(view: View, width: int, height: int) -> list[Line]:
    """Why the run stands still, since when, when it goes on, and what a person can do."""
    return _cut(hold_rows(view, width), height, width, view)


def hold_rows(view: View, width: int) -> list[Line]:
    """All of it, however many rows that takes."""
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
        # That nothing holds a run is no good news where it does not go on by itself.
        tone: Tone = "strong" if view.headline.mood == "bad" else "good"
        stands = Span(words.moves_on if moves_on else words.nothing_holds, tone)
        space = "" if view.lang == "zh" and not view.ascii_only else " "
        hint = words.select_hint if _may_ask(view) else words.look_hint
        rows += wrap_line((stands, Span(space + keyed(hint, view.keys), "muted")), width)
    return rows


def _may_ask(view: View) -> bool:
    """Whether there is a supervisor, and whoever looks may ask it for something."""
    return view.run.supervised and not view.read_only and not view.replay


def _hold(hold: HoldView, view: View, width: int) -> list[Line]:
    words = words_of(view)
    dot, glyph = (" | ", "||") if view.ascii_only else (" · ", "‖")
    head = [Span(f"{glyph} {hold.name}", "held"), Span(f"{dot}{hold.reason}")]
    if hold.mine and hold.reason:
        head = [Span(f"{glyph} {hold.reason}", "held")]
    when = dot.join(part for part in (hold.since, hold.until, hold.expected) if part)
    deed = ""
    if _may_ask(view):
        deed = words.how_to_resume if hold.mine else words.how_to_override
    rows = wrap_line(head, width, indent=2)
    rows += wrap_line((Span(when),), width - 2) if when else []
    rows += [line(Span(keyed(deed, view.keys), "accent"))] if deed else []
    begin = len(wrap_line(head, width, indent=2))
    return [row if number < begin else line("  ", *row) for number, row in enumerate(rows)]


def draw_rule(view: View, width: int, height: int, selected: int, table_width: int) -> list[Line]:
    """The keys of one rule; before them what it does next, where the table, in its width, has no
    room for it."""
    words, rows = words_of(view), view.rules.rows
    if not rows:
        return []
    rule = rows[min(selected, len(rows) - 1)]
    drawn: list[Line] = []
    if not _columns(view, table_width - len(_HERE))[1]:
        drawn += wrap_line((Span(words.next_of.format(text=rule.next)),), width, indent=2)
    section, names = _section(rule, words_of(view))
    if len(drawn) + len(names) < height:
        drawn.append(line(Span(words.keys_of.format(section=section, keys="").rstrip(), "muted")))
        return [*drawn, *_explained(rule, names, view, width, height - len(drawn))]
    return _cut([*drawn, *_keys(rule, view, width)], height, width, view)


def _explained(
    rule: RuleView, names: Sequence[str], view: View, width: int, height: int
) -> list[Line]:
    """A key a row, with what it is for beside it, or else below it, where that has the room."""
    lang = "en" if view.ascii_only else view.lang
    meanings = [meaning(setting.partition("=")[0], lang) for setting in rule.settings]
    keys = [_key(clip(name, width - 2)) for name in names]
    column = max(map(width_of, keys)) + 2
    beside = width - column >= _LEAST_MEANING
    at = column if beside else 2 * len(_HERE)
    rows: list[Line] = []
    for key, told in zip(keys, meanings, strict=True):
        first, *rest = wrap(told, width - at) if told else [""]
        if beside:
            gap = " " * (column - width_of(key))
            rows.append(line(*key, Span(gap + first, "muted")) if first else key)
        else:
            rows += [key, *([line(Span(" " * at + first, "muted"))] if first else [])]
        rows += [line(Span(" " * at + row, "muted")) for row in rest]
    return rows if len(rows) <= height else keys


def _key(text: str) -> Line:
    """`pause_above_c=85`, of which the value is what one looks for."""
    key, is_set, value = text.partition("=")
    return line(Span(f"  {key}{is_set}", "muted"), *([Span(value)] if value else []))


def key_rows(view: View, width: int, selected: int) -> int:
    """The rows that the keys of a rule take where there is little room."""
    rows = view.rules.rows
    return len(_keys(rows[min(selected, len(rows) - 1)], view, width)) if rows else 0


def _keys(rule: RuleView, view: View, width: int) -> list[Line]:
    section, names = _section(rule, words_of(view))
    dot = " | " if view.ascii_only else " · "
    keys = words_of(view).keys_of.format(section=section, keys=dot.join(names))
    return wrap_line((Span(keys, "muted"),), width, indent=2)


def _section(rule: RuleView, words: RuleWords) -> tuple[str, list[str]]:
    """The table of the config that the rule's keys are in, and each without it."""
    section = rule.settings[0].partition("=")[0].rpartition(".")[0] if rule.settings else ""
    names = [setting.removeprefix(f"{section}.") for setting in rule.settings]
    return section, [
        words.not_set.format(key=name.removesuffix("=")) if name.endswith("=") else name
        for name in names
    ]


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
