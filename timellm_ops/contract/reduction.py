"""`reduce(state, event) -> state`: pure, total, and the only way a `RunState` changes."""

import math
from datetime import datetime
from typing import assert_never

import msgspec

from timellm_ops.contract import events as ev
from timellm_ops.contract.commands import StopMode, asker, stronger
from timellm_ops.contract.reboot import is_another_boot, latest_second, of_another_boot
from timellm_ops.contract.state import (
    EpochRow,
    Evaluation,
    Hold,
    Notice,
    Override,
    Pace,
    Pass,
    PowerControl,
    RunState,
    SavedCheckpoint,
    Told,
    TrainingRecord,
)
from timellm_ops.contract.telemetry import PowerLimits

KEPT_NOTICES = 50
KEPT_TRAINING_RECORDS = 64
_WORDS = frozenset(ev.WORDS_OF_THE_ENGINE)
_LOSS_SMOOTHING = 0.1
_SPEED_SMOOTHING = 0.2

_replace = msgspec.structs.replace


def reduce(state: RunState, event: ev.Event) -> RunState:
    """The state after `event`. Never raises; what tells nothing new changes nothing."""
    return _apply(_advance(state, event), event)


def _advance(state: RunState, event: ev.Event) -> RunState:
    """Move the clocks on. Seconds that run backwards count as none, and none of them twice."""
    if event.t is None:
        return state if event.at is None else _replace(state, updated_at=event.at)
    t, kind = event.t, type(event)
    if state.t is not None and t < state.t:
        if is_another_boot(state.t, t):
            state = of_another_boot(state, t, event.at)
        t = latest_second(state.t, t)
    # Between a supervisor that vanished and one that starts the run anew, nothing was running.
    counted = state.outcome is None and kind is not ev.RunStarted
    if isinstance(event, ev.Adopted) and event.engine_pid is None and state.exited_at is not None:
        counted = False  # nor before one that finds the engine's end on record, but not the run's
    passed = t - state.t if counted and state.t is not None and t > state.t else 0.0
    if state.overrides:
        state = _without_ended_overrides(state, t, event.at)
    if state.standing and kind is not ev.Adopted:
        state = _replace(state, paused_s=state.paused_s + passed)
    # Every field named here costs time, and a long journal has a hundred thousand records.
    at, active_s = event.at or state.updated_at, state.active_s + passed
    if kind in _WORDS:
        return _replace(state, t=t, updated_at=at, active_s=active_s, engine_word_t=t)
    return _replace(state, t=t, updated_at=at, active_s=active_s)


def _without_ended_overrides(state: RunState, now_t: float, now_at: datetime | None) -> RunState:
    kept = tuple(o for o in state.overrides if o.in_force(now_t, now_at))
    return _replace(state, overrides=kept)


