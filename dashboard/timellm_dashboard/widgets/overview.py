"""The panels of the overview."""

from datetime import datetime

from timellm_dashboard.lines import Line
from timellm_dashboard.panels.checkpoints import draw_checkpoints
from timellm_dashboard.panels.epochs import draw_epochs, epochs_title
from timellm_dashboard.panels.gpu import draw_gpu, gpu_title
from timellm_dashboard.panels.loss import loss_chart, loss_legend
from timellm_dashboard.panels.progress import draw_progress
from timellm_dashboard.viewmodel.view import View
from timellm_dashboard.widgets.panel import Panel


class ProgressBars(Panel):
    """How far, and how much longer."""

    WHILE_READING = "is empty"

    def draw(self, view: View, width: int, height: int) -> list[Line]:
        """Two rows, and a third where there is room."""
        return draw_progress(view, width, height)


class LossPanel(Panel, can_focus=True):
    """The loss chart."""

    WHILE_READING = "says so"
    _EVERY_S = 3.0
    _AT_ONCE = 256
    """Up to so many points a chart is drawn with every step that is told, as the values above it
    are: one point more can be seen, and so few are drawn in no time."""
    _framed: tuple[object, ...] = ()
    _steps = 0.0
    _drawn_at: datetime | None = None
    _chart: list[Line] = []  # noqa: RUF012 - never changed, only replaced

    def draw(self, view: View, width: int, height: int) -> list[Line]:
        """Values above; chart below, a long one drawn anew every few seconds."""
        framed = (view.lang, view.ascii_only, view.outcome, width, height)
        steps = view.charts.loss[-1].end if view.charts.loss else 0.0
        passed = None if self._drawn_at is None else view.at - self._drawn_at
        few = len(view.charts.loss) <= self._AT_ONCE
        due = few or passed is None or abs(passed.total_seconds()) >= self._EVERY_S
        if framed != self._framed or (steps != self._steps and due):
            self._framed, self._steps, self._drawn_at = framed, steps, view.at
            self._chart = loss_chart(view, width, height - 1)
        return [loss_legend(view), *self._chart]

    def title(self, view: View, width: int) -> str:  # noqa: ARG002
        """What is charted."""
        return view.loss.title


class EpochsPanel(Panel, can_focus=True):
    """The table of epochs."""

    WHILE_READING = "says so"

    def draw(self, view: View, width: int, height: int) -> list[Line]:
        """The latest epochs and the best."""
        return draw_epochs(view, width, height)

    def title(self, view: View, width: int) -> str:
        """What the marks mean."""
        return epochs_title(view, width)


class GpuPanel(Panel, can_focus=True):
    """The GPU card."""

    WHILE_READING = "says so"

    def draw(self, view: View, width: int, height: int) -> list[Line]:
        """Temperature first."""
        return draw_gpu(view, width, height)

    def title(self, view: View, width: int) -> str:
        """Which card."""
        return gpu_title(view, width)


class CheckpointsPanel(Panel, can_focus=True):
    """What is on disk, and whether it is safe to stop."""

    WHILE_READING = "says so"

    def draw(self, view: View, width: int, height: int) -> list[Line]:
        """The answer first."""
        return draw_checkpoints(view, width, height)

    def title(self, view: View, width: int) -> str:  # noqa: ARG002
        """That all of it is on disk."""
        return view.words.checkpoints_title
