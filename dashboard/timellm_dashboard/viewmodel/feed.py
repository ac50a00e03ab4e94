"""The event feed: what happened, one sentence each, the newest last."""

from datetime import datetime
from typing import Literal, assert_never

from msgspec import Struct

from timellm_dashboard.folds.history import FeedItem, History
from timellm_dashboard.viewmodel.headline import rule_name
from timellm_dashboard.viewmodel.look import Look
from timellm_dashboard.words import format as fmt
from timellm_dashboard.words.phrases import named, said, said_of_data, without_command
from timellm_dashboard.words.text import Lang, Words
from timellm_ops.contract import events as ev
from timellm_ops.contract.counting import Count
from timellm_ops.contract.dwell import until_told

Severity = Literal["quiet", "info", "good", "warning", "error"]

_Told = tuple[Severity, str]


class FeedLine(Struct, frozen=True, kw_only=True):
    """An event for the eye. `time` is empty where nobody knows when it was."""

    seq: int
    at: datetime | None
    time: str
    severity: Severity
    text: str


def feed_lines(history: History, look: Look) -> tuple[FeedLine, ...]:
    """The latest events that are worth telling, oldest first."""
    return tuple(_line(item, look) for item in history.feed)


class FeedMemory:
    """Remembers the lines: they are told anew only for another event or another look."""

    def __init__(self) -> None:
        self._key: tuple[object, ...] = ()
        self._lines: tuple[FeedLine, ...] = ()

    def lines(self, history: History, look: Look) -> tuple[FeedLine, ...]:
        """What `feed_lines` gives."""
        key = (history.feed_total, look.shown_lang, look.zone)
        if key != self._key:
            self._key, self._lines = key, feed_lines(history, look)
        return self._lines


def _line(item: FeedItem, look: Look) -> FeedLine:
    severity, text = told(item, look)
    at = item.event.at
    return FeedLine(
        seq=item.seq,
        at=at,
        time="" if at is None else fmt.time_of_day(at, look.zone),
        severity=severity,
        text=text,
    )


def told(item: FeedItem, look: Look) -> tuple[Severity, str]:
    """What an event says, and how serious it is."""
    words, lang = look.words, look.shown_lang
    match item.event:
        case ev.RunStarted() as event:
            return "info", _run_started(event, words)
        case ev.PreflightDone() as event:
            return "quiet", " ".join(said_of_data(finding, lang) for finding in event.findings)
        case ev.EngineStarted() as event:
            return "quiet", words.ev_engine_started.format(pid=event.pid)
        case ev.TrainingStarted() as event:
            return "info", _training(event, words)
        case ev.Adopted() as event:
            ended = event.engine_pid is None
            return "warning", words.ev_adopted_ended if ended else words.ev_adopted
        case ev.EngineExited() as event:
            return _exited(event, words)
        case ev.EngineFailed() as event:
            return "error", words.ev_failed.format(message=said(event.message, lang))
        case ev.EngineRestart() as event:
            reason, time = said(event.reason, lang), fmt.duration(event.wait_s, words)
            return "warning", words.ev_restart.format(reason=reason, time=time)
        case ev.RunEnded() as event:
            return _run_ended(event, look)
        case ev.EpochStarted() as event:
            if item.iteration == 0:
                return "quiet", words.ev_epoch.format(epoch=event.epoch)
            step = fmt.count(item.iteration)
            return "quiet", words.ev_epoch_goes_on.format(epoch=event.epoch, step=step)
        case ev.HeadProgress() as event:
            return "quiet", words.ev_head.format(windows=Count(event.total))
        case ev.HeadSolved() as event:
            return "info", words.ev_head_solved.format(
                windows=Count(event.windows),
                mse=fmt.loss(event.vali_mse),
                time=fmt.duration(event.seconds, words),
            )
        case ev.EvaluationProgress() as event:
            vali = event.split == "vali"
            return "quiet", words.ev_evaluating_vali if vali else words.ev_evaluating_test
        case ev.EpochEnded() as event:
            return "info", _epoch(event, words)
        case ev.LearningRateChanged() as event:
            return "quiet", words.ev_lr.format(lr=fmt.rate(event.lr))
        case ev.EarlyStopping() as event:
            return _early(event, words)
        case ev.TestEvaluated() as event:
            return "good", words.ev_final.format(
                mse=fmt.loss(event.mse), mae=fmt.loss(event.mae), windows=Count(event.windows)
            )
        case ev.CheckpointSaved() as event:
            return _saved(event, words)
        case ev.CheckpointFailed() as event:
            message = said(event.message, lang)
            return "error", words.ev_not_saved.format(kind=event.kind, message=message)
        case ev.Paused() as event:
            signal = event.by == "signal"
            return "warning", words.ev_paused_signal if signal else words.ev_paused
        case ev.Resumed():
            if item.seconds is None:
                return "info", words.ev_went_on
            time = fmt.duration(item.seconds, words)
            return "info", words.ev_went_on_after.format(time=time)
        case ev.Paced() as event:
            return "info", words.ev_paced.format(share=fmt.percent(event.duty))
        case ev.PowerLimitSet() as event:
            return "info", words.ev_power_limit.format(watts=f"{event.limit_w:g}")
        case ev.PowerLimitRefused() as event:
            return "warning", words.ev_power_refused.format(
                watts=f"{event.limit_w:g}", reason=said(event.reason, lang)
            )
        case ev.Command() as event:
            return "info", _command(event, words, lang)
        case ev.PolicyDecision() as event:
            return _decision(event, look)
        case ev.RulesOverridden() as event:
            rules = ", ".join(rule_name(rule, words) for rule in event.rules)
            time = fmt.duration(event.for_s, words)
            who = named(event.who, lang)
            return "warning", words.ev_overridden.format(who=who, time=time, rules=rules)
        case ev.PolicyChanged() as event:
            settings = said(", ".join(event.settings), "en")
            return "info", words.ev_policy.format(who=named(event.who, lang), settings=settings)
        case ev.TelemetryLost() as event:
            return _telemetry_lost(event, look)
        case ev.Alert() as event:
            return event.level, said(event.message, lang)
        case (
            ev.Progress()
            | ev.ForecastsTimed()
            | ev.Telemetry()
            | ev.HostTelemetry()
            | ev.ControlAcknowledged()
            | ev.CheckpointWriting()
            | ev.TrainingFinished()
        ) as event:
            return "quiet", type(event).__name__
        case _:
            assert_never(item.event)


