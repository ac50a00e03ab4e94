"""The dashboard on a terminal: a client that reads the journal and sends requests. It may be
closed, or die, at any time, and never touches the run."""

import asyncio
import contextlib
from collections.abc import Callable, Iterable
from datetime import datetime, tzinfo
from functools import partial
from pathlib import Path
from typing import ClassVar, Literal, assert_never

import msgspec
from msgspec import convert
from textual.actions import SkipAction
from textual.app import App, SystemCommand
from textual.binding import BindingType
from textual.command import CommandPalette, SearchIcon
from textual.events import AppFocus, Event, InputEvent
from textual.notifications import SeverityLevel
from textual.screen import Screen
from textual.widgets import Input

from timellm_dashboard.actions import (
    SCREEN_ORDER,
    Action,
    RunActionId,
    ScreenId,
    action,
    bindings,
    is_of_use,
    label_of,
    offered,
    refusal,
)
from timellm_dashboard.actions.keymap import help_of, told_keys
from timellm_dashboard.attention import refresh_every_s
from timellm_dashboard.explain.explain import part_of
from timellm_dashboard.folds.history import History
from timellm_dashboard.jobcontrol import continue_well, leave_well
from timellm_dashboard.moment import Moment, state_at
from timellm_dashboard.reports.parts import Extras
from timellm_dashboard.reports.report import Report, build_report
from timellm_dashboard.screens.confirm import OverrideScreen, StopNowScreen
from timellm_dashboard.screens.help import HelpScreen
from timellm_dashboard.screens.log import LogScreen
from timellm_dashboard.screens.overview import OverviewScreen
from timellm_dashboard.screens.policies import PoliciesScreen
from timellm_dashboard.screens.report import ReportScreen
from timellm_dashboard.screens.run_screen import RunScreen
from timellm_dashboard.screens.runs import OpenRun, RunsScreen
from timellm_dashboard.screens.timeline import TimelineScreen
from timellm_dashboard.services import OpenedRun, Services
from timellm_dashboard.source import RunSource
from timellm_dashboard.taste import Taste
from timellm_dashboard.themes import DARK, LIGHT
from timellm_dashboard.viewmodel.look import LimitsOf, Look
from timellm_dashboard.viewmodel.rulerows import RulesOf
from timellm_dashboard.viewmodel.view import Recorder, View
from timellm_dashboard.widgets.background import begin_work
from timellm_dashboard.widgets.keybar import KeyButton
from timellm_dashboard.words.ascii import to_ascii
from timellm_dashboard.words.keys import keyed
from timellm_dashboard.words.phrases import said
from timellm_dashboard.words.read_only import read_only_words
from timellm_dashboard.words.refusals import refusal_words
from timellm_dashboard.words.runs import RunsWords, runs_words
from timellm_dashboard.words.text import Lang
from timellm_ops.contract.commands import (
    DEFAULT_OVERRIDE_S,
    AnyRequest,
    PauseRun,
    Reply,
    ResumeRun,
    StopRun,
)
from timellm_ops.contract.events import JournalRecord
from timellm_ops.contract.state import RunState

REFRESH_S = 1.0
"""Between two looks at the run, while somebody may be at the dashboard."""
_BATCH = 1000
"""Records taken in between two chances for the screen to live."""
_WHO = "dashboard"
NOTICE_S = 3.0
"""A notice stays for so long, and besides for as long as its text takes to read."""
_READ_PER_S = 25.0
"""Characters that somebody reads in a second."""


class Palette(CommandPalette):
    """Textual's command palette, with a search sign that every terminal has."""

    def on_mount(self) -> None:
        """Change the sign."""
        self.query_one(SearchIcon).icon = "> "


