"""The help: the keys, what every number on the screen means with the run's own values, and the
seventeen questions."""

from collections.abc import Callable
from typing import ClassVar

from msgspec import Struct
from rich.cells import cell_len
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.markup import escape
from textual.screen import ModalScreen
from textual.widgets import Static
from textual.worker import Worker, WorkerState, get_current_worker

from timellm_dashboard.actions import Said, ScreenId, label_of, offered
from timellm_dashboard.actions.keymap import Keymap, help_of, shown_key
from timellm_dashboard.answers.answer import Say
from timellm_dashboard.answers.draw import draw_answer
from timellm_dashboard.answers.facts import Facts, whose
from timellm_dashboard.answers.questions import QUESTIONS, answers
from timellm_dashboard.explain.explain import EXPLANATIONS, part_of
from timellm_dashboard.lines import Line, Span, line, pad, wrap
from timellm_dashboard.viewmodel.view import View
from timellm_dashboard.widgets.toned import to_content
from timellm_dashboard.words.ascii import to_ascii
from timellm_dashboard.words.keys import keyed

_FEWEST_KEY_CELLS = 4
_QUESTIONS = Said("seventeen questions on this training", "关于这次训练的十七个问题")
_READING = Said("reading the run's config and data ...", "正在读取运行的配置和数据……")
_NO_FACTS = Said(
    "their answers need the run's config: timellm-ops explain has them on the command line",
    "答案需要运行的配置：可在命令行用 timellm-ops explain 查看",
)
_NEXT = Said("tab: next part", "tab：下一部分")


class HelpText(Struct, frozen=True, kw_only=True):
    """The rows of the help, and in which of them each part begins."""

    rows: tuple[Line, ...]
    anchors: dict[str, int]
    """By the id of an explanation or of a question; `numbers` and `questions` for their titles."""


def draw_help(
    view: View,
    on: ScreenId,
    keymap: Keymap,
    width: int,
    facts: Facts | None = None,
    *,
    reading: bool = False,
) -> HelpText:
    """The whole help in rows of `width` cells. `reading`: the facts are still to come."""
    words = view.words
    anchors: dict[str, int] = {"keys": 0}
    rows: list[Line] = [line(Span(words.help_keys, "accent"))]
    ascii_only = view.ascii_only
    shown_keys = [shown_key(a, keymap, ascii_only=ascii_only) for a in offered(view, on)]
    keys_cells = max(_FEWEST_KEY_CELLS, *(cell_len(keys) + 1 for keys in shown_keys))
    for action, keys in zip(offered(view, on), shown_keys, strict=True):
        text = f"{label_of(action, view)} — {help_of(action, view.lang, keymap)}"
        key = Span(f"  {pad(keys, keys_cells)}", "strong")
        for index, row in enumerate(wrap(_shown(text, view), width - keys_cells - 2)):
            rows.append(line(key if index == 0 else Span(" " * (keys_cells + 2)), row))
    rows.append(())
    anchors["numbers"] = len(rows)
    rows.append(line(Span(words.help_numbers, "accent")))
    # What the present screen is about comes first.
    for explanation in sorted(EXPLANATIONS, key=lambda one: one.id != part_of(on)):
        anchors[explanation.id] = len(rows)
        title = Span(f"  {_shown(explanation.title.in_(view.lang), view)}", "strong")
        now = explanation.now(view)
        rows.append(line(title))
        if now:
            value = words.help_now.format(value=now)
            rows += [line(Span(f"  {row}", "muted")) for row in wrap(value, width - 2)]
        body = _shown(keyed(explanation.body.in_(view.lang), view.keys), view)
        rows += [line(f"    {row}") for row in wrap(body, width - 4)]
        rows.append(())
    anchors["questions"] = len(rows)
    rows += _questions(view, width, facts, anchors, len(rows), reading=reading)
    return HelpText(rows=tuple(rows), anchors=anchors)


