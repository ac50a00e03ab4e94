"""The panels of the overview."""

from timellm_dashboard.lines import Line
from timellm_dashboard.panels.checkpoints import draw_checkpoints
from timellm_dashboard.panels.epochs import draw_epochs, epochs_title
from timellm_dashboard.panels.gpu import draw_gpu, gpu_title
from timellm_dashboard.panels.loss import draw_loss
from timellm_dashboard.panels.progress import draw_progress
from timellm_dashboard.view import View
from timellm_dashboard.widgets.panel import Panel


class ProgressBars(Panel):
    """How far, and how much longer."""

    def draw(self, view: View, width: int, height: int) -> list[Line]:
        """Two rows, and a third where there is room."""
        return draw_progress(view, width, height)


class LossPanel(Panel, can_focus=True):
    """The loss chart."""

    _charted: tuple[object, ...] = ()
    _chart: list[Line] = []  # noqa: RUF012 - never changed, only replaced

    def draw(self, view: View, width: int, height: int) -> list[Line]:
        """Values above, chart below. Drawn anew when there is more to chart, not twice a second."""
        charted = (view.charts.loss, view.charts.smoothed_loss, view.lang, width, height)
        if charted != self._charted:
            self._charted = charted
            self._chart = draw_loss(view, width, height)
        return self._chart

    def title(self, view: View, width: int) -> str:  # noqa: ARG002
        """What is charted."""
        return view.words.loss_title


class EpochsPanel(Panel, can_focus=True):
    """The table of epochs."""

    def draw(self, view: View, width: int, height: int) -> list[Line]:
        """The latest epochs and the best."""
        return draw_epochs(view, width, height)

    def title(self, view: View, width: int) -> str:
        """What the marks mean."""
        return epochs_title(view, width)


class GpuPanel(Panel, can_focus=True):
    """The GPU card."""

    def draw(self, view: View, width: int, height: int) -> list[Line]:
        """Temperature first."""
        return draw_gpu(view, width, height)

    def title(self, view: View, width: int) -> str:
        """Which card."""
        return gpu_title(view, width)


class CheckpointsPanel(Panel, can_focus=True):
    """What is on disk, and whether it is safe to stop."""

    def draw(self, view: View, width: int, height: int) -> list[Line]:
        """The answer first."""
        return draw_checkpoints(view, width, height)

    def title(self, view: View, width: int) -> str:  # noqa: ARG002
        """That all of it is on disk."""
        return view.words.checkpoints_title