def _apply(state: RunState, event: ev.Event) -> RunState:
    match event:
        # Nearly all of a long journal is these two; cases are tried one after the other.
        case ev.Telemetry():
            return _telemetry(state, event)
        case ev.Progress():
            return _progress(state, event)
        case ev.RunStarted():
            return _run_started(state, event)
        case ev.PreflightDone():
            return state
        case ev.EngineStarted():
            return _replace(
                _moving(state),
                moving_since_t=event.t,
                engine_pid=event.pid,
                engine_started_t=event.t,
                exited_at=None,
                engine_word_t=None,
                activity="starting",
            )
        case ev.TrainingStarted():
            return _training_started(state, event)
        case ev.Adopted():
            return _replace(
                state,
                supervisor_pid=event.supervisor_pid,
                engine_pid=event.engine_pid,
                exited_at=state.exited_at if event.engine_pid is None else None,
                watched_since_t=event.t,
            )
        case ev.EngineExited():
            return _replace(
                _moving(state),
                engine_pid=None,
                exited_at=state.exited_at or event.at,
                solving=None,
                evaluation=None,
                writing=None,
            )
        case ev.EngineFailed():
            return _replace(state, failure=event.message)
        case ev.EngineRestart():
            return _restart(state, event)
        case ev.RunEnded():
            return _replace(
                _moving(state),
                iteration=_iteration_known(state),
                outcome=event.outcome,
                exit_code=event.exit_code,
                ended_at=state.exited_at or event.at or state.updated_at,
                end_reason=event.reason,
                holds=(),
                engine_pid=None,
                solving=None,
                evaluation=None,
                writing=None,
            )
        case ev.EpochStarted():
            return _epoch_started(state, event)
        case ev.HeadProgress():
            gap_s = _gap_s(state.solving, event)
            read = Pass(done=event.done, total=event.total, told_t=event.t, gap_s=gap_s)
            return _replace(state, solving=read)
        case ev.HeadSolved():
            return _replace(state, solving=None)
        case ev.ForecastsTimed():
            return _replace(state, windows_per_second=event.windows_per_second)
        case ev.EvaluationProgress():
            return _replace(
                state, activity="evaluating", evaluation=_evaluation(state.evaluation, event)
            )
        case ev.EpochEnded():
            return _epoch_ended(state, event)
        case ev.LearningRateChanged():
            return _replace(state, lr=event.lr)
        case ev.EarlyStopping():
            return _replace(
                state,
                early_counter=event.counter,
                patience=event.patience,
                early_stopped=event.stopped,
            )
        case ev.TestEvaluated():
            return _replace(state, final_mse=event.mse, final_mae=event.mae, evaluation=None)
        case ev.TrainingFinished():
            return _replace(state, evaluation=None)
        case ev.CheckpointWriting():
            return _checkpoint_writing(state, event)
        case ev.CheckpointSaved():
            return _checkpoint_saved(state, event)
        case ev.CheckpointFailed():
            message = f"checkpoint {event.kind!r} was not written: {event.message}"
            return _notice(_replace(state, writing=None), "error", message, event)
        case ev.ControlAcknowledged():
            return _replace(state, acknowledged=event.sequence, duty=event.duty)
        case ev.Paused():
            return _paused(state, event)
        case ev.Resumed():
            return _replace(_moving(state), moving_since_t=event.t)
        case ev.Paced():
            return _replace(state, duty=event.duty)
        case ev.PowerLimitSet():
            power = state.power
            return state if power is None else _with_power(state, power, limit_w=event.limit_w)
        case ev.PowerLimitRefused():
            return _power_limit_refused(state, event)
        case ev.Command():
            return _command(state, event)
        case ev.PolicyDecision():
            return _decision(state, event)
        case ev.RulesOverridden():
            return _overridden(state, event)
        case ev.PolicyChanged():
            return _policy_changed(state, event)
        case ev.TelemetryLost():
            return _telemetry_lost(state, event)
        case ev.HostTelemetry():
            return _replace(state, host=event.sample, host_t=event.t)
        case ev.Alert():
            return _notice(state, event.level, event.message, event)
        case _:
            assert_never(event)


def _run_started(state: RunState, event: ev.RunStarted) -> RunState:
    """A resumed run keeps what it has learned; what belongs to a living process starts anew."""
    return _replace(
        _moving(state),
        run_id=event.run_id,
        name=event.name,
        engine=event.engine,
        gpu=event.gpu,
        resumed=event.resumed,
        started_at=state.started_at or event.at,
        supervisor_pid=event.supervisor_pid,
        engine_pid=None,
        activity="starting",
        holds=(),
        resumed_t=None,
        overrides=(),
        told=(),
        duty=1.0,
        pace=Pace(),
        moving_since_t=None,
        power=None if state.power is None else _replace(state.power, refused=False),
        stop=None,
        stop_reason="",
        stopping_for_hardware=False,
        stopping_for_failure=False,
        outcome=None,
        exit_code=None,
        ended_at=None,
        exited_at=None,
        end_reason="",
        failure="",
        solving=None,
        evaluation=None,
        writing=None,
        recent_training=(),
        engine_started_t=None,
        engine_word_t=None,
        sample=None,
        sample_t=None,
        telemetry_problem="",
        telemetry_gone=False,
        telemetry_asleep=False,
        gpu_lost_t=None,
        gpu_lost_reason="",
        ecc_errors_before=None,
        host=None,
        host_t=None,
        watched_since_t=event.t,
    )


