"""The dashboard on a terminal: a client that reads the journal and sends requests. It may be
closed, or die, at any time, and never touches the run."""

import asyncio
import contextlib
from collections.abc import Callable, Iterable
from datetime import datetime, tzinfo
from typing import ClassVar, Literal

import msgspec
from textual.app import App, SystemCommand
from textual.binding import Binding, BindingType
from textual.command import CommandPalette, SearchIcon
from textual.screen import Screen

from timellm_dashboard.actions import ACTIONS, ActionId, label_of, offered
from timellm_dashboard.asciitext import to_ascii
from timellm_dashboard.look import LimitsOf, Look
from timellm_dashboard.moment import Moment
from timellm_dashboard.phrases import said
from timellm_dashboard.screens.confirm import OverrideScreen, StopNowScreen
from timellm_dashboard.screens.help import HelpScreen
from timellm_dashboard.screens.overview import OverviewScreen
from timellm_dashboard.source import POLL_S, RunSource
from timellm_dashboard.text import Lang
from timellm_dashboard.themes import DARK, LIGHT
from timellm_dashboard.view import Recorder, View
from timellm_dashboard.widgets.keybar import KeyButton
from timellm_ops.contract.commands import (
    DEFAULT_OVERRIDE_S,
    AnyRequest,
    PauseRun,
    ResumeRun,
    StopRun,
)
from timellm_ops.contract.events import JournalRecord
from timellm_ops.contract.state import RunState

_BATCH = 1000
"""Records taken in between two chances for the screen to live."""
_WHO = "dashboard"


class Palette(CommandPalette):
    """Textual's command palette, with a search sign that every terminal has."""

    def on_mount(self) -> None:
        """Change the sign."""
        self.query_one(SearchIcon).icon = "> "


