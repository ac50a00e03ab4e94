"""How long an evaluation takes, and how much of the one under way is left. Pure."""

from timellm_dashboard.history import History
from timellm_dashboard.moment import Moment
from timellm_ops.contract.state import RunState


def evaluation_s(state: RunState, history: History) -> float | None:
    """Seconds that an epoch's evaluation takes, by the latest one that was measured; before the
    first, by the engine's trial of a few windows, slowed down as its steps are."""
    measured = [row.evaluation_seconds for row in state.rows if row.evaluation_seconds is not None]
    if measured:
        return measured[-1]
    if history.evaluation_s is not None or not state.windows_per_second:
        return history.evaluation_s
    windows = (state.vali_samples or 0) + _tested(state)
    return windows / state.windows_per_second / state.duty


def evaluated_s(state: RunState, history: History, moment: Moment) -> float:
    """Seconds for which the evaluation under way has been under way."""
    if state.evaluation is None or history.evaluation_started_s is None:
        return 0.0
    passed_s = state.active_s - history.evaluation_started_s
    return passed_s if state.standing else passed_s + (moment.since(state.t) or 0.0)


def is_final_test(state: RunState) -> bool:
    """Whether the evaluation under way is the test after the last epoch, with its results told."""
    ended = any(row.epoch == state.epoch for row in state.rows)
    return state.evaluation is not None and state.evaluation.split == "test" and ended


def evaluation_left_s(state: RunState, history: History, moment: Moment) -> float | None:
    """Seconds of the evaluation under way that are left, all its splits counted, by the share of
    its windows that are done; `None`: there is none, or nothing to tell it by."""
    at, vali = state.evaluation, state.vali_samples or 0
    if at is None or not at.total:
        return None
    whole_s, final = evaluation_s(state, history), is_final_test(state)
    windows, done = at.total, at.done
    if not final and at.split == "vali":
        windows += _tested(state)
    elif not final:
        windows, done = vali + at.total, vali + at.done
    left = max(0.0, 1.0 - done / windows)
    if whole_s is not None and final:
        usual = vali + _tested(state)
        whole_s = whole_s * windows / usual if usual else None
    if whole_s is not None:
        return whole_s * left
    return evaluated_s(state, history, moment) * left / (1.0 - left) if done else None


def _tested(state: RunState) -> int:
    """Test windows that are evaluated at an epoch's end."""
    return (state.test_samples or 0) if state.test == "each_epoch" else 0
