"""The output of a program that a pattern file describes, as events.

It holds no times, so the events have none. The events depend on the bytes alone, never on how they
were split, except where a search was ended because it took too long.
"""

import math
from collections.abc import Mapping
from typing import assert_never

from msgspec import UNSET

from timellm_ops.adapters.accounted_events import AccountedEvents
from timellm_ops.adapters.log_pieces import LogPieces, Piece
from timellm_ops.adapters.pattern_fields import EventName, Value
from timellm_ops.adapters.pattern_file import CompiledPattern, Patterns
from timellm_ops.adapters.pattern_matcher import Match, Matcher, too_slow
from timellm_ops.adapters.pattern_training import PatternTraining, Place
from timellm_ops.adapters.single_training import Whereabouts
from timellm_ops.adapters.thinning import Thinning
from timellm_ops.contract import events as ev

MOST_ALERTS = 200
"""Of different words, that patterns may raise in one log."""

ANOTHER_TRAINING = "another training begins here: its steps count from the beginning again"


_OF_A_PROGRESS: tuple[EventName, ...] = ("speed", "bar")
"""What may add to a progress record that was just said."""
_ONCE: tuple[EventName, ...] = ("learning_rate", "early_stopping", "checkpoint")
"""What several processes may say of the same thing."""
_MANY: tuple[EventName, ...] = (*_OF_A_PROGRESS, "progress", "evaluation", "learning_rate")
"""What may come with every step."""
_OF_A_HELD = 4
"""Events that a progress record may come to: results, another training, an epoch, itself."""


