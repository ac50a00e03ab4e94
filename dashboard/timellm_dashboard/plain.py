"""The view as plain lines: one for every thing that matters, and one page for a single look.

Without colours and cursor movements, so that it can go anywhere.
"""

from collections.abc import Callable, Iterator
from datetime import datetime, tzinfo

from timellm_dashboard.lines import Line, line, text_of, wrap
from timellm_dashboard.panels.checkpoints import draw_checkpoints
from timellm_dashboard.panels.epochs import draw_epochs, epochs_title
from timellm_dashboard.panels.feed import feed_blocks, feed_title, newest_rows
from timellm_dashboard.panels.gpu import draw_gpu, draw_no_gpu, gpu_title
from timellm_dashboard.panels.header import draw_headline, draw_title
from timellm_dashboard.panels.ledger import draw_ledger
from timellm_dashboard.panels.loss import draw_loss
from timellm_dashboard.panels.progress import draw_progress
from timellm_dashboard.panels.rules import draw_rules, rules_title
from timellm_dashboard.source import RunSource, Turn, follow
from timellm_dashboard.viewmodel.gpu import ABSENT
from timellm_dashboard.viewmodel.look import LimitsOf, Look
from timellm_dashboard.viewmodel.rulerows import RulesOf
from timellm_dashboard.viewmodel.timeline import words_of
from timellm_dashboard.viewmodel.view import Recorder, View
from timellm_dashboard.words import format as fmt
from timellm_dashboard.words.text import Lang
from timellm_ops.contract.counting import Count
from timellm_ops.contract.state import RunState

PAGE_WIDTH = 100
PROGRESS_INTERVAL_S = 10.0
_CHART_ROWS = 10
_EPOCH_ROWS = 60
_EVENT_ROWS = 12
_LEDGER_ROWS = 12


def progress_line(view: View) -> str:
    """Where training is, in one line."""
    progress, words = view.progress, view.words
    loss = view.loss.absent
    if not loss:
        loss = f"{words.loss} {view.loss.raw.text} ({words.smoothed} {view.loss.smoothed.text})"
    parts = [progress.epoch.label, progress.epoch.text]
    if progress.whole.share is not None:
        parts.append(f"{words.total} {progress.whole.percent}")
    parts.append(loss)
    if progress.speed.value is not None:
        parts.append(progress.speed.text)
    if view.left.seconds is not None:
        left = words.left.format(time=view.left.text)
        parts.append(f"{left}, {view.left.note}" if view.left.note else left)
    if view.gpu.temperature.value is not None:
        simulated = words.simulated if view.gpu.simulated else ""
        heat = (view.gpu.temperature.text, view.gpu.heat_word, simulated)
        parts.append(" ".join(part for part in heat if part))
    return _dot(view).join(parts)


def headline_text(view: View) -> str:
    """The state and its reason, with the command that goes on from there if there is one."""
    head = view.headline
    text = f"{head.glyph} {head.line}"
    if not head.command:
        return text
    return f"{text}{_dot(view)}{view.words.go_on_with.format(command=head.command)}"


def follow_plain(
    source: RunSource,
    write: Callable[[str], None],
    *,
    sleep: Callable[[float], None],
    monotonic: Callable[[], float],
    now: Callable[[], datetime],
    stop: Callable[[], bool],
    lang: Lang = "en",
    ascii_only: bool = False,
    zone: tzinfo | None = None,
    limits: LimitsOf | None = None,
    rules: RulesOf | None = None,
    run_id: str = "",
) -> RunState:
    """Write lines as things happen: events, changes of state, and progress every ten seconds.

    Returns the last state, when the run has ended, `stop()` says so, or the supervisor has been
    gone for a few seconds, which is then said.
    """
    recorder = Recorder()
    look = Look(
        lang=lang, ascii_only=ascii_only, zone=zone, limits=limits, rules=rules, run_id=run_id
    )
    narrator = _Narrator(look)
    for turn in follow(
        source, recorder, look, sleep=sleep, monotonic=monotonic, now=now, stop=stop
    ):
        for text in narrator.tell(turn, monotonic()):
            write(text)
    return recorder.state


