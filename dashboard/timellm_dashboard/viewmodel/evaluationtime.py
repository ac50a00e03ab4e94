"""How long an evaluation takes, and how much of the one under way is left. Pure."""

from timellm_dashboard.folds.history import History
from timellm_dashboard.moment import Moment
from timellm_ops.contract.state import RunState

_TELLS_BY_ITSELF = 3.0
"""An evaluation of which a third is done needs no other to tell how long it takes."""
_MOST_TIMES = 2.0
"""One that has taken more than so many times what it should have stood still for a while."""


def evaluation_s(state: RunState, history: History) -> float | None:
    """Seconds of work from an epoch's last step to the next epoch, as measured by the journal's
    clock, or of its evaluation as the engine has measured it; before the first, by the engine's
    trial of a few windows."""
    expected_s = history.interludes.expected_s(history.steps.work_of_late_s)
    if expected_s is not None:
        return expected_s
    measured = [row.evaluation_seconds for row in state.rows if row.evaluation_seconds is not None]
    if measured:
        return measured[-1] * history.steps.duty
    if not state.windows_per_second:
        return None
    return ((state.vali_samples or 0) + _tested(state)) / state.windows_per_second


def evaluated_s(state: RunState, history: History, moment: Moment) -> float:
    """Seconds of work for which the evaluation under way has been under way."""
    if state.evaluation is None:
        return 0.0
    since_s = 0.0 if state.standing else moment.since(state.t) or 0.0
    return history.interludes.under_way_s + since_s * state.duty


def is_final_test(state: RunState) -> bool:
    """Whether the evaluation under way is the test after the last epoch, with its results told."""
    ended = any(row.epoch == state.epoch for row in state.rows)
    return state.evaluation is not None and state.evaluation.split == "test" and ended


def evaluation_left_s(state: RunState, history: History, moment: Moment) -> float | None:
    """Seconds until the evaluation under way is done, all its splits counted, by the share of its
    windows that are done: by how long others took, and soon by how long it has taken itself.
    `None`: there is none, or nothing to tell it by."""
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
    told_s = history.interludes.told_s
    if done and told_s > 0.0:
        measured_s = told_s / (1.0 - left)
        if whole_s is None:
            whole_s = measured_s
        else:
            measured_s = min(max(measured_s, whole_s / _MOST_TIMES), whole_s * _MOST_TIMES)
            told = min(1.0, _TELLS_BY_ITSELF * (1.0 - left))
            whole_s += told * (measured_s - whole_s)
    if whole_s is None:
        return None
    since_s = max(0.0, evaluated_s(state, history, moment) - told_s)
    return max(0.0, whole_s * left - since_s) / history.steps.duty


def _tested(state: RunState) -> int:
    """Test windows that are evaluated at an epoch's end."""
    return (state.test_samples or 0) if state.test == "each_epoch" else 0
