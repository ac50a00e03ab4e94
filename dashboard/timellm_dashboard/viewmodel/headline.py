"""The first line of every answer: the state of the run, in a word, and why it is so."""

from datetime import UTC, datetime
from typing import Literal

from msgspec import Struct

from timellm_dashboard.folds.history import History
from timellm_dashboard.folds.silence import is_too_long, usual_gap_s
from timellm_dashboard.moment import Moment, is_watched
from timellm_dashboard.viewmodel.evaluationtime import evaluation_left_s, is_final_test
from timellm_dashboard.viewmodel.look import Look
from timellm_dashboard.words import format as fmt
from timellm_dashboard.words.phrases import named, said, without_command
from timellm_dashboard.words.stopping import stopping_words
from timellm_dashboard.words.text import Words
from timellm_ops.contract.counting import Count
from timellm_ops.contract.disk_room import has_no_room
from timellm_ops.contract.state import Hold, RunState

StateName = Literal[
    "loading", "waiting", "starting", "restarting", "training", "evaluating", "pausing", "paused",
    "resuming", "stopping", "finished", "stopped", "stopped_for_hardware", "failed", "refused",
    "imported", "unsupervised", "silent",
]  # fmt: skip
Mood = Literal["good", "busy", "held", "bad", "done", "muted"]
"""What the state means to the eye: a tone of that name draws it. Of runs that have ended, one that
is done, one that may be gone on with and one that went wrong differ in word, glyph and mood."""

_GLYPHS: dict[StateName, tuple[str, Mood]] = {
    "loading": ("○", "muted"),
    "waiting": ("○", "muted"),
    "starting": ("◌", "busy"),
    "restarting": ("◌", "held"),
    "training": ("▶", "good"),
    "evaluating": ("◆", "busy"),
    "pausing": ("‖", "held"),
    "paused": ("‖", "held"),
    "resuming": ("▷", "busy"),
    "stopping": ("▼", "held"),
    "finished": ("✓", "done"),
    "stopped": ("■", "held"),
    "stopped_for_hardware": ("■", "bad"),
    "failed": ("✗", "bad"),
    "refused": ("✗", "bad"),
    "imported": ("○", "muted"),
    "unsupervised": ("!", "bad"),
    "silent": ("?", "bad"),
}
_RECORDS_WITHIN_S = 30.0
"""Longer than there is between two looks at the machine, as `host.poll_s` has them by itself."""
_NO_TIME = datetime(1970, 1, 1, tzinfo=UTC)


class Headline(Struct, frozen=True, kw_only=True):
    """`line` is the whole of it: `PAUSED · thermal: 86 °C > 85 °C … · resumes below 75 °C`."""

    state: StateName
    glyph: str
    word: str
    reason: str
    line: str
    mood: Mood
    command: str = ""
    """What a person may type to go on, where there is something."""


def headline(
    state: RunState, history: History, moment: Moment, look: Look, *, loading: bool = False
) -> Headline:
    """How the run is."""
    words = look.words
    name = _name(state, history, moment, loading=loading)
    reason = _reason(name, state, history, moment, look)
    glyph, mood = _GLYPHS[name]
    word: str = getattr(words, name)
    return Headline(
        state=name,
        glyph=glyph,
        word=word,
        reason=reason,
        line=f"{word} · {reason}" if reason else word,
        mood=mood,
        command=_command(name, state),
    )


def state_seen(state: RunState, *, supervised: bool) -> StateName:
    """How a run is, as far as that can be told without its history: whether it is silent cannot."""
    moment = Moment(t=state.t or 0.0, wall=_NO_TIME, supervised=supervised)
    return _name(state, History(), moment, loading=False)


def mark_of(name: StateName) -> tuple[str, Mood]:
    """The glyph of a state, and its mood."""
    return _GLYPHS[name]


def _name(state: RunState, history: History, moment: Moment, *, loading: bool) -> StateName:
    if loading:
        return "loading"
    if state.outcome is not None:
        return state.outcome
    if state.engine == "imported":
        return "imported"
    if state.run_id == "":
        return "waiting"
    if not is_watched(state, moment):
        return "unsupervised"
    if state.stop not in (None, "after_checkpoint"):
        return "stopping"
    if state.standing:
        return "paused" if state.holds else "resuming"
    if state.holds:
        return "pausing"
    if silent_for(state, history, moment) is not None:
        return "silent"
    return "stopping" if state.stop is not None else state.activity


