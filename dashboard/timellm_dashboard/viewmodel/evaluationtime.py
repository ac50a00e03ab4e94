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
    trial of a few windows, and soon by how long the first has taken itself: since the trial other
    work on the machine may have slowed it down many times."""
    expected_s = history.interludes.expected_s(history.steps.work_of_late_s)
    if expected_s is not None:
        return expected_s
    measured = [row.evaluation_seconds for row in state.rows if row.evaluation_seconds is not None]
    if measured:
        return measured[-1] * history.steps.duty
    if not state.windows_per_second:
        return None
    tried_s = ((state.vali_samples or 0) + _tested(state)) / state.windows_per_second
    left, told_s = _share_left(state), history.interludes.told_s
    if left is None or left >= 1.0 or told_s <= 0.0:
        return tried_s
    return tried_s + _trust(left) * (told_s / (1.0 - left) - tried_s)


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
    left = _share_left(state)
    if state.evaluation is None or left is None:
        return None
    whole_s = evaluation_s(state, history)
    if whole_s is not None and is_final_test(state):
        usual = (state.vali_samples or 0) + _tested(state)
        whole_s = whole_s * state.evaluation.total / usual if usual else None
    told_s = history.interludes.told_s
    if left < 1.0 and told_s > 0.0:
        measured_s = told_s / (1.0 - left)
        if whole_s is None:
            whole_s = measured_s
        else:
            measured_s = min(max(measured_s, whole_s / _MOST_TIMES), whole_s * _MOST_TIMES)
            whole_s += _trust(left) * (measured_s - whole_s)
    if whole_s is None:
        return None
    since_s = max(0.0, evaluated_s(state, history, moment) - told_s)
    return max(0.0, whole_s * left - since_s) / history.steps.duty


def _share_left(state: RunState) -> float | None:
    """What is left of the evaluation under way, all its splits counted, as a share of it."""
    at, vali = state.evaluation, state.vali_samples or 0
    if at is None or not at.total:
        return None
    windows, done = at.total, at.done
    if not is_final_test(state):
        if at.split == "vali":
            windows += _tested(state)
        else:
            windows, done = vali + at.total, vali + at.done
    return max(0.0, 1.0 - done / windows)


def _trust(left: float) -> float:
    """How far an evaluation of which that share is left tells by itself how long it takes."""
    return min(1.0, _TELLS_BY_ITSELF * (1.0 - left))


def _tested(state: RunState) -> int:
    """Test windows that are evaluated at an epoch's end."""
    return (state.test_samples or 0) if state.test == "each_epoch" else 0
