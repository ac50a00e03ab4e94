"""What `S` would do and cost now: how the engine is ended, and what a kill would lose."""

from timellm_dashboard.viewmodel.view import View
from timellm_dashboard.words import format as fmt
from timellm_dashboard.words.keys import keyed
from timellm_dashboard.words.stopping import StoppingWords, stopping_words


def stop_now_lines(view: View, grace_s: float | None) -> tuple[str, ...]:
    """What is done, what it costs, and what would be gentler.

    `grace_s`: seconds between SIGTERM and SIGKILL; `None`: not known here. At SIGTERM our own
    engine saves at its next step; steps are lost only where it does not come to one in time.
    """
    stopping = stopping_words(view.lang)
    if view.headline.state == "restarting":
        return stopping.ask_not_again, stopping.gentler_not_again
    grace = stopping.grace if grace_s is None else fmt.duration(grace_s, view.words)
    if view.run.engine == "foreign":
        killed = stopping.killed_after.format(grace=grace)
        cost = _cost_of_a_script(view, stopping)
        return f"{stopping.ask_script} {killed}", cost, keyed(stopping.gentler_script, view.keys)
    loading = view.headline.state in ("waiting", "starting")
    free = view.checkpoints.at_risk.value == 0
    if view.checkpoints.no_room and not free and not loading:
        cost = stopping.no_room_cost.format(steps=view.checkpoints.at_risk.text)
        return stopping.ask_no_room, f"{stopping.killed_after.format(grace=grace)} {cost}"
    cost = stopping.if_killed_free if free else stopping.if_killed
    return (
        stopping.ask_once_loaded if loading else stopping.ask_saves,
        cost.format(grace=grace, steps=view.checkpoints.at_risk.text),
        keyed(stopping.gentler, view.keys),
    )


def _cost_of_a_script(view: View, stopping: StoppingWords) -> str:
    at_risk, best = view.checkpoints.at_risk, view.checkpoints.best
    if at_risk.value == 0:
        return view.words.safe_nothing_yet if best is None else stopping.script_free
    template = stopping.script_cost_unsaved if best is None else stopping.script_cost
    return template.format(steps=at_risk.text)