def silent_for(state: RunState, history: History, moment: Moment) -> float | None:
    """Seconds without a word from an engine that should have said something; `None`: all is well.

    How long is too long follows from how often this engine has spoken so far.
    """
    at_work = state.activity in ("training", "evaluating") and not state.ended
    if not at_work or state.standing or state.holds or state.engine == "imported":
        return None
    silence_s = moment.since(history.engine_word_t)
    usual_s = usual_gap_s(state, history.progress_interval_s)
    if silence_s is None or usual_s is None:
        return None
    return silence_s if is_too_long(silence_s, usual_s, state) else None


def _reason(name: StateName, state: RunState, history: History, moment: Moment, look: Look) -> str:
    words, seen = look.words, (state, moment, look)
    match name:
        case "loading":
            return words.loading_reason
        case "waiting":
            return words.waiting_reason if moment.supervised else words.waiting_in_vain
        case "starting":
            return words.starting_reason
        case "restarting":
            return _restarting(state, moment, look)
        case "training":
            return _with_overrides(_with_pace(_training(state, words), state, words), *seen)
        case "evaluating":
            return _with_overrides(_with_pace(_evaluating(state, words), state, words), *seen)
        case "pausing" | "paused":
            held = " · ".join(_hold(hold, moment, look) for hold in state.holds)
            held = _with_overrides(held, *seen)
            return held if state.stop is None else f"{held} · {words.then_stops}"
        case "resuming":
            return words.resuming_reason
        case "stopping":
            return _stopping(state, history, moment, look)
        case "finished" | "stopped" | "stopped_for_hardware" | "failed" | "refused":
            return said(without_command(state.end_reason), look.shown_lang)
        case "imported":
            return words.imported_reason
        case "unsupervised":
            return _unsupervised(state, moment, look)
        case "silent":
            return words.silent_reason.format(
                age=fmt.rough(silent_for(state, history, moment) or 0.0, words),
                usual=fmt.duration(history.progress_interval_s or 0.0, words),
            )


def by_hand(state: RunState) -> bool:
    """Whether a person holds the run, so that a person has to let it go on."""
    return any(hold.rule == "user" for hold in state.holds)


def _restarting(state: RunState, moment: Moment, look: Look) -> str:
    """`the engine was ended by SIGKILL · starts again in 8 s from step 1,200, and makes 40 steps
    again`."""
    words = look.words
    left_s = 0.0 if state.restart_t is None else max(0.0, state.restart_t - moment.t)
    step = 0 if state.last is None else state.last.step
    lost = state.steps_at_risk
    template = words.starts_again_from if lost else words.starts_again
    again = template.format(
        time=fmt.duration(left_s, words),
        step=fmt.count(step),
        steps=words.steps.format(count=Count(lost)),
    )
    return f"{said(state.restart_reason, look.shown_lang)} · {again}"


def _training(state: RunState, words: Words) -> str:
    if state.solving is not None:
        return words.solving_head.format(share=fmt.percent(state.solving.share))
    if state.epochs is None:
        return words.training_epoch_only.format(epoch=state.epoch)
    return words.training_reason.format(epoch=state.epoch, epochs=state.epochs)


def _evaluating(state: RunState, words: Words) -> str:
    test = state.evaluation is not None and state.evaluation.split == "test"
    template = words.evaluating_test if test else words.evaluating_reason
    return template.format(epoch=state.epoch)


def _with_pace(text: str, state: RunState, words: Words) -> str:
    if state.duty >= 1.0:
        return text
    return f"{text} · {words.paced.format(share=fmt.percent(state.duty))}"


def _with_overrides(text: str, state: RunState, moment: Moment, look: Look) -> str:
    """What a person has said against a rule, for as long as it is in force."""
    words, parts = look.words, [text]
    for override in state.overrides:
        in_force = state.override_of(override.rule, moment.t, moment.wall)
        if in_force is not None and override.until_at is not None:
            parts.append(
                words.overridden.format(
                    rule=rule_name(override.rule, words),
                    time=fmt.day_and_time(override.until_at, moment.wall, look.zone, words),
                    who=named(override.who, look.shown_lang),
                )
            )
    return " · ".join(parts)