def _restart(state: RunState, event: ev.EngineRestart) -> RunState:
    planned = _replace(
        state,
        activity="restarting",
        exited_at=None,
        restart_reason=event.reason,
        restart_t=None if event.t is None else event.t + event.wait_s,
        restarts=state.restarts + 1,
        pieces=event.pieces,
        failure="",
    )
    return _notice(planned, "warning", f"{event.reason}; it is started again", event)


def _training_started(state: RunState, event: ev.TrainingStarted) -> RunState:
    if event.start_epoch <= 1 and event.start_iteration == 0:
        # An attempt before it has left nothing behind, so its losses are of another model.
        state = _replace(state, loss=None, smoothed_loss=None, smoothed_weight=0.0, grad_norm=None)
    return _replace(
        state,
        activity="training",
        epochs=event.epochs,
        steps_per_epoch=event.steps_per_epoch,
        batch_size=event.batch_size,
        train_samples=event.train_samples,
        vali_samples=event.vali_samples,
        test_samples=event.test_samples,
        trainable_parameters=event.trainable_parameters,
        frozen_parameters=event.frozen_parameters,
        backbone=event.backbone,
        device=event.device,
        patience=event.patience,
        loss_name=event.loss,
        test=event.test,
        min_delta=event.min_delta,
        epoch=event.start_epoch,
        iteration=event.start_iteration,
        solving=None,
    )


def _evaluation(before: Evaluation | None, event: ev.EvaluationProgress) -> Evaluation:
    """The evaluation under way: the one before, further on, or another one."""
    same = before if before is not None and before.split == event.split else None
    gap_s = _gap_s(same, event)
    return Evaluation(
        split=event.split, done=event.done, total=event.total, told_t=event.t, gap_s=gap_s
    )


def _gap_s(before: Pass | None, event: ev.EvaluationProgress | ev.HeadProgress) -> float | None:
    """The shortest time between two words of a pass, with `event`; `None` where it is its first."""
    if before is None or before.done >= event.done:
        return None
    if before.told_t is None or event.t is None or event.t <= before.told_t:
        return before.gap_s
    passed_s = event.t - before.told_t
    return passed_s if before.gap_s is None else min(before.gap_s, passed_s)


def _epoch_started(state: RunState, event: ev.EpochStarted) -> RunState:
    if state.engine != "timellm" and any(row.epoch >= event.epoch for row in state.rows):
        state = _another_training(state)
    return _replace(
        state,
        activity="training",
        epoch=event.epoch,
        iteration=0 if event.epoch != state.epoch else state.iteration,
        epochs=event.epochs or state.epochs,
        steps_per_epoch=event.steps or state.steps_per_epoch,
        evaluation=None,
    )


def _another_training(state: RunState) -> RunState:
    """A script may train several times, one after the other. What was said of one is not true of
    the next, and a checkpoint of the one holds nothing of the other."""
    return _replace(
        state,
        epochs=None,
        steps_per_epoch=None,
        epoch=0,
        rows=(),
        best_epoch=None,
        best_vali_mse=None,
        best=None,
        early_counter=0,
        early_stopped=False,
        smoothed_loss=None,
        smoothed_weight=0.0,
        seconds_per_iteration=None,
        recent_training=(),
    )


def _progress(state: RunState, event: ev.Progress) -> RunState:
    speed, measured = state.seconds_per_iteration, event.seconds_per_iteration
    loss = event.known_loss
    smoothed_loss, smoothed_weight = _smoothed_loss(state, loss)
    if measured is not None:
        speed = _smooth(speed, measured, _SPEED_SMOOTHING)
    return _replace(
        state,
        activity="training",
        epoch=event.epoch,
        iteration=event.iteration,
        loss=state.loss if loss is None else loss,
        smoothed_loss=smoothed_loss,
        smoothed_weight=smoothed_weight,
        seconds_per_iteration=speed,
        engine_left_seconds=event.left_seconds,
        lr=event.lr if event.lr is not None else state.lr,
        grad_norm=event.grad_norm,
        recent_training=_with_record(state, event),
        evaluation=None,
    )


def _with_record(state: RunState, event: ev.Progress) -> tuple[TrainingRecord, ...]:
    same_epoch = event.epoch == state.epoch
    iterations = event.iteration - state.iteration if same_epoch else event.iteration
    record = TrainingRecord(event.known_loss, event.seconds_per_iteration, max(1, iterations))
    return (*state.recent_training, record)[-KEPT_TRAINING_RECORDS:]


