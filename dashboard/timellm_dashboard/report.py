"""The report: what is left of a run, or what there is of it so far. Text, HTML and JSON draw this
one value. Pure: the same view, state and history give the same report."""

from collections.abc import Iterator
from datetime import datetime
from typing import TypeAlias

import msgspec
from msgspec import Struct

from timellm_dashboard import format as fmt
from timellm_dashboard.asciitext import to_ascii
from timellm_dashboard.headline import rule_name
from timellm_dashboard.history import EpochMark, History
from timellm_dashboard.interruptions import Stretch
from timellm_dashboard.look import Look
from timellm_dashboard.phrases import clean, said, without_command
from timellm_dashboard.series import Point
from timellm_dashboard.text import Lang
from timellm_dashboard.text_report import ReportWords, report_words
from timellm_dashboard.view import View
from timellm_ops.contract.evaluation import Evaluation
from timellm_ops.contract.state import RunState, SavedCheckpoint

SCHEMA = "timellm-ops.report/1"

Value: TypeAlias = int | float | str | bool | None


class LedgerRow(Struct, frozen=True, kw_only=True):
    """Time and steps that one cause has cost, as somebody else has counted them."""

    label: str
    seconds: float
    steps: float | None = None
    share: float | None = None
    """Of the run's time."""


class Cell(Struct, frozen=True):
    """A value and what is shown of it."""

    value: Value
    text: str


class Row(Struct, frozen=True, kw_only=True):
    """A row of a section; the first cell names it."""

    id: str
    cells: tuple[Cell, ...]


class Section(Struct, frozen=True, kw_only=True):
    """A part of the report with a title."""

    id: str
    title: str
    columns: tuple[str, ...] = ()
    """Titles of the cells; none where the rows are pairs of a name and a value."""
    rows: tuple[Row, ...] = ()
    lines: tuple[str, ...] = ()
    """Text as it was printed, such as the engine's last lines."""


class ReportCharts(Struct, frozen=True, kw_only=True):
    """Series for plots: losses over steps, temperature over seconds under supervision."""

    loss: tuple[Point, ...] = ()
    smoothed_loss: tuple[Point, ...] = ()
    epochs: tuple[EpochMark, ...] = ()
    temperature: tuple[Point, ...] = ()
    limits: tuple[tuple[float, str], ...] = ()
    """(°C, what happens there)."""
    pauses: tuple[Stretch, ...] = ()
    end_s: float = 0.0


class Report(Struct, frozen=True, kw_only=True):
    """All that is told of a run."""

    lang: Lang
    run_id: str
    title: str
    headline: str
    """`FINISHED · training finished; test MSE 0.3697`."""
    note: str
    """What to beware of: that nobody supervises the run, that there is nothing yet; or empty."""
    ended: bool
    outcome: str | None
    exit_code: int | None
    made_at: datetime
    made_text: str
    sections: tuple[Section, ...]
    charts: ReportCharts

    def section(self, section_id: str) -> Section | None:
        """The section of that id, where the report has it."""
        return next((s for s in self.sections if s.id == section_id), None)


class Extras(Struct, frozen=True, kw_only=True):
    """What a report has besides the run's journal, as far as it is at hand."""

    ledger: tuple[LedgerRow, ...] = ()
    evaluations: tuple[Evaluation, ...] = ()
    last_lines: tuple[str, ...] = ()
    """Of the engine's output; shown where the run has failed."""


def build_report(
    view: View, state: RunState, history: History, look: Look, extras: Extras | None = None
) -> Report:
    """The report of a run that looks like `view`."""
    maker = _Maker(view, state, history, look, extras or Extras())
    words = maker.texts
    name = view.run.name or view.run.run_id or "-"
    title = words.title if view.outcome is not None else words.title_so_far
    when = fmt.day_and_time(view.at, view.at, look.zone, look.words)
    at = view.at.astimezone(look.zone)
    report = Report(
        lang=view.lang,
        run_id=view.run.run_id,
        title=title.format(name=name),
        headline=view.headline.line,
        note=maker.note(),
        ended=view.outcome is not None,
        outcome=None if view.outcome is None else view.outcome.outcome,
        exit_code=None if view.outcome is None else view.outcome.exit_code,
        made_at=view.at,
        made_text=words.made_at.format(when=f"{at:%Y-%m-%d} {when}"),
        sections=tuple(s for s in maker.sections() if s.rows or s.lines),
        charts=ReportCharts(
            loss=view.charts.loss,
            smoothed_loss=view.charts.smoothed_loss,
            epochs=view.charts.epochs,
            temperature=view.charts.temperature,
            limits=tuple((mark.celsius, mark.text) for mark in view.gpu.marks),
            pauses=tuple(history.interruptions.stretches),
            end_s=state.active_s,
        ),
    )
    return _in_ascii(report) if look.ascii_only else report


