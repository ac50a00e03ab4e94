"""Textual's way of drawing into a pipe, for a dashboard in a browser."""

from textual.drivers.web_driver import WebDriver
from textual.messages import ExitApp


class ServedDriver(WebDriver):
    """Ends the dashboard when its input ends: whoever served it is gone, however that came."""

    def run_input_thread(self) -> None:
        """Read until there is nothing more to come."""
        super().run_input_thread()
        if not self.exit_event.is_set():
            self._app.post_message(ExitApp())