class Dashboard(App[None]):
    """Follows one run."""

    CSS_PATH = Path(__file__).with_name("app.tcss")  # subclasses live elsewhere
    TITLE = "timellm-ops"
    BINDINGS: ClassVar[list[BindingType]] = [*bindings(None)]

    def __init__(
        self,
        source: RunSource,
        look: Look,
        *,
        now: Callable[[], datetime],
        monotonic: Callable[[], float],
        refresh_s: float = REFRESH_S,
        services: Services | None = None,
        taste: Taste | None = None,
    ) -> None:
        """`look.read_only`: keys that would ask the supervisor are not offered, and nothing is ever
        sent to it."""
        super().__init__()
        taste = taste or Taste()
        self._own_keys = taste.keymap
        self.set_keymap({name: ",".join(keys) for name, keys in taste.keymap.items()})
        self._source = source
        self._look = msgspec.structs.replace(look, keys=told_keys(taste.keymap))
        self._now, self._monotonic, self._refresh_s = now, monotonic, refresh_s
        self.recorder = Recorder()
        self._backlog = True
        self._supervised = True
        self._wake = asyncio.Event()
        self._touched_t = 0.0
        self._problem = ""
        self._supervising = False
        self._here: ScreenId = "overview"
        self._services = services or Services()
        self._runs: RunsScreen | None = None
        self._screens = self._made_screens()
        self.register_theme(DARK)
        self.register_theme(LIGHT)
        self.theme = LIGHT.name if taste.light else DARK.name
        if look.ascii_only:
            self.add_class("-ascii")

    @property
    def loaded(self) -> bool:
        """Whether the journal has been read once."""
        return not self._backlog

    @property
    def view(self) -> View:
        """The run as it is now."""
        return self.recorder.view(self.moment, self._look, loading=self._backlog)

    @property
    def moment(self) -> Moment:
        """Now."""
        return Moment(t=self._monotonic(), wall=self._now(), supervised=self._supervised)

    @property
    def refresh_s(self) -> float:
        """Seconds from this look at the run to the next."""
        untouched_s = self._monotonic() - self._touched_t
        return refresh_every_s(self._refresh_s, untouched_s, self.recorder.state.device)

    async def on_event(self, event: Event) -> None:
        """Somebody is there: what they see is of now."""
        if isinstance(event, InputEvent | AppFocus):
            if self.refresh_s > self._refresh_s:
                self._wake.set()
            self._touched_t = self._monotonic()
        await super().on_event(event)

    def on_mount(self) -> None:
        """Show something at once, then follow the run."""
        self._touched_t = self._monotonic()
        self._install()
        self.push_screen(self._screens["overview"])
        self.call_after_refresh(self._show)
        begin_work(self, self._follow, group="follow")
        continue_well(self._draw_anew)
        if not self.is_headless:
            leave_well(self.exit)

    def _draw_anew(self) -> None:
        self.call_later(self.refresh, layout=True)

    def _made_screens(self) -> dict[ScreenId, RunScreen]:
        """The screens of one run. What they know of it is theirs, so another run has others; the
        list of all runs goes on as it stood."""
        before, self._runs = self._runs, RunsScreen(self._services)
        if before is not None:
            self._runs.take_over(before.standing)

        def past() -> tuple[History, Look]:
            return self.recorder.seen, self._look

        return {
            "overview": OverviewScreen(),
            "timeline": TimelineScreen(past),
            "log": LogScreen(self._services, past, self._look.zone),
            "policies": PoliciesScreen(past),
            "runs": self._runs,
            "report": ReportScreen(self._services, self._report),
        }

    def _install(self) -> None:
        """Keep the screens of this run while they are not seen."""
        for screen in self._screens.values():
            screen.keymap = self._own_keys
            self.install_screen(screen, str(id(screen)))

    def on_open_run(self, message: OpenRun) -> None:
        """Show another run in place of this one, from its beginning, on all screens."""
        if message.run_id == (self.recorder.state.run_id or self._look.run_id):
            self._notify(self._say_of_runs().already_shown)
            self.go_to("overview")
        elif self._services.open_run is not None:
            opening = partial(self._open_run, self._services.open_run, message.run_id)
            begin_work(self, opening, group="open", exclusive=True)

    def _say_of_runs(self) -> RunsWords:
        return runs_words(self._look.shown_lang, ascii_only=self._look.ascii_only)

    async def _open_run(self, find: Callable[[str], OpenedRun], run_id: str) -> None:
        try:
            opened = await asyncio.to_thread(find, run_id)
        except (OSError, LookupError) as error:
            self._notify(str(error), error=True)
            return
        await self._begin_anew(opened)
        self._notify(self._say_of_runs().opened.format(run=run_id))

    async def _begin_anew(self, opened: OpenedRun) -> None:
        for group in ("follow", "send"):
            self.workers.cancel_group(self, group)
        old = self._screens
        self._source, self._services = opened.source, opened.services
        self._look = msgspec.structs.replace(
            self._look, limits=opened.limits, rules=opened.rules, run_id=opened.run_id
        )
        self.recorder = Recorder()
        self._backlog, self._supervised, self._problem = True, True, ""
        self._screens, self._here = self._made_screens(), "overview"
        self._install()
        await self.switch_screen(self._screens["overview"])
        for screen in old.values():
            self.uninstall_screen(screen)
            if screen.is_running:
                await screen.remove()
        self._show()
        begin_work(self, self._follow, group="follow")

    async def _follow(self) -> None:
        """Read what is new, again and again, and show it. Reading happens on another thread."""
        while True:
            try:
                # Asked first: what a supervisor wrote before it went is then among the records.
                supervised = await asyncio.to_thread(self._source.supervised)
                while records := await asyncio.to_thread(self._source.poll):
                    await self._take(records)
                self.recorder.damaged = self._source.damaged()
                self._supervised, self._backlog, self._problem = supervised, False, ""
            except OSError as error:
                self._complain(str(error))
            self._show()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._wake.wait(), self.refresh_s)
            self._wake.clear()

    async def _take(self, records: list[JournalRecord]) -> None:
        for start in range(0, len(records), _BATCH):
            self.recorder.take(records[start : start + _BATCH])
            await asyncio.sleep(0)

    def _complain(self, problem: str) -> None:
        if problem != self._problem:
            self._problem = problem
            self._notify(problem, error=True)

    @property
    def run_screen(self) -> RunScreen:
        """The screen of the run that is seen, or lies under a question or the help."""
        return self._screens[self._here]

    def _show(self) -> None:
        # While one screen takes the place of another, the stack has neither for a moment.
        if self.run_screen.is_mounted:
            self.run_screen.show(self.view)

    def _notify(self, message: str, *, error: bool = False) -> None:
        text = said(message, self._look.shown_lang)
        shown = to_ascii(text) if self._look.ascii_only else text
        self.notify(shown, severity="error" if error else "information", markup=False)

    def notify(
        self,
        message: str,
        *,
        title: str = "",
        severity: SeverityLevel = "information",
        timeout: float | None = None,
        markup: bool = True,
    ) -> None:
        """A notice that stays for as long as it takes to read, if not for `timeout` seconds."""
        stays_s = timeout or NOTICE_S + len(message) / _READ_PER_S
        super().notify(message, title=title, severity=severity, timeout=stays_s, markup=markup)

    # --- actions ---------------------------------------------------------------------------------

    def get_system_commands(self, screen: Screen[object]) -> Iterable[SystemCommand]:  # noqa: ARG002
        """The palette's commands: those of the registry."""
        view = self.view
        for found in offered(view, self.run_screen.screen_id):
            if found.in_palette and is_of_use(found, view):
                text = help_of(found, view.lang, self._own_keys)
                yield SystemCommand(label_of(found, view), text, self._doing(found.id))

    def _doing(self, action_id: str) -> Callable[[], None]:
        return lambda: self.action_act(action_id)

    def on_key_button_pressed(self, message: KeyButton.Pressed) -> None:
        """A click on a key."""
        self.action_act(message.action_id)

    def action_act(self, action_id: str) -> None:
        """Do what the registry calls `action_id`."""
        asked = action(action_id)
        if why := self._refusal(asked):
            self._notify(why)
        elif asked.goes_to is not None:
            self.go_to(asked.goes_to)
        elif asked.on is not None:
            self.run_screen.act(asked.id)
        else:
            self._act_on_run(convert(asked.id, RunActionId))

    def _refusal(self, asked: Action) -> str:
        """Why it cannot be done now; empty where it can. Most can always be done, and for them no
        view is made."""
        state = self.recorder.state
        early = self._backlog or not state.run_id or state.engine == "imported"
        may_fail = asked.changes_run or asked.on == "runs" or asked.id == "language"
        if not may_fail and not (asked.needs_record and early):
            return ""
        return refusal(asked, self.view)

    def action_type(self, action_id: str) -> None:
        """Open a line to type in, before the next key is looked at: none may reach the run that
        was meant for the line. In a line, the key is a letter."""
        if isinstance(self.focused, Input):
            raise SkipAction
        self.action_act(action_id)

    def go_to(self, screen: ScreenId) -> None:
        """Show that screen."""
        if self._here != screen:
            self._here = screen
            self.switch_screen(self._screens[screen])
            self.call_after_refresh(self._show)

    def _go_on(self, by: int) -> None:
        here = SCREEN_ORDER.index(self._here)
        self.go_to(SCREEN_ORDER[(here + by) % len(SCREEN_ORDER)])

    def _act_on_run(self, action_id: RunActionId) -> None:
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
            case "supervise":
                self._supervise()
            case "leave":
                self.exit()
            case "help":
                self._help()
            case "language":
                self._switch_language()
            case "theme":
                self.theme = LIGHT.name if self.theme == DARK.name else DARK.name
            case "palette":
                self.action_command_palette()
            case "next_screen":
                self._go_on(1)
            case "previous_screen":
                self._go_on(-1)
            case "ctrl_c":
                self.action_help_quit()
            case _:
                assert_never(action_id)

    def _help(self) -> None:
        """The help, from what is focused on."""
        focused = self.screen.focused
        at = part_of(focused.id) if focused is not None and focused.id else ""
        ask, state = self._services.facts, state_at(self.recorder.state, self.moment)
        step_s = self.view.progress.mean_speed.value
        self.push_screen(
            HelpScreen(
                self.view,
                self.run_screen.screen_id,
                self._own_keys,
                at=at,
                facts=None if ask is None else lambda: ask(state, step_s),
            )
        )

    def _report(self, view: View, extras: Extras) -> Report:
        recorder = self.recorder
        return build_report(view, recorder.state, recorder.seen, self._look, extras)

    def action_help_quit(self) -> None:
        """Ctrl+C ends nothing; it says what does."""
        view = self.view
        texts, told = refusal_words(view.lang), view.words.ctrl_c
        if self._look.read_only:
            told = read_only_words(view.lang).ctrl_c
        elif view.replay:
            told = texts.ctrl_c_replay
        elif view.headline.state in ("loading", "waiting"):
            told = texts.ctrl_c_early
        elif view.outcome is not None:
            told = view.words.ctrl_c_ended
        elif view.headline.state == "unsupervised":
            told = texts.ctrl_c_alone
        self._notify(keyed(told, view.keys))

    def action_command_palette(self) -> None:
        """Open the palette, unless it is open."""
        if not isinstance(self.screen, CommandPalette):
            self.push_screen(Palette(placeholder=self.view.words.palette))

    def _switch_language(self) -> None:
        other: Lang = "en" if self._look.lang == "zh" else "zh"
        self._look = msgspec.structs.replace(self._look, lang=other)
        self._show()

    def _ask_to_stop_now(self) -> None:
        view = self.view

        def answered(yes: bool | None) -> None:
            if yes:
                self._request(StopRun(who=_WHO, mode="now"))

        grace_of = self._services.stop_grace_s
        grace_s = None if grace_of is None else grace_of()
        self.push_screen(StopNowScreen(view, grace_s), answered)

    def _ask_to_override(self) -> None:
        view = self.view
        if not view.held_by_rules:
            self._notify(view.words.override_none)
            return

        def answered(yes: bool | None) -> None:
            if yes:
                self._request(ResumeRun(who=_WHO, for_s=DEFAULT_OVERRIDE_S))

        self.push_screen(OverrideScreen(view), answered)

    def _supervise(self) -> None:
        """Start a supervisor, on a thread; one at a time."""
        texts, start = refusal_words(self.view.lang), self._services.supervise
        if start is None:
            self._notify(texts.by_command.format(run=self.view.run.run_id))
            return
        if self._supervising:
            return
        self._supervising = True
        self._notify(texts.supervising)

        async def supervise() -> None:
            try:
                await asyncio.to_thread(start)
            except OSError as error:
                self._notify(texts.not_taken_over.format(error=error), error=True)
            else:
                self._notify(texts.taken_over)
            finally:
                self._supervising = False
            self._wake.set()

        begin_work(self, supervise, group="supervise")

    def on_run_screen_asks(self, message: RunScreen.Asks) -> None:
        """A screen wants something of the supervisor."""
        self._request(message.request, message.answered)

    def on_run_screen_shows(self, message: RunScreen.Shows) -> None:
        """A screen leads to the same moment on another one."""
        self._screens[message.on].look_at(message.at)
        self.go_to(message.on)

    def _request(
        self, request: AnyRequest, answered: Callable[[Reply], None] | None = None
    ) -> None:
        """Ask the supervisor without holding up the screen; its answer becomes a notice."""
        view = self.view
        if view.outcome is not None:
            self._notify(view.words.already_ended)
            return
        if self._look.read_only:
            self._notify(read_only_words(view.lang).refused)
            return
        # On its way at once, and not with the loop's next turn: who asks and leaves in the same
        # breath has asked.
        loop = asyncio.get_running_loop()
        sent = loop.run_in_executor(None, self._source.send, request)
        sent.add_done_callback(lambda done: self._take_answer(done, answered))

    def _take_answer(
        self, done: asyncio.Future[Reply], answered: Callable[[Reply], None] | None
    ) -> None:
        if done.cancelled() or not self.is_running:
            return
        try:
            reply = done.result()
        except OSError as error:
            self._notify(self.view.words.not_sent.format(error=error), error=True)
            return
        if reply.ok or answered is None:
            self._notify(reply.message, error=not reply.ok)
        if answered is not None:
            answered(reply)
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
    rules: RulesOf | None = None,
    services: Services | None = None,
    taste: Taste | None = None,
    run_id: str = "",
    read_only: bool = False,
) -> RunState:
    """Show the run until the person leaves; the last known state of the run that was shown last.

    `run_id` names it for as long as nothing is on record of it.
    `now` gives any aware time; it is shown in `zone`, which is the machine's own if absent.
    `limits` tells the thermal limits in force for a card, so that they can be marked; `rules` how
    every rule stands.
    """
    look = Look(
        lang=lang,
        ascii_only=ascii_only,
        zone=zone,
        limits=limits,
        rules=rules,
        run_id=run_id,
        read_only=read_only,
    )
    app = Dashboard(source, look, now=now, monotonic=monotonic, services=services, taste=taste)
    app.run()
    return app.recorder.state