def _run_started(event: ev.RunStarted, words: Words) -> str:
    text = words.ev_run_resumed if event.resumed else words.ev_run_started
    told = {"none": words.ev_gpu_none, "simulated": words.ev_gpu_simulated}.get(event.gpu, "")
    return f"{text} · {told}" if told and event.engine != "imported" else text


def _training(event: ev.TrainingStarted, words: Words) -> str:
    return words.ev_training.format(
        samples=Count(event.train_samples),
        steps=Count(event.steps_per_epoch),
        epochs=Count(event.epochs),
    )


def _exited(event: ev.EngineExited, words: Words) -> _Told:
    if event.signal is not None:
        return "warning", words.ev_exited_signal.format(signal=event.signal)
    if event.code is None:
        return "warning", words.ev_exited_unknown
    return ("quiet" if event.code == 0 else "error"), words.ev_exited.format(code=event.code)


def _run_ended(event: ev.RunEnded, look: Look) -> _Told:
    severities: dict[ev.Outcome, Severity] = {
        "finished": "good", "stopped": "info", "stopped_for_hardware": "error", "failed": "error",
        "refused": "error",
    }  # fmt: skip
    word: str = getattr(look.words, event.outcome)
    reason = said(without_command(event.reason), look.shown_lang)
    return severities[event.outcome], f"{word} · {reason}" if reason else word


def _epoch(event: ev.EpochEnded, words: Words) -> str:
    text = words.ev_epoch_ended.format(
        epoch=event.epoch, train=fmt.loss(event.train_mse), vali=fmt.loss(event.vali_mse)
    )
    if event.test_mse is not None and event.test_mae is not None:
        mse, mae = fmt.loss(event.test_mse), fmt.loss(event.test_mae)
        text += words.ev_epoch_test.format(mse=mse, mae=mae)
    if event.seconds is not None:
        text += words.ev_epoch_took.format(time=fmt.duration(event.seconds, words))
    return text


def _early(event: ev.EarlyStopping, words: Words) -> _Told:
    if event.stopped:
        return "warning", words.ev_early_stop.format(patience=Count(event.patience))
    return "info", words.ev_no_improvement.format(counter=event.counter, patience=event.patience)


def _saved(event: ev.CheckpointSaved, words: Words) -> _Told:
    saved = {
        "best": words.ev_saved_best, "last": words.ev_saved_last, "step": words.ev_saved_step,
    }  # fmt: skip
    parts = [saved[event.kind]]
    if event.kind != "best" and event.epoch is not None and event.iteration:
        step = fmt.count(event.iteration)
        parts.append(words.saved_mid_epoch.format(epoch=event.epoch, step=step))
    elif event.epoch is not None:
        parts.append(words.saved_in_epoch.format(epoch=event.epoch))
    if event.vali_mse is not None:
        parts.append(words.vali.format(mse=fmt.loss(event.vali_mse)))
    if event.bytes > 0:
        parts.append(fmt.storage(event.bytes))
    return "good" if event.kind == "best" else "quiet", " · ".join(parts)


def _command(event: ev.Command, words: Words, lang: Lang) -> str:
    known = {
        "pause": words.cmd_pause,
        "resume": words.cmd_resume,
        "stop checkpoint": words.cmd_stop_checkpoint,
        "stop after_checkpoint": words.cmd_stop_after_checkpoint,
        "stop now": words.cmd_stop_now,
        "stop kill": words.cmd_stop_kill,
    }
    what = known.get(event.what, said(event.what, "en"))
    return words.ev_command.format(who=named(event.who, lang), what=what)


def _decision(event: ev.PolicyDecision, look: Look) -> _Told:
    words, lang = look.words, look.shown_lang
    actions = {
        "pause": words.act_pause,
        "resume": words.act_resume,
        "pace": words.act_pace,
        "stop": words.act_stop,
        "alert": words.act_alert,
    }
    severities: dict[ev.Action, Severity] = {
        "pause": "warning", "resume": "info", "pace": "info", "stop": "error", "alert": "warning",
    }  # fmt: skip
    action = words.act_renewed if event.renewed else actions[event.action]
    parts = [
        f"{rule_name(event.rule, words)}{words.colon}{action}",
        said(event.reason, lang),
    ]
    until = event.until
    if not event.renewed:  # the times of one that lasts already count from its begin
        until = until_told(
            event.until, least_s=event.least_s, expected_s=event.expected_s, passed_s=0.0
        )
    if until:
        parts.append(said(until, lang))
    return severities[event.action], " · ".join(parts)


def _telemetry_lost(event: ev.TelemetryLost, look: Look) -> _Told:
    words = look.words
    reason = said(event.reason, look.shown_lang)
    if event.permanent:
        return "info", words.ev_telemetry_gone.format(reason=reason)
    if event.asleep:
        return "info", words.ev_telemetry_asleep.format(reason=reason)
    return "warning", words.ev_telemetry_lost.format(reason=reason)
