"""All runs: how they stand, one of them to look at, two or more side by side."""

import asyncio
from collections.abc import Mapping
from functools import partial
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal
from textual.message import Message

from timellm_dashboard.actions import Said, ScreenId, action, bindings
from timellm_dashboard.actions.keymap import shown_key
from timellm_dashboard.runs.compared import MOST_RUNS
from timellm_dashboard.runs.runfilter import BadFilter, ConfigKeys, RunFilter, filter_of
from timellm_dashboard.runs.runlist import Order
from timellm_dashboard.screens.run_screen import RunScreen
from timellm_dashboard.services import Services
from timellm_dashboard.viewmodel.view import View
from timellm_dashboard.widgets.background import begin_work
from timellm_dashboard.widgets.comparison import ComparisonPanel
from timellm_dashboard.widgets.keybar import OwnKey
from timellm_dashboard.widgets.prompt import Prompt
from timellm_dashboard.widgets.rundetail import RunDetailPanel
from timellm_dashboard.widgets.runs import RunsPanel, Standing
from timellm_dashboard.words.ascii import to_ascii
from timellm_dashboard.words.keys import keyed
from timellm_dashboard.words.runfilter import RunFilterWords, run_filter_words
from timellm_dashboard.words.runs import RunsWords, runs_words

_DETAIL_ROWS = 20
"""The chosen run below the list takes so many rows, its frame included."""
_SCROLL: OwnKey = ("Up/Down", Said("scroll", "滚动"))
_OF_COMPARISON = ("runs_back", "runs_filter", "help", "next_screen", "leave")
"""What can be done in front of a comparison."""
_TURNS_BETWEEN_READINGS = 4
"""Of the app, which has one a second: the list is read every four seconds while it is seen."""


class OpenRun(Message):
    """A person wants to look at another run."""

    def __init__(self, run_id: str) -> None:
        super().__init__()
        self.run_id = run_id


