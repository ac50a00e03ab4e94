"""What is on disk, what is at risk, and whether the run may be stopped now."""

from typing import Literal

from msgspec import Struct

from timellm_dashboard.folds.history import History
from timellm_dashboard.moment import Moment
from timellm_dashboard.viewmodel.figure import Figure, steps
from timellm_dashboard.viewmodel.headline import by_hand, silent_for
from timellm_dashboard.viewmodel.look import Look
from timellm_dashboard.words import format as fmt
from timellm_dashboard.words.keys import keyed
from timellm_dashboard.words.stopping import stopping_words
from timellm_dashboard.words.text import Words
from timellm_ops.contract.counting import Count
from timellm_ops.contract.disk_room import has_no_room
from timellm_ops.contract.state import RunState, SavedCheckpoint


class SavedView(Struct, frozen=True, kw_only=True):
    """A checkpoint on disk. `text` is its `parts` in one line, the most important first."""

    epoch: int | None
    step: int
    vali_mse: float | None
    bytes: int
    hashed: bool
    path: str
    parts: tuple[str, ...]
    text: str


class Safe(Struct, frozen=True, kw_only=True):
    """Whether stopping at this very moment would lose nothing. `line` is word and reason."""

    answer: Literal["yes", "no", "ended"]
    word: str
    reason: str
    line: str


class CheckpointPanel(Struct, frozen=True, kw_only=True):
    """The checkpoints of a run."""

    best: SavedView | None
    last: SavedView | None
    best_text: str
    last_text: str
    writing: str = ""
    """The kind of checkpoint that is being written; empty: none."""
    at_risk: Figure
    """Steps that would have to be repeated; unknown for a script that tells no step counts."""
    safe: Safe
    no_room: bool = False
    """The disk has no room for the next one."""


def checkpoint_panel(
    state: RunState, history: History, moment: Moment, look: Look
) -> CheckpointPanel:
    """What is on disk, and what that means."""
    words = look.words
    best = None if state.best is None else _best(state.best, words)
    last = None if state.last is None else _last(state.last, state, moment, look)
    none = words.none_at_all if state.ended or state.engine == "imported" else words.none_yet
    at_risk = steps_at_risk(state)
    return CheckpointPanel(
        best=best,
        last=last,
        best_text=none if best is None else best.text,
        last_text=none if last is None else last.text,
        writing=state.writing or "",
        at_risk=Figure(at_risk, words.unknown_count if at_risk is None else steps(at_risk, words)),
        safe=_safe(state, history, at_risk, moment, look),
        no_room=not state.ended and has_no_room(state),
    )


def steps_at_risk(state: RunState) -> int | None:
    """`RunState.steps_at_risk`, or `None` where nobody knows how many steps an epoch has."""
    if state.steps_per_epoch is not None:
        return state.steps_at_risk
    saved = max(
        ((c.epoch or 0, c.iteration or 0) for c in (state.best, state.last) if c is not None),
        default=None,
    )
    if saved is None:
        return state.iteration if state.epoch <= 1 else None
    if state.epoch == saved[0]:
        return 0 if any(row.epoch == state.epoch for row in state.rows) else None
    ended_since = any(row.epoch > saved[0] for row in state.rows)
    return state.iteration if state.epoch == saved[0] + 1 and not ended_since else None


def _best(saved: SavedCheckpoint, words: Words) -> SavedView:
    parts = [words.saved_in_epoch.format(epoch=saved.epoch)] if saved.epoch is not None else []
    if saved.vali_mse is not None:
        parts.append(words.vali.format(mse=fmt.loss(saved.vali_mse)))
    return _saved(saved, parts, words)


def _last(saved: SavedCheckpoint, state: RunState, moment: Moment, look: Look) -> SavedView:
    words = look.words
    # A script may tell epochs and no steps.
    parts = [
        words.saved_at_step.format(step=fmt.count(saved.step))
        if saved.step or saved.epoch is None
        else words.saved_in_epoch.format(epoch=saved.epoch)
    ]
    age_s = moment.since(saved.t)
    if age_s is not None and not state.ended:
        parts.append(fmt.ago(age_s, words))
    elif saved.at is not None:
        parts.append(fmt.day_and_time(saved.at, moment.wall, look.zone, words))
    return _saved(saved, parts, words)


