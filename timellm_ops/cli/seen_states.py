"""The state of a run as every command tells it, also where a list of many runs is asked for.

Most of it is in the `RunState`. Whether an engine is silent depends on how often it has spoken so
far, which only the whole journal tells: that is read for an engine that may be silent, and once for
each silence.
"""

import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from timellm_dashboard.folds.history import History
from timellm_dashboard.folds.silence import is_too_long
from timellm_dashboard.moment import Moment
from timellm_dashboard.viewmodel.headline import StateName, silent_for, state_seen
from timellm_dashboard.viewmodel.view import Recorder
from timellm_ops.client import RunClient
from timellm_ops.contract.layout import RunLayout
from timellm_ops.contract.state import RunState


class SeenStates:
    """Names the states of runs. Used by one thread at a time."""

    def __init__(self, now_t: Callable[[], float] = time.monotonic) -> None:
        self._now_t = now_t
        self._histories: dict[Path, tuple[float, History]] = {}
        """Of engines that may be silent, by the second of their newest word."""

    def name(self, layout: RunLayout, state: RunState, *, supervised: bool) -> StateName:
        """The state of the run of `layout`, whose journal comes to `state`."""
        name = state_seen(state, supervised=supervised)
        word_t, now_t = state.engine_word_t, self._now_t()
        if name not in ("training", "evaluating") or word_t is None:
            return name
        if not is_too_long(now_t - word_t, 0.0, state):  # nearly always: not even for the fastest
            self._histories.pop(layout.journal, None)
            return name
        moment = Moment(t=now_t, wall=datetime.now(UTC), supervised=True)
        silent = silent_for(state, self._history(layout, word_t), moment) is not None
        return "silent" if silent else name

    def _history(self, layout: RunLayout, word_t: float) -> History:
        known = self._histories.get(layout.journal)
        if known is None or known[0] != word_t:
            recorder = Recorder()
            recorder.take(RunClient(layout).all())
            known = self._histories[layout.journal] = (word_t, recorder.history)
        return known[1]
