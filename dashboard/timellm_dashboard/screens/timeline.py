"""Loss, temperature, power and the supervisor's actions on one time axis."""

from datetime import datetime
from typing import ClassVar, assert_never

from msgspec import convert
from textual.app import ComposeResult
from textual.binding import BindingType

from timellm_dashboard.actions import ScreenId, bindings
from timellm_dashboard.actions.timeline import TimelineActionId
from timellm_dashboard.screens.run_screen import RunScreen
from timellm_dashboard.viewmodel.view import View
from timellm_dashboard.widgets.panel import Past
from timellm_dashboard.widgets.timeline import LedgerPanel, TimelinePanel


class TimelineScreen(RunScreen):
    """What was measured and what was done about it, and what that has cost."""

    screen_id: ClassVar[ScreenId] = "timeline"
    BINDINGS: ClassVar[list[BindingType]] = [*bindings("timeline")]

    def __init__(self, past: Past) -> None:
        super().__init__()
        self._timeline = TimelinePanel(past, id="tracks", classes="panel")
        self._ledger = LedgerPanel(id="ledger")

    def body(self) -> ComposeResult:
        """The tracks, and the ledger below them."""
        yield self._timeline
        yield self._ledger

    def show_body(self, view: View) -> None:
        """Show `view` from now on."""
        self._timeline.show(view)
        self._ledger.show(view)

    def look_at(self, at: datetime | None) -> None:
        """Put the cursor there."""
        self._timeline.show_moment(at)

    def act(self, action_id: str) -> None:
        """Look elsewhere."""
        seen, asked = self._timeline, convert(action_id, TimelineActionId)
        match asked:
            case "timeline_left":
                seen.move(-1)
            case "timeline_right":
                seen.move(1)
            case "timeline_zoom_in":
                seen.zoom(1)
            case "timeline_zoom_out":
                seen.zoom(-1)
            case "timeline_earlier":
                seen.pan(-1)
            case "timeline_later":
                seen.pan(1)
            case "timeline_next_mark":
                seen.move_to_mark(1)
            case "timeline_previous_mark":
                seen.move_to_mark(-1)
            case "timeline_whole":
                seen.look_at(seen.focus_on.whole())
            case "timeline_now":
                seen.look_at(seen.focus_on.following())
            case "timeline_log":
                self.post_message(self.Shows("log", seen.moment))
            case _:
                assert_never(asked)