class PatternLog:
    """Takes the output in chunks, split anywhere, and gives the events they complete.

    Each event comes with how many bytes of the output it accounts for; no two have the same.
    """

    def __init__(self, patterns: Patterns) -> None:
        self._matcher = Matcher(patterns)
        self._pieces = LogPieces()
        self._training = PatternTraining(one_epoch=not patterns.tells_epochs)
        self._bars_tell = not patterns.has("progress")
        self._holds = patterns.has(*_OF_A_PROGRESS)
        self._held: tuple[Match, int] | None = None  # a progress record; more may be said of it
        self._windows: int | None = None
        self._left_out: tuple[ev.Progress, int] | None = None  # the newest, not told
        self._was_finite = True
        self._steps, self._rates, self._evaluations = Thinning(), Thinning(), Thinning()
        self._told: set[str] = set()
        self._repeated: set[tuple[int, tuple[tuple[str, Value], ...]]] = set()
        self._found = AccountedEvents()

    def feed(self, data: bytes) -> list[tuple[ev.Event, int]]:
        """The events that are complete with these bytes, in order."""
        with self._matcher.clock.limited():
            for piece in self._pieces.feed(data):
                self._piece(piece)
        return self._handed_out()

    def finish(self) -> list[tuple[ev.Event, int]]:
        """What was held back. Nothing may be fed after this."""
        self._release()
        self._catch_up()
        return self._handed_out()

    def whereabouts(self) -> Whereabouts:
        """How far the last training in the output has come."""
        return self._training.whereabouts()

    def _piece(self, piece: Piece) -> None:
        for match in self._matcher.matches(piece.text):
            if isinstance(match, CompiledPattern):
                self._add(piece.end, ev.Alert(level="warning", message=too_slow(match)))
                continue
            event = match.said.event
            if event not in _OF_A_PROGRESS:
                self._release()
            if event == "progress" and self._holds:
                self._held = (match, piece.end)
            else:
                self._said(match, piece.end)

    def _said(self, match: Match, end: int) -> None:
        training, said = self._training, match.said
        if said.event in _ONCE and self._is_repeated(match):
            return
        if said.event not in _MANY:
            self._catch_up()
        match said.event:
            case "training":
                training.shaped(
                    match.count("epochs"),
                    match.count("steps_per_epoch"),
                    match.count("total_steps"),
                )
            case "bar":
                self._bar(match, end)
            case "speed":
                self._complete(match, end)
            case "progress":
                self._progress(match, {}, end)
            case "epoch_started":
                training.shaped(match.count("epochs"), match.count("steps"), None)
                self._began(match.count("epoch") or training.epoch + 1, end)
            case "evaluation":
                self._evaluating(match, end)
            case "epoch_trained":
                training.trained(match.count("epoch"), match.finite("seconds"))
            case "epoch_ended":
                self._evaluated(match, end)
            case "learning_rate":
                lr = match.finite("lr")
                if lr is not None and self._rates.keeps():
                    self._add(end, ev.LearningRateChanged(lr=lr))
            case "early_stopping":
                self._counted(match, end)
            case "checkpoint":
                self._saves(match, end)
            case "test":
                self._tested(match, end)
            case "finished":
                self._add(end, *training.last_results())
                if training.epoch > 0 and not training.over:
                    self._add(end, ev.TrainingFinished(epoch=training.epoch))
                training.over = True
            case "failed":
                words = match.text("message") or said.message or "the script says it has failed"
                self._add(end, ev.EngineFailed(message=words))
            case "alert":
                words = match.text("message") or said.message or "the script warns"
                self._alert(words, said.level, end)
            case _:
                assert_never(said.event)

    def _is_repeated(self, match: Match) -> bool:
        """Whether the same was said since training last moved on: by another process, then."""
        key = (match.pattern.number, tuple(match.fields.items()))
        repeated = key in self._repeated
        self._repeated.add(key)
        return repeated

    def _alert(self, words: str, level: ev.AlertLevel, end: int) -> None:
        """The same words are told once: a warning may come with every step."""
        if words not in self._told and len(self._told) < MOST_ALERTS:
            self._told.add(words)
            self._add(end, ev.Alert(level=level, message=words))

    def _evaluating(self, match: Match, end: int) -> None:
        done, total = match.count("done"), match.count("total")
        if done is not None and total is not None and self._evaluations.keeps():
            split, epoch = match.said.split, self._training.epoch or None
            self._add(end, ev.EvaluationProgress(split=split, done=done, total=total, epoch=epoch))

    def _saves(self, match: Match, end: int) -> None:
        training, kind = self._training, match.said.kind
        epoch, iteration = match.count("epoch") or training.epoch, training.iteration
        step = match.count("step")
        if step is not None:
            epoch, iteration = training.place(epoch=match.count("epoch"), step=step)
        writing = ev.CheckpointWriting(
            kind=kind,
            epoch=epoch or None,
            iteration=None if kind == "best" else iteration or None,
            vali_mse=match.finite("vali"),
            previous_vali_mse=match.finite("previous_vali"),
            path=match.text("path"),
        )
        self._add(end, writing)

    def _bar(self, match: Match, end: int) -> None:
        step, total = match.count("step") or 0, match.count("total") or 0
        of_run = match.said.over == "run"
        known = self._training.bar(step, total, of_run=of_run)
        if not known and self._training.over and self._held is not None:
            # The bar that is redrawn below a progress record is the one of that training.
            self._another(self._training.next_training(), end)
            known = self._training.bar(step, total, of_run=of_run)
        if known and self._bars_tell:
            self._told_by_bar(match, step, end, of_run=of_run)
        elif known:
            self._complete(match, end)

    def _told_by_bar(self, match: Match, step: int, end: int, *, of_run: bool) -> None:
        """A program that prints a bar and no loss: where the bar is, training is. The bar of an
        epoch that begins again is the next epoch's."""
        training = self._training
        if step == 0:
            return
        if of_run:
            place = training.place(step=step)
        else:
            again = training.epoch == 0 or step < training.iteration
            place = Place(training.epoch + 1 if again else training.epoch, step)
        self._moved(match, {}, place, end)

    def _complete(self, more: Match, end: int) -> None:
        """The other half of the progress record that is held."""
        if self._held is not None:
            (progress, _), self._held = self._held, None
            self._progress(progress, more.fields, end)

    def _release(self) -> None:
        """What was held back will not become more than it is."""
        if self._held is not None:
            (progress, end), self._held = self._held, None
            self._progress(progress, {}, end)

    def _progress(self, match: Match, more: Mapping[str, Value], end: int) -> None:
        place = self._training.place(
            epoch=match.count("epoch"),
            epochs_done=match.finite("epochs_done"),
            iteration=match.count("iteration"),
            step=match.count("step"),
            total=match.count("total"),
        )
        if self._training.is_of_another(place) and not self._training.is_known(place):
            self._another(self._training.next_training(), end)
            self._progress(match, more, end)
            return
        self._moved(match, more, place, end)

    def _moved(self, match: Match, more: Mapping[str, Value], place: Place, end: int) -> None:
        """Training stands at `place`."""
        if self._training.is_known(place):
            return
        epoch, iteration = place
        loss = match.number("loss")
        if epoch > self._training.epoch:
            self._began(epoch, end)
        self._announce(end)
        self._training.moved(iteration, loss)
        self._repeated.clear()
        merged = Match(match.pattern, {**more, **match.fields})
        progress = ev.Progress(
            iteration=iteration,
            epoch=epoch,
            loss=UNSET if loss is None else loss,
            seconds_per_iteration=_pace_s(merged),
            left_seconds=merged.finite("left_seconds"),
            lr=merged.finite("lr"),
            grad_norm=merged.finite("grad_norm"),
        )
        self._left_out = (progress, end)
        finite = loss is None or math.isfinite(loss)
        diverged = self._was_finite and not finite
        self._was_finite = finite
        if self._steps.keeps() or diverged:
            self._catch_up()

    def _catch_up(self) -> None:
        """Tell where training stands, where that was left out because there is so much of it."""
        if self._left_out is not None:
            (progress, end), self._left_out = self._left_out, None
            self._add(end, progress)

    def _another(self, training: PatternTraining, end: int) -> None:
        self._catch_up()
        self._add(end, *self._training.last_results())
        self._training = training
        self._add(end, ev.Alert(level="info", message=ANOTHER_TRAINING))

    def _began(self, epoch: int, end: int) -> None:
        """An epoch begins; what the last one was evaluated to is final."""
        training = self._training
        if epoch == training.epoch:
            return
        self._catch_up()
        self._add(end, *training.last_results())
        if epoch < training.epoch:
            self._another(training.next_training(), end)
            training = self._training
        training.began(epoch)
        self._announce(end)

    def _announce(self, end: int) -> None:
        """Tell of the present epoch, and again where more has become known of its shape."""
        training = self._training
        now = (training.epoch, training.steps_per_epoch, training.epochs)
        if training.announced != now:
            training.announced = now
            epoch, steps, epochs = now
            self._add(end, ev.EpochStarted(epoch=epoch, steps=steps, epochs=epochs))

    def _evaluated(self, match: Match, end: int) -> None:
        training = self._training
        training.shaped(None, match.count("steps"), None)
        done = match.finite("epochs_done")
        epoch, whole = training.evaluated_epoch(match.count("epoch"), done)
        if epoch <= training.ended or done == 0.0:
            return
        if epoch > training.epoch:
            self._began(epoch, end)
        self._announce(end)
        vali, train = match.number("vali"), match.number("train")
        assert vali is not None  # noqa: S101 - it must be there
        results = ev.EpochEnded(
            epoch=epoch,
            train_mse=training.mean_loss if train is None else train,
            vali_mse=vali,
            test_mse=match.number("test"),
            test_mae=match.number("test_mae"),
            vali_mae=match.number("vali_mae"),
            seconds=match.finite("seconds") or training.seconds_of(epoch),
            evaluation_seconds=match.finite("evaluation_seconds"),
        )
        training.results = results
        self._repeated.clear()
        if whole:
            self._add(end, *training.last_results())

    def _counted(self, match: Match, end: int) -> None:
        training = self._training
        counter, patience = match.count("counter"), match.count("patience")
        if counter is None or patience is None:
            if training.counted is None:
                return
            counter, patience = training.counted.counter, training.counted.patience
        stopped = match.said.stopped or counter >= patience
        counted = ev.EarlyStopping(counter=counter, patience=patience, stopped=stopped)
        training.over = training.over or match.said.stopped
        known = training.counted is not None and training.counted.stopped
        training.counted = counted
        if not (known and stopped):
            self._add(end, counted)

    def _tested(self, match: Match, end: int) -> None:
        windows = match.count("windows")
        self._windows = self._windows if windows is None else windows
        mse, mae = match.number("mse"), match.number("mae")
        if mse is None or mae is None or self._windows is None:
            return
        self._add(end, ev.TestEvaluated(mse=mse, mae=mae, windows=self._windows))

    def _add(self, end: int, *events: ev.Event) -> None:
        self._found.add(end, *events)

    def _handed_out(self) -> list[tuple[ev.Event, int]]:
        return self._found.handed_out(self._still_to_come)

    def _still_to_come(self, end: int) -> int:
        """Events that may yet be told of the piece that ends there."""
        held = _OF_A_HELD if self._held is not None and self._held[1] == end else 0
        left_out = 1 if self._left_out is not None and self._left_out[1] == end else 0
        return held + left_out


def _pace_s(match: Match) -> float | None:
    """Seconds of an iteration."""
    pace_s, rate = match.finite("seconds_per_iteration"), match.finite("iterations_per_second")
    return 1.0 / rate if pace_s is None and rate else pace_s