class RunsScreen(RunScreen):
    """All runs of the folder."""

    screen_id: ClassVar[ScreenId] = "runs"
    AUTO_FOCUS = "RunsPanel"
    BINDINGS: ClassVar[list[BindingType]] = [*bindings("runs")]

    def __init__(self, services: Services) -> None:
        super().__init__()
        self._services = services
        self._list = RunsPanel(services.runs_folder, id="runs-list", classes="panel")
        self._detail = RunDetailPanel(id="runs-detail", classes="panel")
        self._both = Horizontal(self._list, self._detail, id="runs-both")
        self._comparison = ComparisonPanel(id="runs-comparison", classes="panel")
        self._comparison.display = False
        self._prompt = Prompt(id="runs-prompt")
        self._turns = _TURNS_BETWEEN_READINGS
        self._reading = False
        self._view: View | None = None

    def body(self) -> ComposeResult:
        """The list, with its chosen run beside it on a wide screen, and below it on another where
        there are rows free; in their place the comparison when there is one."""
        yield self._both
        yield self._comparison
        yield self._prompt

    @property
    def standing(self) -> Standing:
        """The list as it stands."""
        return self._list.standing

    def take_over(self, standing: Standing) -> None:
        """Go on with the list as it stood on another screen."""
        self._list.take_over(standing)

    def on_screen_resume(self) -> None:
        """What was read before it was left may be long past."""
        if self._view is not None:
            self._begin_to_read()

    def show_body(self, view: View) -> None:
        """Show `view` from now on, and read the runs again now and then."""
        self._view = view
        if self._comparison.display:
            self._comparison.show(view)
            return
        self._list.show(view)
        self._show_picked(view)
        if self._services.runs is None:
            self._list.show_problem(self._say(view).not_here)
            return
        if self._turns >= _TURNS_BETWEEN_READINGS:
            self._begin_to_read()
        self._turns += 1

    def _begin_to_read(self) -> None:
        self._turns = 0
        if not self._reading and self._services.runs is not None:
            self._reading = True
            begin_work(self, self._read, group="runs")

    def _say(self, view: View) -> RunsWords:
        return runs_words(view.lang, ascii_only=view.ascii_only)

    async def _read(self) -> None:
        """On another thread, since journals can be long."""
        read, read_configs = self._services.runs, self._services.run_configs
        if read is None:
            return
        configs: Mapping[str, ConfigKeys] | None = None
        try:
            rows = await asyncio.to_thread(read)
            if self._list.filter.needs_config and read_configs is not None:
                configs = await asyncio.to_thread(read_configs)
        except OSError as error:
            if self._view is not None:
                problem = error.strerror or str(error)
                folder = self._services.runs_folder
                told = self._say(self._view).unreadable.format(folder=folder, problem=problem)
                self._list.show_problem(told)
            return
        finally:
            self._reading = False
        self._list.show_rows(rows, configs)
        if self._list.lacks_configs and read_configs is not None:
            self._begin_to_read()  # asked for in the meantime

    def on_runs_panel_picked(self) -> None:
        """Show what is chosen in full."""
        if self._view is not None:
            self._show_picked(self._view)

    def _show_picked(self, view: View) -> None:
        picked = self._list.picked
        self._both.set_class(picked is not None, "-picked")
        free = self._both.size.height - self._list.rows_needed
        self._both.set_class(picked is not None and free >= _DETAIL_ROWS, "-roomy")
        self._detail.show_run(picked, view)

    def on_runs_panel_chosen(self) -> None:
        """Two clicks are as good as Enter."""
        self._open()

    def own_keys(self) -> tuple[OwnKey, ...]:
        """Those of the comparison, while there is one."""
        if not self._comparison.display:
            return ()
        first, *rest = (
            (shown_key(found, self.keymap, ascii_only=False), found.label)
            for found in map(action, _OF_COMPARISON)
        )
        return (first, *rest) if self._comparison.fits else (first, _SCROLL, *rest)

    def on_comparison_panel_fits(self) -> None:
        """There is something to scroll now, or nothing any more."""
        self.show_keys()

    def act(self, action_id: str) -> None:
        """Do what the registry has for this screen alone."""
        match action_id:
            case "runs_open":
                self._open()
            case "runs_mark":
                if self._both.display:
                    self._list.toggle_mark()
            case "runs_compare":
                self._compare()
            case "runs_filter":
                self._ask()
            case "runs_back":
                if self._both.display:
                    self._list.choose_by(RunFilter())
                else:
                    self._show_list()
            case "runs_sort":
                self._list.sort(self._list.order.beside(1))
            case "runs_sort_back":
                self._list.sort(self._list.order.beside(-1))
            case "runs_reverse":
                order = self._list.order
                self._list.sort(Order(order.key, not order.reverse))
            case _:
                raise NotImplementedError(action_id)

    def _ask(self) -> None:
        if self._view is not None:
            if not self._both.display:
                self._show_list()
            words = self._say_of_filter(self._view)
            self._prompt.ask("filter", words.ask, hint=words.hint, text=self._list.filter.text)

    def _say_of_filter(self, view: View) -> RunFilterWords:
        return run_filter_words(view.lang, ascii_only=view.ascii_only)

    def on_prompt_answered(self, message: Prompt.Answered) -> None:
        """Show the runs that are meant; what is no filter stays, to be mended."""
        if self._view is None:
            return
        try:
            wanted = filter_of(message.text, self._say_of_filter(self._view))
        except BadFilter as problem:
            told = str(problem)
            self._prompt.complain(to_ascii(told) if self._view.ascii_only else told)
            return
        self._list.choose_by(wanted)
        self._close()
        if wanted.needs_config:
            self._begin_to_read()

    def on_prompt_given_up(self) -> None:
        """The same runs as before."""
        self._close()

    def _close(self) -> None:
        self._prompt.close()
        self.set_focus(self._list)

    def _open(self) -> None:
        if self._both.display and self._list.cursor and self._services.open_run is not None:
            self.post_message(OpenRun(self._list.cursor))

    def _show_list(self) -> None:
        self._comparison.display = False
        self._both.display = True
        self.show_keys()
        self._list.focus()
        if self._view is not None:
            self._list.show(self._view)
        self._begin_to_read()

    def _compare(self) -> None:
        """The marked runs; one alone is compared with the chosen one, or with the one shown."""
        view = self._view
        if view is None or self._services.compared is None:
            return
        say = self._say(view)
        chosen = list(self._list.marked)
        for other in (self._list.cursor, view.run.run_id):
            if len(chosen) < 2 and other and other not in chosen:
                chosen.append(other)
        if len(chosen) < 2:
            self.app.notify(keyed(say.mark_more, view.keys), markup=False)
            return
        if len(chosen) > MOST_RUNS:
            self.app.notify(say.mark_fewer.format(most=MOST_RUNS), markup=False)
            return
        self._both.display = False
        self._comparison.display = True
        self.show_keys()
        self._comparison.begin(len(chosen))
        self._comparison.show(view)
        self._comparison.focus()
        reading = partial(self._read_compared, tuple(chosen))
        begin_work(self, reading, group="compare", exclusive=True)

    async def _read_compared(self, run_ids: tuple[str, ...]) -> None:
        read = self._services.compared
        try:
            if read is not None:
                self._comparison.show_runs(await asyncio.to_thread(read, run_ids))
        except (OSError, LookupError) as error:
            self._comparison.show_problem(str(error))
