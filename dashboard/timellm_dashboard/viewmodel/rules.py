"""The rules of a run, and what holds it and until when, as values and as texts. Pure."""

from collections.abc import Sequence
from datetime import timedelta

from msgspec import Struct

from timellm_dashboard.moment import Moment, is_watched
from timellm_dashboard.viewmodel.headline import rule_name
from timellm_dashboard.viewmodel.look import Look
from timellm_dashboard.viewmodel.rulerows import RuleRow, Standing
from timellm_dashboard.words import format as fmt
from timellm_dashboard.words.phrases import clean, named, said
from timellm_dashboard.words.rules import RuleWords, rule_words
from timellm_ops.contract.state import Hold, RunState
from timellm_ops.contract.telemetry import TimedSample

GLYPHS: dict[Standing, str] = {
    "off": "○", "watching": "✓", "told": "!", "holding": "‖", "overridden": "▷",
    "unknown": "?",
}  # fmt: skip
NOT_KNOWN = "—"
_AN_AGE = "s"
"""The unit of the values that grow by themselves."""
_MIB = 1 << 20


class RuleView(Struct, frozen=True, kw_only=True):
    """One rule."""

    rule: str
    name: str
    standing: Standing
    glyph: str
    word: str
    value: float | None
    value_text: str
    threshold: float | None
    threshold_text: str
    next: str
    settings: tuple[str, ...]
    """Its keys, each `key=value`."""


class HoldView(Struct, frozen=True, kw_only=True):
    """A reason for standing still."""

    rule: str
    name: str
    reason: str
    since: str
    until: str
    expected: str
    """When that is expected; empty where nobody knows."""
    mine: bool
    """A person has done it, and no rule."""


class RulesView(Struct, frozen=True, kw_only=True):
    """All rules."""

    note: str
    """What is to be known before reading them; empty where they are in force now."""
    in_force: bool
    """They act now, and their values are of now."""
    holds: tuple[HoldView, ...]
    overrides: tuple[str, ...]
    rows: tuple[RuleView, ...]
    changed: tuple[str, ...]
    """Keys that were changed under the run, each `key=value`."""


def rules_view(
    state: RunState,
    recent: Sequence[TimedSample],
    moment: Moment,
    look: Look,
    *,
    loading: bool = False,
) -> RulesView:
    """The rules as they stand now, or as they stood when the run was last supervised."""
    words = rule_words(look.shown_lang)
    begun = state.run_id != "" and state.engine != "imported"
    rows = _rows(state, recent, moment, look) if begun and not loading else ()
    watched = is_watched(state, moment)
    return RulesView(
        note=_note(state, moment, words, loading=loading, known=bool(rows)),
        in_force=watched,
        holds=tuple(
            _hold(hold, moment, look, words, watched=watched)
            for hold in state.holds
            if not state.ended
        ),
        overrides=tuple(_overrides(state, moment, look, words)) if watched else (),
        rows=tuple(_rule(row, look, words, in_force=watched) for row in rows),
        changed=tuple(clean(setting) for setting in state.policy_settings),
    )


def _rows(
    state: RunState, recent: Sequence[TimedSample], moment: Moment, look: Look
) -> tuple[RuleRow, ...]:
    if look.rules is None:
        return ()
    now_t, now_at = moment.t, moment.wall
    if not is_watched(state, moment):
        now_t, now_at = state.t or 0.0, state.updated_at or moment.wall
    # A reading of an earlier boot has a time that is yet to come, and says nothing any more.
    readings = [reading for reading in recent if reading.t <= now_t + 1.0]
    return look.rules(state, readings, now_t, now_at)


def _note(state: RunState, moment: Moment, words: RuleWords, *, loading: bool, known: bool) -> str:
    if loading:
        return words.loading
    if state.engine == "imported":
        return words.imported
    if state.run_id == "":
        return words.starting
    if not known:
        return words.no_rules
    if state.ended:
        return words.as_at_the_end
    return "" if is_watched(state, moment) else words.nobody


def _rule(row: RuleRow, look: Look, words: RuleWords, *, in_force: bool) -> RuleView:
    word: str = getattr(words, row.standing)
    glyph, value = GLYPHS[row.standing], row.value
    if not in_force:
        if row.standing == "watching":
            glyph, word = GLYPHS["off"], words.watched
        if row.unit == _AN_AGE:  # of the latest reading or word: it means nothing once all is over
            value = None
    return RuleView(
        rule=row.rule,
        name=rule_name(row.rule, look.words),
        standing=row.standing,
        glyph=glyph,
        word=word,
        value=value,
        value_text=_quantity(value, row.unit, words),
        threshold=row.threshold,
        threshold_text=_quantity(row.threshold, row.unit, words),
        next=said(row.next, look.shown_lang),
        settings=row.settings,
    )


def _quantity(value: float | None, unit: str, words: RuleWords) -> str:
    if value is None:
        return NOT_KNOWN
    if unit == "MiB":  # as the rule's own sentence has it
        return fmt.storage(value * _MIB)
    value = round(value) if unit == "s" else value
    shown = {"programs": words.unit_programs, "min late": words.unit_late, "s": words.unit_s}
    return f"{fmt.number(value)} {shown.get(unit, unit)}".rstrip()


def _hold(hold: Hold, moment: Moment, look: Look, words: RuleWords, *, watched: bool) -> HoldView:
    """`watched`: somebody is there to lift it, so that it can be expected to end."""
    since_s, since, expected = moment.since(hold.since_t), "", ""
    if since_s is not None:
        age = fmt.duration(since_s, look.words)
        since = words.since.format(age=age, time=_clock(moment, -since_s, look))
        if watched and hold.expected_s is not None:
            left_s = hold.expected_s - since_s
            template = words.expected if left_s >= 0 else words.overdue
            rough = fmt.rough(abs(left_s), look.words)
            expected = template.format(time=_clock(moment, left_s, look), left=rough, age=rough)
    mine = hold.rule == "user"
    return HoldView(
        rule=hold.rule,
        name=words.by_hand if mine else rule_name(hold.rule, look.words),
        reason=said(hold.reason, look.shown_lang),
        since=since,
        until=said(hold.until_at(moment.t), look.shown_lang),
        expected=expected,
        mine=mine,
    )


def _clock(moment: Moment, in_s: float, look: Look) -> str:
    at = moment.wall + timedelta(seconds=in_s)
    return fmt.day_and_time(at, moment.wall, look.zone, look.words)


def _overrides(state: RunState, moment: Moment, look: Look, words: RuleWords) -> list[str]:
    texts = []
    for override in state.overrides:
        in_force = state.override_of(override.rule, moment.t, moment.wall)
        if in_force is not None and override.until_at is not None:
            time = fmt.day_and_time(override.until_at, moment.wall, look.zone, look.words)
            name = rule_name(override.rule, look.words)
            who = named(override.who, look.shown_lang)
            texts.append(words.override_until.format(rule=name, time=time, who=who))
    return texts


def setting_of(typed: str, settings: Sequence[str]) -> str:
    """`key=value` as typed; a key by itself is one of the rule whose `settings` these are."""
    key, equals, _ = typed.partition("=")
    if not settings or not equals or "." in key:
        return typed
    rule = settings[0].partition("=")[0].rpartition(".")[0]
    return f"{rule}.{typed.strip()}"