def _questions(
    view: View,
    width: int,
    facts: Facts | None,
    anchors: dict[str, int],
    first: int,
    *,
    reading: bool,
) -> list[Line]:
    """The seventeen with their answers; without facts, the questions alone and why."""
    lang = view.lang
    rows: list[Line] = [line(Span(_shown(_QUESTIONS.in_(lang), view), "accent"))]
    if facts is None:
        why = _shown((_READING if reading else _NO_FACTS).in_(lang), view)
        rows += [line(Span(f"  {row}", "muted")) for row in wrap(why, width - 2)]
        for number, question in enumerate(QUESTIONS, 1):
            text = f"{number}. {question.zh if lang == 'zh' else question.en}"
            rows += [line(f"  {row}") for row in wrap(_shown(text, view), width - 2)]
        return rows
    note = _shown(whose(facts, Say(lang)), view)
    rows += [*(line(Span(f"  {row}", "muted")) for row in wrap(note, width - 2)), ()]
    for answer in answers(facts, lang, view.keys):
        anchors[f"question_{answer.id}"] = first + len(rows)
        drawn = draw_answer(answer, width - 2, ascii_only=view.ascii_only)
        rows += [*(line("  ", *row) for row in drawn), ()]
    return rows


def _shown(text: str, view: View) -> str:
    return to_ascii(text) if view.ascii_only else text


class HelpScreen(ModalScreen[None]):
    """Covers the screen that it was asked for on; the run goes on behind it."""

    BINDINGS: ClassVar[list[BindingType]] = [
        ("escape", "dismiss", ""), ("question_mark", "dismiss", ""), ("q", "dismiss", ""),
        ("tab", "part(1)", ""), ("shift+tab", "part(-1)", ""),
    ]  # fmt: skip
    AUTO_FOCUS = "#help"

    def __init__(
        self,
        view: View,
        on: ScreenId,
        keymap: Keymap,
        *,
        at: str = "",
        facts: Callable[[], Facts | None] | None = None,
    ) -> None:
        """`at` is the part to begin with, by the id of an explanation. `facts` may take a second,
        and is asked on another thread."""
        super().__init__()
        self._view, self._on, self._keymap, self._at = view, on, keymap, at
        self._ask = facts
        self._facts: Facts | None = None
        self._reading = facts is not None
        self._anchors: dict[str, int] = {}

    def compose(self) -> ComposeResult:
        """One long text."""
        words = self._view.words
        dot = " | " if self._view.ascii_only else " · "
        more = _shown(_NEXT.in_(self._view.lang), self._view)
        with VerticalScroll(id="help") as scroll:
            scroll.border_title = escape(words.help_title)
            scroll.border_subtitle = escape(f"{words.help_close}{dot}{more}")
            yield Static(id="help-text")

    def on_mount(self) -> None:
        """Draw once the size is known; the answers come when they are made."""
        self.call_after_refresh(self._begin)
        if self._ask is not None:
            self.run_worker(self._read, thread=True, group="facts", exit_on_error=False)

    def on_resize(self) -> None:
        """Break the lines for the new width."""
        self.call_after_refresh(self._draw)

    def _read(self) -> None:
        worker = get_current_worker()
        found = None if self._ask is None else self._ask()
        if not worker.is_cancelled:
            self.app.call_from_thread(self._answered, found)

    def on_worker_state_changed(self, event: Worker.StateChanged) -> None:
        """Facts that cannot be had are none: the questions stay, and say where the answers are."""
        if event.state == WorkerState.ERROR:
            self._answered(None)

    def _answered(self, facts: Facts | None) -> None:
        self._facts, self._reading = facts, False
        self._draw()

    def _begin(self) -> None:
        self._draw()
        if self._at in self._anchors:
            self._go_to(self._anchors[self._at])

    def _draw(self) -> None:
        width = self.query_one("#help", VerticalScroll).scrollable_content_region.width
        text = draw_help(
            self._view,
            self._on,
            self._keymap,
            max(20, width - 1),
            self._facts,
            reading=self._reading,
        )
        self._anchors = text.anchors
        drawn: Content = to_content(text.rows)
        self.query_one("#help-text", Static).update(drawn)

    def _go_to(self, row: int) -> None:
        scroll = self.query_one("#help", VerticalScroll)
        scroll.scroll_to(y=row, animate=False, immediate=False)

    def action_part(self, by: int) -> None:
        """Go on to the next part, or back to the one before."""
        here = round(self.query_one("#help", VerticalScroll).scroll_offset.y)
        starts = sorted(set(self._anchors.values()))
        ahead = [start for start in starts if (start > here if by > 0 else start < here)]
        if ahead:
            self._go_to(ahead[0] if by > 0 else ahead[-1])