def report_json(report: Report) -> bytes:
    """The report as one JSON object without a line end."""
    return msgspec.json.encode({"schema": SCHEMA, **msgspec.structs.asdict(report)})


class _Maker:
    """Makes the sections, in the order in which they are read."""

    def __init__(
        self, view: View, state: RunState, history: History, look: Look, extras: Extras
    ) -> None:
        self._view, self._state, self._history = view, state, history
        self._look, self._extras = look, extras
        self.texts: ReportWords = report_words(look.shown_lang)

    def note(self) -> str:
        match self._view.headline.state:
            case "loading":
                return self.texts.loading
            case "unsupervised":
                return self.texts.unsupervised
            case "silent":
                return self.texts.silent
            case _:
                return "" if self._state.rows or self._state.ended else self._nothing_yet()

    def _nothing_yet(self) -> str:
        return self.texts.waiting if self._state.step == 0 else ""

    def sections(self) -> Iterator[Section]:
        if self._state.run_id == "":
            return
        texts = self.texts
        yield Section(id="outcome", title=texts.outcome, rows=tuple(self._outcome()))
        yield Section(id="results", title=texts.results, rows=tuple(self._results()))
        yield Section(
            id="epochs", title=texts.epoch_table, columns=(*texts.columns, ""),
            rows=tuple(self._epochs()),
        )  # fmt: skip
        yield Section(
            id="evaluations", title=texts.evaluations, columns=texts.evaluation_columns,
            rows=tuple(self._evaluations()),
        )  # fmt: skip
        yield Section(id="time", title=texts.time, rows=tuple(self._time()))
        pauses = tuple(self._pauses())
        yield Section(
            id="pauses",
            title=texts.pauses,
            columns=texts.pause_columns if pauses else (),
            rows=pauses,
            lines=() if pauses or self._state.t is None else (texts.never_paused,),
        )
        yield Section(
            id="ledger", title=texts.ledger, columns=texts.ledger_columns,
            rows=tuple(self._ledger()),
        )  # fmt: skip
        yield Section(id="gpu", title=texts.gpu, rows=tuple(self._gpu()))
        yield Section(
            id="checkpoints", title=texts.checkpoints, columns=texts.checkpoint_columns,
            rows=tuple(self._checkpoints()),
        )  # fmt: skip
        yield Section(id="warnings", title=texts.warnings, lines=tuple(self._warnings()))
        if self._state.outcome in ("failed", "refused", "stopped_for_hardware"):
            lines = tuple(_printable(text) for text in self._extras.last_lines)
            yield Section(id="last_lines", title=texts.last_lines, lines=lines)
        yield Section(id="commands", title=texts.commands, rows=tuple(self._commands()))

    def _outcome(self) -> Iterator[Row]:
        view, state, texts = self._view, self._state, self.texts
        if view.outcome is None:
            yield _pair("state", texts.state, view.headline.state, view.headline.word)
        else:
            yield _pair("outcome", texts.outcome, view.outcome.outcome, view.outcome.word)
        reason = view.headline.reason
        if view.outcome is not None:
            reason = said(without_command(state.end_reason), self._look.shown_lang)
        if reason:
            yield _pair("reason", texts.reason, reason, reason)
        if state.exit_code is not None:
            yield _pair("exit_code", texts.exit_code, state.exit_code, str(state.exit_code))
        if state.started_at is not None:
            yield self._moment("started_at", texts.started, state.started_at)
        if state.ended and state.updated_at is not None:
            yield self._moment("ended_at", texts.ended, state.updated_at)
        if state.t is not None:
            seconds = view.progress.elapsed.value or 0.0
            text = fmt.duration(seconds, self._look.words)
            yield _pair("duration_s", texts.duration, round(seconds, 1), text)
        done = len(state.rows)
        if state.epochs is not None or done:
            of = texts.epochs_of.format(done=done, all=state.epochs) if state.epochs else str(done)
            yield _pair("epochs", texts.epochs, done, of)
        if state.total_steps is not None:
            of = texts.epochs_of.format(
                done=fmt.count(state.step), all=fmt.count(state.total_steps)
            )
            yield _pair("steps", texts.steps, state.step, of)
        folder = self._folder().removesuffix("/")
        if folder:
            yield _pair("folder", texts.folder, folder, folder)
        if state.restarts:
            yield _pair("restarts", texts.restarts, state.restarts, str(state.restarts))

    def _moment(self, name: str, label: str, at: datetime) -> Row:
        text = f"{at.astimezone(self._look.zone):%Y-%m-%d %H:%M}"
        return _pair(name, label, at.isoformat(), text)

    def _results(self) -> Iterator[Row]:
        state, texts = self._state, self.texts
        best = next((row for row in state.rows if row.epoch == state.best_epoch), None)
        if best is None:
            yield _pair("best_epoch", texts.best_epoch, None, texts.none_yet)
            return
        yield _pair("best_epoch", texts.best_epoch, best.epoch, str(best.epoch))
        yield _pair("best_vali_mse", texts.best_vali, best.vali_mse, fmt.loss(best.vali_mse))
        if best.test_mse is not None and best.test_mae is not None:
            yield Row(
                id="best_test",
                cells=(
                    Cell("best_test", texts.best_test),
                    Cell(best.test_mse, f"MSE {fmt.loss(best.test_mse)}"),
                    Cell(best.test_mae, f"MAE {fmt.loss(best.test_mae)}"),
                ),
            )
        if state.final_mse is not None and state.final_mae is not None:
            yield Row(
                id="final_test",
                cells=(
                    Cell("final_test", texts.final_test),
                    Cell(state.final_mse, f"MSE {fmt.loss(state.final_mse)}"),
                    Cell(state.final_mae, f"MAE {fmt.loss(state.final_mae)}"),
                ),
            )

    def _epochs(self) -> Iterator[Row]:
        for row in self._view.results.rows:
            mark = self.texts.best_mark if row.best else ""
            figures = (row.train_mse, row.vali_mse, row.test_mse, row.test_mae, row.seconds)
            yield Row(
                id=f"epoch_{row.epoch}",
                cells=(
                    Cell(row.epoch, str(row.epoch)),
                    *(Cell(figure.value, figure.text) for figure in figures),
                    Cell(row.best, mark),
                ),
            )

    def _evaluations(self) -> Iterator[Row]:
        for number, found in enumerate(self._extras.evaluations, 1):
            split = getattr(self.texts, found.split, found.split)
            model = self.texts.model_row.format(checkpoint=found.checkpoint)
            yield _scores(f"evaluation_{number}", split, model, found.mse, found.mae)
            for baseline in found.baselines:
                if baseline.mse is not None and baseline.mae is not None:
                    name = f"evaluation_{number}_{baseline.name}"
                    yield _scores(name, split, baseline.name, baseline.mse, baseline.mae)
            if found.recorded is not None and found.recorded.mae is not None:
                own = self.texts.published_row
                name = f"evaluation_{number}_recorded"
                yield _scores(name, split, own, found.recorded.mse, found.recorded.mae)

    def _time(self) -> Iterator[Row]:
        view, state, texts, words = self._view, self._state, self.texts, self._look.words
        if state.t is None:
            return
        active_s, paused_s = state.active_s, state.paused_s
        for name, label, seconds in (
            ("computing_s", texts.computing, active_s - paused_s),
            ("standing_s", texts.standing, paused_s),
        ):
            share = f" · {fmt.percent(seconds / active_s, 1)}" if active_s > 0 else ""
            text = f"{fmt.duration(seconds, words)}{share}"
            yield _pair(name, label, round(seconds, 1), text)
        if view.progress.speed.value is not None:
            speed = view.progress.speed
            yield _pair("seconds_per_step", texts.speed, speed.value, speed.text)

    def _pauses(self) -> Iterator[Row]:
        words, total_s = self._look.words, self._state.active_s
        for found in self._history.interruptions.by_rule:
            share = found.seconds / total_s if total_s > 0 else 0.0
            yield Row(
                id=f"pauses_{found.rule}",
                cells=(
                    Cell(found.rule, clean(rule_name(found.rule, words))),
                    Cell(found.pauses, str(found.pauses)),
                    Cell(round(found.seconds, 1), fmt.duration(found.seconds, words)),
                    Cell(round(share, 4), fmt.percent(share, 1)),
                ),
            )

    def _ledger(self) -> Iterator[Row]:
        words = self._look.words
        for number, row in enumerate(self._extras.ledger, 1):
            yield Row(
                id=f"ledger_{number}",
                cells=(
                    Cell(row.label, clean(row.label)),
                    Cell(round(row.seconds, 1), fmt.duration(row.seconds, words)),
                    Cell(row.steps, "-" if row.steps is None else fmt.count(row.steps)),
                    Cell(row.share, "-" if row.share is None else fmt.percent(row.share, 1)),
                ),
            )

    def _gpu(self) -> Iterator[Row]:
        gpu, texts, words = self._view.gpu, self.texts, self._look.words
        if gpu.telemetry == "none" and gpu.peak.value is None:
            yield _pair("card", texts.card, None, gpu.message)
            return
        if gpu.title:
            yield _pair("card", texts.card, gpu.title, gpu.title)
        yield _pair("peak_temperature_c", texts.peak, gpu.peak.value, gpu.peak.text)
        if gpu.marks:
            text = ", ".join(mark.text for mark in gpu.marks)
            yield _pair("limits", texts.limits, text, text)
        throttled_s = self._history.interruptions.throttled_s
        yield _pair(
            "throttled_s",
            texts.throttled,
            None if throttled_s is None else round(throttled_s, 1),
            texts.unknown if throttled_s is None else fmt.duration(throttled_s, words),
        )
        yield _pair("energy_kwh", texts.energy, gpu.energy.value, gpu.energy.text)

    def _checkpoints(self) -> Iterator[Row]:
        for kind, label, found in (
            ("best", self._look.words.best, self._state.best),
            ("last", self._look.words.last, self._state.last),
        ):
            if found is not None:
                yield self._saved(kind, label, found)

    def _saved(self, kind: str, label: str, found: SavedCheckpoint) -> Row:
        proof = self.texts.not_verified if found.sha256 is None else self.texts.verified
        return Row(
            id=kind,
            cells=(
                Cell(kind, label),
                Cell(found.bytes, fmt.storage(found.bytes) if found.bytes else "-"),
                Cell(found.sha256 is not None, proof),
                Cell(found.path, clean(found.path).removeprefix(self._folder())),
            ),
        )

    def _folder(self) -> str:
        """The run's folder with a slash, as its checkpoints tell it; empty where none does."""
        for found in (self._state.last, self._state.best):
            path = "" if found is None else clean(found.path)
            begin, between, _ = path.rpartition("/checkpoints/")
            if between and begin.endswith(self._state.run_id):
                return f"{begin}/"
        return ""

    def _warnings(self) -> Iterator[str]:
        for notice in self._state.notices:
            if notice.level != "info":
                at = notice.at
                time = "" if at is None else f"{fmt.time_of_day(at, self._look.zone)}  "
                yield f"{time}{said(notice.message, self._look.shown_lang)}"

    def _commands(self) -> Iterator[Row]:
        view, state, texts = self._view, self._state, self.texts
        run_id = clean(state.run_id)
        if view.headline.command:
            command = view.headline.command
            yield _pair("go_on", texts.go_on, command, command)
        elif not state.ended and state.engine != "imported":
            command = f"timellm-ops attach {run_id}"
            yield _pair("watch", texts.watch, command, command)
        if state.best is not None and state.engine == "timellm":
            for name, label in (("evaluate", texts.evaluate), ("predict", texts.predict)):
                command = f"timellm-ops {name} {run_id}"
                yield _pair(name, label, command, command)


def _pair(name: str, label: str, value: Value, text: str) -> Row:
    return Row(id=name, cells=(Cell(name, label), Cell(value, text)))


def _scores(name: str, split: str, forecast: str, mse: float, mae: float) -> Row:
    return Row(
        id=name,
        cells=(
            Cell(split, split),
            Cell(forecast, clean(forecast)),
            Cell(mse, fmt.loss(mse)),
            Cell(mae, fmt.loss(mae)),
        ),
    )


def _printable(text: str) -> str:
    return "".join(c if c.isprintable() else " " for c in text).rstrip()


def _in_ascii(report: Report) -> Report:
    """The report with every text in ASCII. Its series hold none."""
    bare = msgspec.structs.replace(report, charts=ReportCharts())
    texts = msgspec.convert(_ascii(msgspec.to_builtins(bare)), Report)
    return msgspec.structs.replace(texts, charts=report.charts)


def _ascii(value: object) -> object:
    if isinstance(value, str):
        return to_ascii(value)
    if isinstance(value, dict):
        return {name: _ascii(item) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_ascii(item) for item in value]
    return value