def _smoothed_loss(state: RunState, loss: float | None) -> tuple[float | None, float]:
    """The exponential mean of the losses and the weights in it. Divided by those weights, the first
    losses count like any other; else the very first, the highest of all, would weigh for long
    (Kingma and Ba, "Adam", ICLR 2015, section 3). It begins anew after a value that was not finite.
    """
    mean, weight = state.smoothed_loss, state.smoothed_weight
    if loss is None:
        return mean, weight
    if mean is None or not math.isfinite(mean):
        return loss, _LOSS_SMOOTHING
    weight += _LOSS_SMOOTHING * (1.0 - weight)
    return mean + _LOSS_SMOOTHING / weight * (loss - mean), weight


def _smooth(previous: float | None, value: float, share: float) -> float:
    """The exponential mean. It begins anew after a value that was not finite."""
    if previous is None or not math.isfinite(previous):
        return value
    return previous + share * (value - previous)


def _epoch_ended(state: RunState, event: ev.EpochEnded) -> RunState:
    row = EpochRow(
        epoch=event.epoch,
        train_mse=event.train_mse,
        vali_mse=event.vali_mse,
        test_mse=event.test_mse,
        test_mae=event.test_mae,
        seconds=event.seconds,
        evaluation_seconds=event.evaluation_seconds,
        lr=event.lr if event.lr is not None else state.lr,
    )
    kept = tuple(r for r in state.rows if r.epoch != event.epoch)
    rows = tuple(sorted((*kept, row), key=lambda r: r.epoch))
    best = _best_of(rows, state.min_delta)
    return _replace(
        state,
        rows=rows,
        epoch=event.epoch,
        iteration=state.steps_per_epoch or state.iteration,
        best_epoch=best.epoch,
        best_vali_mse=best.vali_mse,
        evaluation=None,
    )


def _best_of(rows: tuple[EpochRow, ...], min_delta: float) -> EpochRow:
    """The epoch whose weights are the best, as training decides it: from the first one on, each
    that is better than the best so far by `min_delta`. One that is no number is never better."""
    best = rows[0]
    for row in rows[1:]:
        lower = row.vali_mse < best.vali_mse and best.vali_mse - row.vali_mse >= min_delta
        if lower or (math.isnan(best.vali_mse) and not math.isnan(row.vali_mse)):
            best = row
    return best


def _checkpoint_writing(state: RunState, event: ev.CheckpointWriting) -> RunState:
    if event.kind != "best":
        return _replace(state, writing=event.kind)
    return _replace(state, writing="best", early_counter=0)


def _checkpoint_saved(state: RunState, event: ev.CheckpointSaved) -> RunState:
    """Without an iteration of its own, a checkpoint was saved at the end of its epoch."""
    per_epoch = state.steps_per_epoch
    epoch = event.epoch if event.epoch is not None else state.epoch
    iteration = event.iteration if event.iteration is not None else per_epoch
    if per_epoch is None or iteration is None:
        step = state.step
    else:
        step = max(0, epoch - 1) * per_epoch + iteration
    saved = SavedCheckpoint(
        kind=event.kind,
        path=event.path,
        bytes=event.bytes,
        sha256=event.sha256,
        epoch=epoch,
        iteration=iteration,
        vali_mse=event.vali_mse,
        at=event.at,
        t=event.t,
        step=step,
    )
    match event.kind:
        case "last":
            return _replace(state, writing=None, last=saved)
        case "step":  # the same position as the `last` that was saved just before it
            return _replace(state, writing=None)
        case "best":
            pass
        case _:
            assert_never(event.kind)
    rows = tuple(_replace(r, saved=r.saved or r.epoch == epoch) for r in state.rows)
    return _replace(state, writing=None, best=saved, rows=rows)


def _iteration_known(state: RunState) -> int:
    """Progress is told a few times a second at most: what was saved may be some steps further.

    What an engine before the present one has saved may be too, and be lost.
    """
    last, begun_t = state.last, state.engine_started_t
    if last is None or last.iteration is None or last.epoch != state.epoch:
        return state.iteration
    if _outside(last.t, begun_t, state.t):
        return state.iteration
    return max(state.iteration, last.iteration)


