"""The sections of a report, from a run's view, state and history."""

from collections.abc import Iterator
from datetime import datetime

from timellm_dashboard.folds.history import History
from timellm_dashboard.folds.standing import OTHER
from timellm_dashboard.reports.parts import Cell, Extras, Row, Section, Value
from timellm_dashboard.viewmodel.figure import Figure, figure
from timellm_dashboard.viewmodel.headline import rule_name
from timellm_dashboard.viewmodel.look import Look
from timellm_dashboard.viewmodel.view import View
from timellm_dashboard.words import format as fmt
from timellm_dashboard.words.names import baseline_name
from timellm_dashboard.words.phrases import clean, said, without_command
from timellm_dashboard.words.report import ReportWords, report_words
from timellm_ops.contract.state import RunState, SavedCheckpoint


class SectionMaker:
    """Makes the sections, in the order in which they are read."""

    def __init__(
        self, view: View, state: RunState, history: History, look: Look, extras: Extras
    ) -> None:
        self._view, self._state, self._history = view, state, history
        self._look, self._extras = look, extras
        self.texts: ReportWords = report_words(look.shown_lang)

    def note(self) -> str:
        """What to beware of in this report; empty: nothing."""
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
        """All of them, also those that turn out to be empty."""
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
        glyph = view.headline.glyph
        if view.outcome is None:
            word = f"{glyph} {view.headline.word}"
            yield _pair("state", texts.state, view.headline.state, word)
        else:
            word = f"{glyph} {view.outcome.word}"
            yield _pair("outcome", texts.outcome, view.outcome.outcome, word)
        reason = view.headline.reason
        if view.outcome is not None:
            reason = said(without_command(state.end_reason), self._look.shown_lang)
        if reason:
            yield _pair("reason", texts.reason, reason, reason)
        if state.exit_code is not None:
            yield _pair("exit_code", texts.exit_code, state.exit_code, str(state.exit_code))
        if state.started_at is not None:
            yield self._moment("started_at", texts.started, state.started_at)
        if state.ended_at is not None:
            yield self._moment("ended_at", texts.ended, state.ended_at)
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
                    own = baseline_name(baseline.name, self._look.shown_lang)
                    yield _scores(name, split, own, baseline.mse, baseline.mae)
            if found.recorded is not None and found.recorded.mae is not None:
                own = self.texts.published_row
                name = f"evaluation_{number}_recorded"
                yield _scores(name, split, own, found.recorded.mse, found.recorded.mae)

    def _time(self) -> Iterator[Row]:
        if self._state.t is not None:
            yield from self._spent()
        speed = self._view.progress.mean_speed
        if speed.value is not None:
            text = f"{speed.text} · {self.texts.speed_is}"
            yield _pair("seconds_per_step", self.texts.speed, speed.value, text)

    def _spent(self) -> Iterator[Row]:
        """Where the time went. Shares are of the supervised time, as everywhere else."""
        texts, words = self.texts, self._look.words
        spent = self._history.ledger.spent
        supervised = [
            ("computing_s", texts.computing, spent.moving_s),
            ("loading_s", texts.engine_loads, spent.loading_s),
            ("standing_s", texts.standing, spent.standing_s),
        ]
        if spent.silent_s > 0:
            supervised.append(("silent_s", texts.without_a_word, spent.silent_s))
        shares = fmt.percents([seconds for *_, seconds in supervised], 1)
        for (name, label, seconds), share in zip(supervised, shares, strict=True):
            text = fmt.duration(seconds, words)
            yield _pair(name, label, round(seconds, 1), f"{text} · {share}" if share else text)
        for name, label, seconds in (
            ("unsupervised_s", texts.nobody_there, spent.unsupervised_s),
            ("ended_s", texts.not_running, spent.ended_s),
        ):
            if seconds > 0:
                yield _pair(name, label, round(seconds, 1), fmt.duration(seconds, words))

    def _pauses(self) -> Iterator[Row]:
        words = self._look.words
        told = {row.cause: row for row in self._view.ledger.rows}
        for found in self._history.ledger.standing.by_cause:
            row = told.get(found.cause)
            known = found.cause != OTHER
            name = rule_name(found.cause, words) if known else self.texts.cause_not_known
            yield Row(
                id=f"pauses_{found.cause}",
                cells=(
                    Cell(found.cause, clean(name)),
                    Cell(found.pauses, str(found.pauses)),
                    Cell(round(found.seconds, 1), fmt.duration(found.seconds, words)),
                    Cell(0.0, fmt.percent(0.0)) if row is None else _cell(row.share),
                ),
            )

    def _ledger(self) -> Iterator[Row]:
        for row in self._view.ledger.rows:
            yield Row(
                id=f"ledger_{row.cause}",
                cells=(
                    Cell(row.cause, clean(row.name)),
                    Cell(row.lasted.value, row.lasted.text),
                    Cell(row.lost.value, row.lost.text),
                    Cell(row.steps.value, row.steps.text),
                    Cell(row.share.value, row.share.text),
                ),
            )

    def _gpu(self) -> Iterator[Row]:
        gpu, texts = self._view.gpu, self.texts
        if gpu.telemetry == "none" and gpu.peak.value is None:
            yield _pair("card", texts.card, None, gpu.message)
            return
        if gpu.title:
            yield _pair("card", texts.card, gpu.title, gpu.title)
        yield _pair("peak_temperature_c", texts.peak, gpu.peak.value, gpu.peak.text)
        if gpu.marks:
            text = self._look.words.comma.join(mark.text for mark in gpu.marks)
            yield _pair("limits", texts.limits, text, text)
        yield from self._heat()
        yield _pair("energy_kwh", texts.energy, gpu.energy.value, gpu.energy.text)

    def _heat(self) -> Iterator[Row]:
        """How long the card was slowed by heat, and what that has cost: two numbers."""
        texts, words = self.texts, self._look.words
        heat = self._history.ledger.slowed("heat")
        if heat is None:
            yield _pair("throttled_s", texts.throttled, None, texts.unknown)
            return
        lasted = fmt.duration(heat.lasted_s, words)
        yield _pair("throttled_s", texts.throttled, round(heat.lasted_s, 1), lasted)
        if heat.lasted_s > 0:
            lost = figure(heat.lost_s, lambda s: fmt.duration(s, words), texts.unknown)
            yield _pair("throttled_lost_s", texts.throttled_lost, lost.value, lost.text)

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
        if self._view.damaged_lines.text:
            yield self._view.damaged_lines.text
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


def _cell(told: Figure) -> Cell:
    return Cell(told.value, told.text)


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
