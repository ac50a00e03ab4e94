"""Everything a person can do in the dashboard: one registry for keys, footer, palette and help."""

from textual.binding import Binding

from timellm_dashboard.actions.action import Action, Said, ScreenId
from timellm_dashboard.actions.log import LOG_ACTIONS
from timellm_dashboard.actions.policies import POLICIES_ACTIONS
from timellm_dashboard.actions.replay import REPLAY_ACTIONS
from timellm_dashboard.actions.report import REPORT_ACTIONS
from timellm_dashboard.actions.run import RUN_ACTIONS, RunActionId
from timellm_dashboard.actions.runs import RUNS_ACTIONS
from timellm_dashboard.actions.screens import SCREEN_ACTIONS, SCREEN_ORDER
from timellm_dashboard.actions.timeline import TIMELINE_ACTIONS
from timellm_dashboard.viewmodel.view import View
from timellm_dashboard.words.ascii import to_ascii
from timellm_dashboard.words.keys import keyed
from timellm_dashboard.words.read_only import read_only_words
from timellm_dashboard.words.refusals import refusal_words
from timellm_dashboard.words.timeline import timeline_words
from timellm_ops.contract.commands import StopMode

__all__ = [
    "ACTIONS", "REPLAY_ACTIONS", "SCREEN_ORDER", "Action", "RunActionId", "Said", "ScreenId",
    "action", "bindings", "is_of_use", "is_offered", "label_of", "offered", "refusal",
]  # fmt: skip

ACTIONS: tuple[Action, ...] = (
    *RUN_ACTIONS,
    *SCREEN_ACTIONS,
    *TIMELINE_ACTIONS,
    *LOG_ACTIONS,
    *POLICIES_ACTIONS,
    *RUNS_ACTIONS,
    *REPORT_ACTIONS,
)


def action(action_id: str) -> Action:
    """The action of that id."""
    return next(found for found in (*ACTIONS, *REPLAY_ACTIONS) if found.id == action_id)


def bindings(on: ScreenId | None) -> list[Binding]:
    """The keys of what can be done on that screen alone, or everywhere."""
    return [
        Binding(
            ",".join(found.keys),
            found.binding or f"app.{'type' if found.types else 'act'}('{found.id}')",
            found.label.en,
            show=False,
            id=found.id,
            system=found.id == "ctrl_c",
            priority=found.types,
        )
        for found in ACTIONS
        if found.on == on
    ]


def label_of(found: Action, view: View) -> str:
    """What the action would do now, in a word or three."""
    opposite = found.id == "pause" and view.held_by_user
    said = found.other_label if opposite and found.other_label is not None else found.label
    text = said.in_(view.lang)
    return to_ascii(text) if view.ascii_only else text


def offered(view: View, on: ScreenId) -> tuple[Action, ...]:
    """The actions that make sense on that screen, its own first."""
    own = tuple(found for found in ACTIONS if found.on == on)
    rest = (found for found in (*REPLAY_ACTIONS, *ACTIONS) if found.on is None)
    return tuple(found for found in (*own, *rest) if is_offered(found, view))


def is_offered(found: Action, view: View) -> bool:
    """Whether the action makes sense now."""
    return not refusal(found, view) and (found.only != "replay" or bool(view.replay))


def is_of_use(found: Action, view: View) -> bool:
    """Whether it makes sense and would do something: rules are set aside where one holds the run.
    The help tells of it at any time."""
    return is_offered(found, view) and (found.id != "override" or view.held_by_rules)


def refusal(found: Action, view: View) -> str:
    """Why the action makes no sense now, in one line; empty where it does.

    Who may only look changes nothing, nothing can be asked of a replay, of a run that has ended, of
    one without a supervisor or before anything of it is known, a stop never becomes gentler, and in
    ASCII there is one language.
    """
    texts = refusal_words(view.lang)
    if found.changes_run and view.read_only:
        return read_only_words(view.lang).refused
    if view.replay and (found.only == "live" or found.needs_supervisor):
        return texts.replay_report if found.id == "report_save" else texts.replay
    if view.replay and found.on == "runs":
        return texts.replay_runs
    if found.id == "language" and view.ascii_only:
        return texts.one_language
    of_supervisor = found.needs_supervisor or found.id == "supervise"
    if of_supervisor or found.needs_record:
        if view.headline.state == "loading":
            return texts.loading
        if view.headline.state == "waiting":
            return texts.waiting
    if found.on == "timeline" and view.run.engine == "imported":
        return timeline_words(view.lang).no_clock
    if not of_supervisor:
        return ""
    if view.outcome is not None:
        return view.words.already_ended
    if view.run.engine == "imported":
        return texts.imported
    if found.id == "supervise":
        return "" if view.headline.state == "unsupervised" else texts.supervised
    if not view.run.supervised:
        return keyed(texts.unsupervised, view.keys)
    return texts.ending if view.stop is not None and _is_vain(found, view.stop) else ""


def _is_vain(found: Action, stop: StopMode) -> bool:
    """Whether a run that was told to stop in that way would refuse it: a stop never becomes
    gentler, and from a checkpoint on nothing is left to hold."""
    if found.id == "stop":
        return True
    if found.id == "stop_now":
        return stop in ("now", "kill")
    return found.id in ("pause", "override") and stop != "after_checkpoint"
