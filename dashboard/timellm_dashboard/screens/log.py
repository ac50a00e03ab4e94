"""The raw stream of the engine: follow, search, filter, wrap, copy."""

from datetime import datetime, tzinfo
from typing import ClassVar, Literal, assert_never

from msgspec import convert
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal

from timellm_dashboard.actions import ScreenId, bindings
from timellm_dashboard.actions.log import LogActionId
from timellm_dashboard.log.file import LogFile
from timellm_dashboard.log.goto import goal_of
from timellm_dashboard.log.search import BadPatternError, Finder, finder
from timellm_dashboard.screens.run_screen import RunScreen
from timellm_dashboard.services import Services
from timellm_dashboard.viewmodel.view import View
from timellm_dashboard.widgets.panel import Past
from timellm_dashboard.widgets.prompt import Prompt
from timellm_dashboard.widgets.timedlog import MomentPanel, TimedLog
from timellm_dashboard.words.ascii import to_ascii
from timellm_dashboard.words.log import LogWords, log_words
from timellm_dashboard.words.logtimes import LogTimesWords, log_times_words
from timellm_ops.contract.counting import Count

Purpose = Literal["search", "filter", "goto"]
"""What somebody types."""


class LogScreen(RunScreen):
    """What the engine has printed, of any length."""

    screen_id: ClassVar[ScreenId] = "log"
    AUTO_FOCUS = "LogPanel"
    BINDINGS: ClassVar[list[BindingType]] = [*bindings("log")]

    def __init__(self, services: Services, past: Past, zone: tzinfo | None = None) -> None:
        super().__init__()
        self._view: View | None = None
        self._log = TimedLog(
            None if services.log is None else LogFile(services.log),
            end=services.log_end,
            times=services.log_times,
            zone=zone,
            id="log",
        )
        self._moment = MomentPanel(past, self._log, id="log-moment")
        self._prompt = Prompt(id="log-prompt")

    def body(self) -> ComposeResult:
        """The lines, on a wide screen with the moment of the cursor beside them, and where to type
        what to search for."""
        yield Horizontal(self._log, self._moment, id="log-both")
        yield self._prompt

    def show_body(self, view: View) -> None:
        """Show `view` from now on."""
        self._view = view
        self._log.show(view)
        self._moment.show(view)

    def on_timed_log_moved(self) -> None:
        """Tell of the line of the cursor."""
        self._moment.look_again()

    @property
    def _words(self) -> LogWords:
        view = self._view
        return log_words("en") if view is None else log_words(view.lang, ascii_only=view.ascii_only)

    def look_at(self, at: datetime | None) -> None:
        """Go to what was printed at that moment."""
        if at is None:
            self._log.action_follow()
        else:
            self._log.go_to(at)

    @property
    def _times_words(self) -> LogTimesWords:
        view = self._view
        if view is None:
            return log_times_words("en")
        return log_times_words(view.lang, ascii_only=view.ascii_only)

    def act(self, action_id: str) -> None:
        """Do what the registry has for this screen alone."""
        asked: LogActionId = convert(action_id, LogActionId)
        words = self._words
        match asked:
            case "log_search":
                self._prompt.ask("search", words.ask_search, hint=words.ask_hint)
            case "log_filter":
                self._prompt.ask("filter", words.ask_filter, hint=words.ask_hint)
            case "log_goto":
                self._prompt.ask("goto", self._times_words.ask, hint=self._times_words.hint)
            case "log_timeline":
                self._to_timeline()
            case "log_times":
                self._log.toggle_times()
            case "log_follow":
                self._log.action_follow()
            case "log_copy":
                self._copy()
            case "log_mark":
                self._log.mark()
            case "log_next":
                self._log.search(None, words)
            case "log_previous":
                self._log.search(None, words, forward=False)
            case "log_wrap":
                self._log.wrap()
            case "log_cancel":
                if self._prompt.asking:
                    self._close()
                else:
                    self._log.cancel(words)
            case _:
                assert_never(asked)

    def on_prompt_answered(self, message: Prompt.Answered) -> None:
        """Search, filter or go somewhere; a pattern that is none is said, and may be mended."""
        purpose = convert(message.purpose, Purpose)
        if purpose == "goto":
            self._go_to(message.text)
            return
        wanted: Finder | None = None
        if message.text:
            try:
                wanted = finder(message.text)
            except BadPatternError as error:
                told = self._words.bad_pattern.format(text=message.text, error=error)
                self._prompt.complain(self._shown(told))
                return
        self._close()
        if purpose == "search":
            self._log.search(wanted, self._words)
        else:
            self._log.filter(wanted, self._words)

    def _go_to(self, text: str) -> None:
        goal = goal_of(text) if text else None
        if text and goal is None:
            self._prompt.complain(self._shown(self._times_words.bad_goal.format(text=text)))
            return
        self._close()
        if goal is not None:
            self._log.go_to(goal)

    def _to_timeline(self) -> None:
        at = None if self._log.follows else self._log.moment
        if at is None and not self._log.follows:
            self._notify(self._times_words.no_time)
            return
        self.post_message(self.Shows("timeline", at))

    def on_prompt_given_up(self) -> None:
        """Nothing is searched for."""
        self._close()

    def _close(self) -> None:
        self._prompt.close()
        self.set_focus(self._log)

    def _copy(self) -> None:
        text, lines, of_lines = self._log.copied()
        words = self._words
        if not of_lines:
            self._notify(words.nothing_to_copy)
            return
        self.app.copy_to_clipboard(text)
        told = words.copied if lines == of_lines else words.copied_part
        self._notify(told.format(lines=Count(lines), all=Count(of_lines)))

    def _notify(self, text: str) -> None:
        self.notify(self._shown(text), markup=False)

    def _shown(self, text: str) -> str:
        return to_ascii(text) if self._view is not None and self._view.ascii_only else text