class Dashboard(App[None]):
    """Follows one run."""

    CSS_PATH = "app.tcss"
    TITLE = "timellm-ops"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(
            ",".join(action.keys),
            action.binding or f"act('{action.id}')",
            action.label.en,
            show=False,
            system=action.id == "ctrl_c",
        )
        for action in ACTIONS
    ]

    def __init__(
        self,
        source: RunSource,
        look: Look,
        *,
        now: Callable[[], datetime],
        monotonic: Callable[[], float],
        refresh_s: float = POLL_S,
    ) -> None:
        super().__init__()
        self._source, self._look = source, look
        self._now, self._monotonic, self._refresh_s = now, monotonic, refresh_s
        self.recorder = Recorder()
        self._backlog = True
        self._supervised = True
        self._wake = asyncio.Event()
        self._problem = ""
        self.overview = OverviewScreen()
        self.register_theme(DARK)
        self.register_theme(LIGHT)
        self.theme = DARK.name
        if look.ascii_only:
            self.add_class("-ascii")

    @property
    def loaded(self) -> bool:
        """Whether the journal has been read once."""
        return not self._backlog

    @property
    def view(self) -> View:
        """The run as it is now."""
        moment = Moment(t=self._monotonic(), wall=self._now(), supervised=self._supervised)
        return self.recorder.view(moment, self._look, loading=self._backlog)

    def on_mount(self) -> None:
        """Show something at once, then follow the run."""
        self.push_screen(self.overview)
        self.call_after_refresh(self._show)
        self.run_worker(self._follow(), group="follow")

    async def _follow(self) -> None:
        """Read what is new, twice a second, and show it. Reading happens on another thread."""
        while True:
            try:
                # Asked first: what a supervisor wrote before it went is then among the records.
                supervised = await asyncio.to_thread(self._source.supervised)
                while records := await asyncio.to_thread(self._source.poll):
                    await self._take(records)
                self._supervised, self._backlog, self._problem = supervised, False, ""
            except OSError as error:
                self._complain(str(error))
            self._show()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._wake.wait(), self._refresh_s)
            self._wake.clear()

    async def _take(self, records: list[JournalRecord]) -> None:
        for start in range(0, len(records), _BATCH):
            self.recorder.take(records[start : start + _BATCH])
            await asyncio.sleep(0)

    def _complain(self, problem: str) -> None:
        if problem != self._problem:
            self._problem = problem
            self._notify(problem, error=True)

    def _show(self) -> None:
        self.overview.show(self.view)

    def _notify(self, message: str, *, error: bool = False) -> None:
        text = said(message, self._look.shown_lang)
        shown = to_ascii(text) if self._look.ascii_only else text
        self.notify(shown, severity="error" if error else "information", markup=False)

    # --- actions ---------------------------------------------------------------------------------

    def get_system_commands(self, screen: Screen[object]) -> Iterable[SystemCommand]:  # noqa: ARG002
        """The palette's commands: those of the registry."""
        view = self.view
        for action in offered(view):
            if action.in_palette:
                text = action.help.in_(view.lang)
                act = self._doing(action.id)
                yield SystemCommand(label_of(action, view), text, act)

    def _doing(self, action_id: ActionId) -> Callable[[], None]:
        return lambda: self.action_act(action_id)

    def on_key_button_pressed(self, message: KeyButton.Pressed) -> None:
        """A click in the last row."""
        if message.action_id == "palette":
            self.action_command_palette()
        else:
            self.action_act(message.action_id)

    def action_act(self, action_id: ActionId) -> None:
        """Do what the registry calls `action_id`."""
        match action_id:
            case "pause":
                held = self.view.held_by_user
                self._request(ResumeRun(who=_WHO) if held else PauseRun(who=_WHO))
            case "stop":
                self._request(StopRun(who=_WHO, mode="after_checkpoint"))
            case "stop_now":
                self._ask_to_stop_now()
            case "override":
                self._ask_to_override()
            case "leave":
                self.exit()
            case "help":
                self.push_screen(HelpScreen(self.view))
            case "language":
                self._switch_language()
            case "theme":
                self.theme = LIGHT.name if self.theme == DARK.name else DARK.name
            case "palette":
                self.action_command_palette()
            case "ctrl_c":
                self.action_help_quit()

    def action_help_quit(self) -> None:
        """Ctrl+C ends nothing; it says what does."""
        self._notify(self.view.words.ctrl_c)

    def action_command_palette(self) -> None:
        """Open the palette, unless it is open."""
        if not isinstance(self.screen, CommandPalette):
            self.push_screen(Palette(placeholder=self.view.words.palette))

    def _switch_language(self) -> None:
        if self._look.ascii_only:
            return
        other: Lang = "en" if self._look.lang == "zh" else "zh"
        self._look = msgspec.structs.replace(self._look, lang=other)
        self._show()

    def _ask_to_stop_now(self) -> None:
        view = self.view
        if view.outcome is not None:
            self._notify(view.words.already_ended)
            return

        def answered(yes: bool | None) -> None:
            if yes:
                self._request(StopRun(who=_WHO, mode="now"))

        self.push_screen(StopNowScreen(view), answered)

    def _ask_to_override(self) -> None:
        view = self.view
        if view.outcome is not None or not view.held_by_rules:
            ended = view.outcome is not None
            self._notify(view.words.already_ended if ended else view.words.override_none)
            return

        def answered(yes: bool | None) -> None:
            if yes:
                self._request(ResumeRun(who=_WHO, for_s=DEFAULT_OVERRIDE_S))

        self.push_screen(OverrideScreen(view), answered)

    def _request(self, request: AnyRequest) -> None:
        """Ask the supervisor without holding up the screen; its answer becomes a notice."""
        view = self.view
        if view.outcome is not None:
            self._notify(view.words.already_ended)
            return
        self.run_worker(self._send(request), group="send")

    async def _send(self, request: AnyRequest) -> None:
        try:
            reply = await asyncio.to_thread(self._source.send, request)
        except OSError as error:
            self._notify(self.view.words.not_sent.format(error=error), error=True)
            return
        self._notify(reply.message, error=not reply.ok)
        self._wake.set()


def run_dashboard(
    source: RunSource,
    *,
    lang: Literal["en", "zh"],
    ascii_only: bool,
    now: Callable[[], datetime],
    monotonic: Callable[[], float],
    zone: tzinfo | None = None,
    limits: LimitsOf | None = None,
) -> RunState:
    """Show the run until the person leaves; its last known state.

    `now` gives any aware time; it is shown in `zone`, which is the machine's own if absent.
    `limits` tells the thermal limits in force for a card, so that they can be marked.
    """
    look = Look(lang=lang, ascii_only=ascii_only, zone=zone, limits=limits)
    app = Dashboard(source, look, now=now, monotonic=monotonic)
    app.run()
    return app.recorder.state