def _hold(hold: Hold, moment: Moment, look: Look) -> str:
    """`thermal: 86 °C > 85 °C in the last 3 readings · resumes below 75 °C, about 3 min`."""
    words, lang = look.words, look.shown_lang
    reason, until = said(hold.reason, lang), said(hold.until_at(moment.t), lang)
    parts = [
        reason if hold.rule == "user" else f"{rule_name(hold.rule, words)}{words.colon}{reason}"
    ]
    since_s = moment.since(hold.since_t)
    told = until != said(hold.until, lang)  # of its shortest length, which is a time already
    if (
        not told
        and hold.expected_s is not None
        and since_s is not None
        and hold.expected_s > since_s
    ):
        time = fmt.rough(hold.expected_s - since_s, words)
        if time != words.under_a_minute:
            time = words.about.format(time=time)
        until = f"{until}{words.comma}{time}" if until else time
    if until:
        parts.append(until)
    return " · ".join(parts)


def rule_name(rule: str, words: Words) -> str:
    """A rule's name in the language of the screen, where it has one."""
    found: str = getattr(words, f"rule_{rule}", rule)
    return found


def _stopping(state: RunState, history: History, moment: Moment, look: Look) -> str:
    waiting = _without_room(state, moment, look)
    if waiting:
        how = waiting
    elif state.stop == "after_checkpoint":
        how = _next_checkpoint(state, history, moment, look)
    elif state.stop == "kill":
        how = look.words.stop_kill
    else:
        how = _at_the_next_step(state, look)
    return " · ".join(part for part in (how, said(state.stop_reason, look.shown_lang)) if part)


def _without_room(state: RunState, moment: Moment, look: Look) -> str:
    """Of a stop that a full disk stands in the way of: what is waited for, and what would be lost;
    empty where there is room, or nothing is to be saved.

    A supervisor looks at its machine again and again: where nothing of that gets on record,
    the disk takes not even a line, and what the engine did since is in the supervisor's memory.
    """
    if not has_no_room(state):
        return ""
    stopping, at_risk = stopping_words(look.shown_lang), state.steps_at_risk
    steps = look.words.steps.format(count=Count(at_risk))
    if (moment.since(state.t) or 0.0) > _RECORDS_WITHIN_S:
        text = stopping.waits_for_room if at_risk else stopping.waits_for_room_free
        return text.format(steps=steps)
    if state.stop == "kill" or state.activity in ("waiting", "starting"):
        return ""
    return (stopping.no_room if at_risk else stopping.no_room_free).format(steps=steps)


def _at_the_next_step(state: RunState, look: Look) -> str:
    """What a stop that waits for no checkpoint does: our own engine saves, a script cannot."""
    stopping, now = stopping_words(look.shown_lang), state.stop == "now"
    if state.engine == "foreign":
        return stopping.script_ended if now else stopping.script_interrupted
    if state.activity in ("waiting", "starting"):
        return stopping.once_loaded
    return stopping.saving_now if now else stopping.saving


def _next_checkpoint(state: RunState, history: History, moment: Moment, look: Look) -> str:
    """What a stop after the next checkpoint waits for, and how long where that is known: `when the
    evaluation is done and saved, about 3 min`."""
    words, stopping = look.words, stopping_words(look.shown_lang)
    if state.writing is not None:
        return stopping.while_saving
    if state.evaluation is None:
        return words.stop_after_checkpoint
    final = is_final_test(state)
    text = stopping.after_test if final else stopping.after_evaluation
    left_s = evaluation_left_s(state, history, moment)
    if left_s is None:
        return text
    time = fmt.rough(left_s, words)
    if time != words.under_a_minute:
        time = words.about.format(time=time)
    return f"{text}{words.comma}{time}"


def _unsupervised(state: RunState, moment: Moment, look: Look) -> str:
    words = look.words
    if state.updated_at is None:
        return words.unsupervised_never
    was: str = getattr(words, "paused" if state.standing else state.activity)
    when = fmt.day_and_time(state.updated_at, moment.wall, look.zone, words)
    return words.unsupervised_reason.format(state=was, when=when)


def resume_command(state: RunState) -> str:
    """The command that goes on with an ended run; empty where there is nothing to go on from."""
    resumable = state.outcome in ("stopped", "stopped_for_hardware", "failed")
    if not resumable or state.engine != "timellm" or state.last is None:
        return ""
    return f"timellm-ops run --resume {state.run_id}"


def _command(name: StateName, state: RunState) -> str:
    if name == "unsupervised":
        return f"timellm-ops attach {state.run_id}"
    return resume_command(state)
