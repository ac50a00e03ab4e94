"""The overview: is it going well, is it cool, when is it done, may I stop it."""

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Grid

from timellm_dashboard.actions import ScreenId, bindings
from timellm_dashboard.screens.run_screen import RunScreen
from timellm_dashboard.viewmodel.view import View
from timellm_dashboard.widgets.feed import FeedPanel
from timellm_dashboard.widgets.overview import (
    CheckpointsPanel,
    EpochsPanel,
    GpuPanel,
    LossPanel,
    ProgressBars,
)
from timellm_dashboard.widgets.panel import Panel


class OverviewScreen(RunScreen):
    """Everything essential, on 80 × 24 cells and more."""

    screen_id: ClassVar[ScreenId] = "overview"
    AUTO_FOCUS = "FeedPanel"
    BINDINGS: ClassVar[list[BindingType]] = [*bindings("overview")]

    def __init__(self) -> None:
        super().__init__()
        self._progress = ProgressBars(id="progress")
        self._panels: tuple[Panel, ...] = (
            LossPanel(id="loss", classes="panel"),
            GpuPanel(id="gpu", classes="panel"),
            EpochsPanel(id="epochs", classes="panel"),
            CheckpointsPanel(id="checkpoints", classes="panel"),
        )
        self._feed = FeedPanel(id="feed")

    def body(self) -> ComposeResult:
        """The panels, in the order in which they are read."""
        yield self._progress
        with Grid(id="panels"):
            yield from self._panels
            yield self._feed

    def show_body(self, view: View) -> None:
        """Show `view` from now on."""
        for panel in (self._progress, *self._panels):
            panel.show(view)
        self._feed.show(view)
