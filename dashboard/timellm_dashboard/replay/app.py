"""The dashboard in front of a replay: the same screens, and keys that move the time."""

from collections.abc import Callable, Sequence
from copy import deepcopy
from datetime import tzinfo
from typing import ClassVar, assert_never

from msgspec import convert
from msgspec.structs import replace
from textual.binding import Binding, BindingType
from textual.widgets import Input

from timellm_dashboard.actions import ACTIONS, action
from timellm_dashboard.actions.replay import REPLAY_ACTIONS, ReplayActionId
from timellm_dashboard.app import Dashboard
from timellm_dashboard.moment import Moment
from timellm_dashboard.replay.ask import GoToScreen
from timellm_dashboard.replay.place import Course, place_of
from timellm_dashboard.replay.replay import Replay
from timellm_dashboard.screens.run_screen import RunScreen
from timellm_dashboard.services import Services
from timellm_dashboard.viewmodel.look import LimitsOf, Look
from timellm_dashboard.viewmodel.rulerows import RulesOf
from timellm_dashboard.viewmodel.view import Recorder
from timellm_dashboard.widgets.background import begin_work
from timellm_dashboard.words.replay import replay_words
from timellm_dashboard.words.text import Lang
from timellm_ops.contract.events import JournalRecord
from timellm_ops.contract.state import RunState

MINUTE_S = 60.0
_REFRESH_S = 0.25
_KEEP_EVERY = 4000

_WORDS: dict[Lang, tuple[str, str]] = {"en": ("REPLAY", "of"), "zh": ("回放", "/")}


class ReplayDashboard(Dashboard):
    """Follows a run that is over, or was so far, at any speed."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(
            key,
            f"app.ask_where('{key}')" if found.types else f"app.act('{found.id}')",
            found.label.en,
            show=False,
            priority=True,
        )
        for found in REPLAY_ACTIONS
        for key in found.keys
    ]

    def __init__(
        self,
        replay: Replay,
        look: Look,
        *,
        refresh_s: float = _REFRESH_S,
        keep_every: int = _KEEP_EVERY,
        services: Services | None = None,
        log_ends: Sequence[int] = (),
    ) -> None:
        """After every `keep_every` records what they come to is kept, so that going back need not
        begin at the start of the run. `log_ends`: how many bytes of the engine's log there were at
        each record; absent: all of it is shown."""
        services = services or Services()
        if log_ends:
            services = replace(services, log_end=self._log_end)
        super().__init__(
            replay,
            look,
            now=replay.now,
            monotonic=replay.monotonic,
            refresh_s=refresh_s,
            services=services,
        )
        self.replay = replay
        self._log_ends = log_ends
        self._generation = replay.polled_generation
        self._course = Course(replay.records, replay.schedule)
        self._keep_every = keep_every
        self._kept: dict[int, Recorder] = {0: Recorder()}

    @property
    def moment(self) -> Moment:
        """The moment that is shown."""
        word, of = _WORDS[self._look.shown_lang]
        return Moment(
            t=self.replay.monotonic(),
            wall=self.replay.now(),
            supervised=self._supervised,
            replay=self.replay.text(word, of),
        )

    @property
    def refresh_s(self) -> float:
        """The same always: no training pays for it."""
        return self._refresh_s

    def _log_end(self) -> int:
        """By the records that the rest of the screen is made of."""
        taken = self.recorder.records
        return self._log_ends[taken - 1] if taken else 0

    async def _take(self, records: list[JournalRecord]) -> None:
        if self.replay.polled_generation != self._generation:
            self._generation = self.replay.polled_generation
            self.recorder = deepcopy(self._kept[self.replay.polled_restart])
        for start in range(0, len(records), self._keep_every):
            await super()._take(records[start : start + self._keep_every])
            taken = self.recorder.records
            if taken >= max(self._kept) + self._keep_every:
                self._kept[taken] = deepcopy(self.recorder)
                self.replay.keep(taken)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Keys that move the time are letters and arrows to whoever types or is asked."""
        typed = isinstance(self.focused, Input) or not isinstance(self.screen, RunScreen)
        if action == "act" and str(parameters[0]).startswith("replay_") and typed:
            return False
        if action == "ask_where":
            here = self.run_screen.screen_id
            its_own = any(parameters[0] in found.keys for found in ACTIONS if found.on == here)
            return not (typed or its_own)
        return super().check_action(action, parameters)

    async def action_ask_where(self, key: str) -> None:  # noqa: ARG002 - for `check_action`
        """Open the line to type a place in, before the next key is looked at. A key that the screen
        has for something of its own is left to it."""
        await self._ask_where()

    async def _ask_where(self) -> None:
        words = replay_words(self._look.shown_lang, ascii_only=self._look.ascii_only)

        def find(text: str) -> float:
            here_s, zone = self.replay.position_s, self._look.zone
            return place_of(text, self._course, words, here_s=here_s, zone=zone)

        def answered(place_s: float | None) -> None:
            if place_s is not None:
                self._went(lambda: self.replay.seek(place_s))

        await self.push_screen(GoToScreen(words, find), answered)

    def _went(self, move: Callable[[], None]) -> None:
        move()
        self._wake.set()
        self._show()

    def action_act(self, action_id: str) -> None:
        """Do what the registry calls `action_id`."""
        if action(action_id).only != "replay":
            super().action_act(action_id)
            return
        self._went(lambda: self._move(convert(action_id, ReplayActionId)))

    def _move(self, action_id: ReplayActionId) -> None:
        replay = self.replay
        match action_id:
            case "replay_hold":
                replay.toggle()
            case "replay_goto":
                begin_work(self, self._ask_where, group="ask")
            case "replay_slower":
                replay.slower()
            case "replay_faster":
                replay.faster()
            case "replay_back":
                replay.move(-MINUTE_S)
            case "replay_on":
                replay.move(MINUTE_S)
            case "replay_far_back":
                replay.move(-10 * MINUTE_S)
            case "replay_far_on":
                replay.move(10 * MINUTE_S)
            case "replay_begin":
                replay.seek(0.0)
            case "replay_end":
                replay.seek(replay.schedule.total_s)
            case _:
                assert_never(action_id)


def run_replay(
    replay: Replay,
    *,
    lang: Lang,
    ascii_only: bool,
    zone: tzinfo | None = None,
    limits: LimitsOf | None = None,
    rules: RulesOf | None = None,
    services: Services | None = None,
    log_ends: Sequence[int] = (),
) -> RunState:
    """Show a replay until the person leaves; the state that was shown last."""
    look = Look(lang=lang, ascii_only=ascii_only, zone=zone, limits=limits, rules=rules)
    app = ReplayDashboard(replay, look, services=services, log_ends=log_ends)
    app.run()
    return app.recorder.state