def _saved(saved: SavedCheckpoint, parts: list[str], words: Words) -> SavedView:
    size = [fmt.storage(saved.bytes)] if saved.bytes > 0 else []
    proof = (
        words.on_disk if saved.sha256 is None else f"{words.on_disk}{words.comma}{words.verified}"
    )
    every = (*parts, *size, proof)
    return SavedView(
        epoch=saved.epoch,
        step=saved.step,
        vali_mse=saved.vali_mse,
        bytes=saved.bytes,
        hashed=saved.sha256 is not None,
        path=saved.path,
        parts=every,
        text=" · ".join(every),
    )


def _safe(
    state: RunState, history: History, at_risk: int | None, moment: Moment, look: Look
) -> Safe:
    words = look.words
    silent = silent_for(state, history, moment) is not None
    answer, reason = _verdict(state, at_risk, moment, look, silent=silent)
    if answer != "ended" and not moment.supervised and state.run_id:
        # The engine may have gone on, and may have saved, since the last record.
        reason = stopping_words(look.shown_lang).as_last_seen.format(told=reason)
    word = {"yes": words.yes, "no": words.no, "ended": words.ended}[answer]
    return Safe(
        answer=answer, word=word, reason=reason, line=f"{words.safe}{words.colon}{word} · {reason}"
    )


def _verdict(
    state: RunState, at_risk: int | None, moment: Moment, look: Look, *, silent: bool
) -> tuple[Literal["yes", "no", "ended"], str]:
    words = look.words
    if state.engine == "imported":
        return "ended", words.safe_imported
    if state.ended:
        if at_risk and state.outcome != "finished" and state.engine == "timellm":
            return "ended", words.lost_steps.format(count=Count(at_risk))
        return "ended", words.safe_ended
    if state.activity == "restarting":
        step = 0 if state.last is None else state.last.step
        text = stopping_words(look.shown_lang).engine_gone.format(step=fmt.count(step))
        return "yes", text
    if state.writing is not None:
        return "no", words.safe_writing.format(kind=state.writing)
    if state.engine == "foreign":
        return _verdict_on_script(state, at_risk, words)
    if state.step == 0:
        return "yes", words.safe_nothing_yet
    if at_risk == 0:
        return "yes", words.safe_everything
    risk = words.unknown_count if at_risk is None else steps(at_risk, words)
    if not moment.supervised or state.stop == "kill":
        return "no", words.risk_unsupervised.format(steps=risk)
    stopping = stopping_words(look.shown_lang)
    if state.stop in ("checkpoint", "now"):
        return "no", stopping.at_risk_now.format(steps=risk)
    if state.stop is not None:
        waits_for_a_person = state.stop == "after_checkpoint" and by_hand(state)
        text = stopping.at_risk_user if waits_for_a_person else stopping.at_risk
        return "no", text.format(steps=risk)
    if look.read_only or moment.replay:  # no key that asks the run for anything
        text = words.risk_unsupervised if silent else stopping.at_risk
        return "no", text.format(steps=risk)
    if silent:
        return "no", keyed(stopping.at_risk_silent, look.keys).format(steps=risk)
    if state.best is None and state.last is None:
        return "no", keyed(words.risk_no_checkpoint, look.keys).format(steps=risk)
    return "no", keyed(words.risk_steps, look.keys).format(steps=risk)


def _verdict_on_script(
    state: RunState, at_risk: int | None, words: Words
) -> tuple[Literal["yes", "no", "ended"], str]:
    if state.best is None:
        started = state.step > 0 or state.epoch > 0
        return ("no", words.risk_script_none) if started else ("yes", words.safe_nothing_yet)
    if at_risk == 0:
        return "yes", words.safe_script
    if at_risk is None:
        return "no", words.risk_script_since.format(epoch=state.best.epoch)
    return "no", words.risk_script_steps.format(steps=steps(at_risk, words))
