"""The overview: is it going well, is it cool, when is it done, may I stop it."""

from textual.app import ComposeResult
from textual.containers import Grid
from textual.screen import Screen

from timellm_dashboard.view import View
from timellm_dashboard.widgets.feed import FeedPanel
from timellm_dashboard.widgets.keybar import KeyBar
from timellm_dashboard.widgets.overview import (
    CheckpointsPanel,
    EpochsPanel,
    GpuPanel,
    HeadlineBar,
    LossPanel,
    ProgressBars,
    TitleBar,
)
from timellm_dashboard.widgets.panel import Panel


class OverviewScreen(Screen[None]):
    """Everything essential, on 80 × 24 cells and more."""

    AUTO_FOCUS = "FeedPanel"

    def __init__(self) -> None:
        super().__init__()
        self.HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (110, "-normal"), (160, "-wide")]
        self._bars: tuple[Panel, ...] = (
            TitleBar(id="title"), HeadlineBar(id="headline"), ProgressBars(id="progress"),
        )  # fmt: skip
        self._panels: tuple[Panel, ...] = (
            LossPanel(id="loss", classes="panel"),
            GpuPanel(id="gpu", classes="panel"),
            EpochsPanel(id="epochs", classes="panel"),
            CheckpointsPanel(id="checkpoints", classes="panel"),
        )
        self._feed = FeedPanel(id="feed")
        self._keys = KeyBar(id="keys")
        self.VERTICAL_BREAKPOINTS = [(0, "-low"), (32, "-high")]

    def compose(self) -> ComposeResult:
        """The panels, in the order in which they are read."""
        yield from self._bars
        with Grid(id="panels"):
            yield from self._panels
            yield self._feed
        yield self._keys

    def show(self, view: View) -> None:
        """Show `view` from now on."""
        for panel in (*self._bars, *self._panels):
            panel.show(view)
        self._feed.show(view)
        self._keys.show(view)