def _outside(t: float | None, since_t: float | None, until_t: float | None) -> bool:
    """Whether a moment is known to lie outside of others that are known."""
    if t is None:
        return False
    return (since_t is not None and t < since_t) or (until_t is not None and t > until_t)


def _paused(state: RunState, event: ev.Paused) -> RunState:
    if state.standing:
        return state
    return _replace(state, standing=True, paused_since_t=event.t, pauses=state.pauses + 1)


def _moving(state: RunState) -> RunState:
    return _replace(state, standing=False, paused_since_t=None)


def _command(state: RunState, event: ev.Command) -> RunState:
    """Note the wish: holds and stops. What comes of it is told by later events."""
    match event.what.split():
        case ["pause"]:
            hold = Hold(
                rule="user",
                reason=f"paused by {asker(event.who)}",
                until="resumes when you say so",
                since_t=event.t,
            )
            return _with_hold(_replace(state, overrides=()), hold)
        case ["resume"]:
            return _without_hold(state, "user")
        case ["stop", ("after_checkpoint" | "checkpoint" | "now" | "kill") as mode]:
            return _told_to_stop(state, mode, f"asked for by {asker(event.who)}")
        case _:
            return state


def _decision(state: RunState, event: ev.PolicyDecision) -> RunState:
    match event.action:
        case "pause" if event.renewed:
            return _replace(state, holds=tuple(_renewed(hold, event) for hold in state.holds))
        case "pause":
            hold = Hold(
                rule=event.rule,
                reason=event.reason,
                until=event.until,
                expected_s=event.expected_s,
                least_s=event.least_s,
                since_t=event.t,
            )
            return _with_hold(state, hold)
        case "resume":
            return _replace(_without_hold(state, event.rule), resumed_t=event.t)
        case "stop":
            stopped = _told_to_stop(
                state,
                "checkpoint",
                event.reason,
                for_hardware=not event.failure,
                for_failure=event.failure,
            )
            return _notice(stopped, "error", event.reason, event)
        case "pace":
            return state if event.value is None else _replace(state, pace=_pace(event))
        case "alert":
            return _notice(_having_told(state, event), "warning", event.reason, event)
        case _:
            assert_never(event.action)


def _renewed(hold: Hold, event: ev.PolicyDecision) -> Hold:
    """The same hold, which began when it began, with another end."""
    if hold.rule != event.rule:
        return hold
    return _replace(hold, until=event.until, expected_s=event.expected_s, least_s=event.least_s)


def _having_told(state: RunState, event: ev.PolicyDecision) -> RunState:
    if not event.about:
        return state
    told = Told(rule=event.rule, about=event.about, t=event.t)
    others = (t for t in state.told if (t.rule, t.about) != (told.rule, told.about))
    return _replace(state, told=(*others, told))


def _overridden(state: RunState, event: ev.RulesOverridden) -> RunState:
    """The rules' holds are gone at once, as if each rule had lifted its own."""
    until_t = None if event.t is None else event.t + event.for_s
    new = tuple(
        Override(rule=rule, who=event.who, until_t=until_t, until_at=event.until)
        for rule in event.rules
    )
    kept = tuple(o for o in state.overrides if o.rule not in event.rules)
    holds = tuple(hold for hold in state.holds if hold.rule not in event.rules)
    resumed_t = state.resumed_t if holds == state.holds else event.t
    return _replace(state, overrides=(*kept, *new), holds=holds, resumed_t=resumed_t)


def _policy_changed(state: RunState, event: ev.PolicyChanged) -> RunState:
    """The newest value of each key, in the order of their first change."""
    by_key = {setting.partition("=")[0]: setting for setting in state.policy_settings}
    by_key |= {setting.partition("=")[0]: setting for setting in event.settings}
    return _replace(state, policy_settings=tuple(by_key.values()))


def _pace(event: ev.PolicyDecision) -> Pace:
    """What is wanted; `Paced` and `PowerLimitSet` tell what has come of it."""
    value = 1.0 if event.value is None else event.value
    if event.unit == "W":
        return Pace(power_limit_w=value, since_t=event.t)
    return Pace(duty=value, since_t=event.t)