class _Narrator:
    """Knows what has been said already."""

    def __init__(self, look: Look) -> None:
        self._look = look
        self._titled = ""
        self._told_seq = 0
        self._told_damaged: float | None = 0
        self._told_headline = ""
        self._progress_t: float | None = None

    def tell(self, turn: Turn, t: float) -> Iterator[str]:
        """The lines that `turn` is worth at monotonic second `t`."""
        view = turn.view
        title = view.run.name or view.run.run_id  # a run that has not begun has no name
        if title != self._titled:
            self._titled = title
            yield text_of(draw_title(view, PAGE_WIDTH)).rstrip()
        yield from self._events(view)
        if view.run.run_id:
            yield from self._headline(view, last=turn.last)
        if turn.progressed:
            yield from self._progress(view, t)
        if turn.last and not turn.supervised and view.headline.state == "unsupervised":
            yield self._stamped(view, view.words.plain_gone.format(command=view.headline.command))

    def _events(self, view: View) -> Iterator[str]:
        if view.damaged_lines.value != self._told_damaged:
            self._told_damaged = view.damaged_lines.value
            yield view.damaged_lines.text
        if self._told_seq == 0 and view.feed_left_out:
            yield view.words.events_left_out.format(count=Count(view.feed_left_out))
        for event in view.feed:
            if event.seq > self._told_seq:
                self._told_seq = event.seq
                yield f"{event.time}  {event.text}" if event.time else event.text

    def _headline(self, view: View, *, last: bool) -> Iterator[str]:
        """Said when the state changes; why an ended run ended has been said by its event."""
        head = view.headline
        if head.state == self._told_headline or (head.state == "unsupervised" and not last):
            return
        self._told_headline = head.state
        if view.outcome is None:
            yield self._stamped(view, headline_text(view))
            return
        if view.results.final_text:
            yield self._stamped(view, view.results.final_text)
        if head.command:
            yield self._stamped(view, view.words.go_on_with.format(command=head.command))

    def _progress(self, view: View, t: float) -> Iterator[str]:
        if view.outcome is not None:
            return
        if self._progress_t is not None and t - self._progress_t < PROGRESS_INTERVAL_S:
            return
        self._progress_t = t
        yield self._stamped(view, progress_line(view))

    def _stamped(self, view: View, text: str) -> str:
        return f"{fmt.time_of_day(view.at, self._look.zone)}  {text}"


def page(view: View, width: int = PAGE_WIDTH) -> str:
    """The whole view as a page of text, without a last line end."""
    words = view.words
    rows: list[Line] = [draw_title(view, width), *draw_headline(view, width, 4), ()]
    rows += [*draw_progress(view, width, 3), ()]
    gpu = draw_gpu(view, width, 12)
    if view.gpu.telemetry in ABSENT:
        gpu = draw_no_gpu(view, width, machine=False)  # it has a section of its own
    host: list[Line] = [line(row) for row in wrap(view.host.text, width - 2)]
    machine = [(words.host_title, host)] if view.host.text else []
    rows_lost = draw_ledger(view, width - 2, _LEDGER_ROWS) if view.ledger.rows else []
    lost = [(words_of(view).ledger, rows_lost)] if rows_lost else []
    rules = [(rules_title(view), draw_rules(view, width - 2))] if view.rules.rows else []
    events = newest_rows(feed_blocks(view, width), width, _EVENT_ROWS, ascii_only=view.ascii_only)
    sections: list[tuple[str, list[Line]]] = [
        (words.checkpoints_title, draw_checkpoints(view, width, 12)),
        (epochs_title(view, width), draw_epochs(view, width, _EPOCH_ROWS)),
        (view.loss.title, draw_loss(view, width, _CHART_ROWS)),
        (gpu_title(view, width), gpu),
        *machine,
        *lost,
        *rules,
        (feed_title(view), events),
    ]
    texts = _without_repeats([text_of(row).rstrip() for row in rows])
    for title, drawn in sections:
        texts += [title, *(f"  {text_of(row)}".rstrip() for row in drawn), ""]
    return "\n".join(_without_repeats(texts)).rstrip("\n")


def _without_repeats(rows: list[str]) -> list[str]:
    """The rows with no two empty ones in a row."""
    return [row for i, row in enumerate(rows) if row or (i > 0 and rows[i - 1])]


def _dot(view: View) -> str:
    return " | " if view.ascii_only else " · "