def _with_power(state: RunState, power: PowerControl, *, limit_w: float) -> RunState:
    return _replace(state, power=_replace(power, limit_w=limit_w))


def _power_limit_refused(state: RunState, event: ev.PowerLimitRefused) -> RunState:
    """Said once: nobody asks again in this start of the run."""
    if state.power is None or state.power.refused:
        return state
    refused = _replace(state, power=_replace(state.power, refused=True))
    message = f"the power limit cannot be set to {event.limit_w:g} W: {event.reason}"
    return _notice(refused, "warning", message, event)


def _power_told(state: RunState, told: PowerLimits | None) -> PowerControl | None:
    """What a reading tells of the limit. One that this run has set is not the one it found: that
    it was set may not be on record yet, but that it was wanted is."""
    power = state.power
    if told is None:
        return power
    wanted = state.pace.power_limit_w is not None
    ours = power is not None and (wanted or power.limit_w != power.found_w)
    return PowerControl(
        found_w=power.found_w if power is not None and ours else told.limit_w,
        limit_w=told.limit_w,
        lowest_w=told.lowest_w,
        highest_w=told.highest_w,
        refused=power is not None and power.refused,
    )


def _told_to_stop(
    state: RunState,
    mode: StopMode,
    reason: str,
    *,
    for_hardware: bool = False,
    for_failure: bool = False,
) -> RunState:
    """A run's way to stop never becomes gentler. A reason of the hardware's outlasts others, and
    one of a failure outlasts a user's."""
    keeps = state.stopping_for_hardware or (state.stopping_for_failure and not for_failure)
    if for_hardware or not keeps:
        state = _replace(state, stop_reason=reason)
    return _replace(
        state,
        stop=stronger(mode, state.stop),
        stopping_for_hardware=state.stopping_for_hardware or for_hardware,
        stopping_for_failure=state.stopping_for_failure or for_failure,
    )


def _with_hold(state: RunState, hold: Hold) -> RunState:
    return _replace(state, holds=(*_other_holds(state, hold.rule), hold))


def _without_hold(state: RunState, rule: str) -> RunState:
    return _replace(state, holds=_other_holds(state, rule))


def _other_holds(state: RunState, rule: str) -> tuple[Hold, ...]:
    return tuple(hold for hold in state.holds if hold.rule != rule)


def _telemetry(state: RunState, event: ev.Telemetry) -> RunState:
    sample, peak = event.sample, state.peak_temperature_c
    temperature = sample.temperature_c
    if temperature is not None and (peak is None or temperature > peak):
        peak = temperature
    state = _readable(state)
    errors, power = state.ecc_errors_before, _power_told(state, sample.power_limits)
    if errors is None:
        errors = sample.ecc_errors
    if errors is not state.ecc_errors_before or power is not state.power:
        state = _replace(state, ecc_errors_before=errors, power=power)
    return _replace(state, sample=sample, sample_t=event.t, peak_temperature_c=peak)


def _readable(state: RunState) -> RunState:
    """The GPU can be read, whatever was wrong with it."""
    if not (
        state.telemetry_problem
        or state.telemetry_gone
        or state.telemetry_asleep
        or state.gpu_lost_reason
        or state.gpu_lost_t is not None
    ):
        return state
    return _replace(
        state,
        telemetry_problem="",
        telemetry_gone=False,
        telemetry_asleep=False,
        gpu_lost_t=None,
        gpu_lost_reason="",
    )


def _telemetry_lost(state: RunState, event: ev.TelemetryLost) -> RunState:
    woke = state.telemetry_asleep and not event.asleep
    if event.lost and not state.gpu_lost_reason:
        state = _replace(state, gpu_lost_t=event.t, gpu_lost_reason=event.reason)
    return _replace(
        state,
        sample=None if event.permanent else state.sample,
        telemetry_problem=event.reason,
        telemetry_gone=event.permanent,
        telemetry_asleep=event.asleep,
        watched_since_t=event.t if woke else state.watched_since_t,
    )


def _notice(state: RunState, level: ev.AlertLevel, message: str, event: ev.Event) -> RunState:
    notices = (*state.notices, Notice(level=level, message=message, at=event.at))
    return _replace(state, notices=notices[-KEPT_NOTICES:])
