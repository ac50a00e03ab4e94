"""Journals of states that are rare or short, beside those of every run."""

from collections.abc import Callable

from sample_journals import (
    EPOCHS,
    RUN_ID,
    STEPS,
    Journal,
    foreign,
    in_second_epoch,
    paused_thermal,
    sample,
    save_last,
    started,
)

from timellm_ops.contract import events as ev


def pausing() -> Journal:
    journal = in_second_epoch()
    why = "86 °C > 85 °C in 3 of the last 5 readings"
    pause = ev.PolicyDecision(
        action="pause", rule="thermal", reason=why, until="resumes below 75 °C", expected_s=200.0
    )
    return journal.add(ev.Telemetry(sample=sample(86.0)), 1.0).add(pause)


def resuming() -> Journal:
    cool = ev.Telemetry(sample=sample(74.0, power_w=22.0, utilization_pct=0.0))
    journal = paused_thermal().add(cool, 120.0)
    why = "74 °C < 75 °C in the last 3 readings"
    return journal.add(ev.PolicyDecision(action="resume", rule="thermal", reason=why))


def restarting() -> Journal:
    journal = in_second_epoch().add(ev.EngineExited(signal=9), 2.0)
    return journal.add(
        ev.EngineRestart(reason="the engine was ended by SIGKILL", attempt=1, wait_s=10.0)
    )


def refused() -> Journal:
    reason = (
        f"train.warmup_steps: found 7000; expected below {EPOCHS * STEPS}, the steps of the run"
    )
    journal = started().add(ev.EngineFailed(message=reason, kind="input"), 1.0)
    journal.add(ev.EngineExited(code=2), 0.1)
    return journal.add(ev.RunEnded(outcome="refused", exit_code=2, reason=reason))


def stopped_for_hardware() -> Journal:
    why = "97 °C ≥ 97 °C: saving and stopping before the card shuts itself down"
    journal = in_second_epoch().add(ev.Telemetry(sample=sample(97.0)), 1.0)
    journal.add(ev.PolicyDecision(action="stop", rule="thermal", reason=why, value=97.0))
    save_last(journal, 2, 1_200).add(ev.EngineExited(code=0), 1.0)
    return journal.add(
        ev.RunEnded(
            outcome="stopped_for_hardware",
            exit_code=5,
            reason=f"{why}; stopped at step {STEPS + 1_200:,} of {EPOCHS * STEPS:,};"
            " the checkpoint is on disk;"
            f" go on with: timellm-ops run --resume {RUN_ID}",
        )
    )


def stopping_now() -> Journal:
    return in_second_epoch().add(ev.Command(who="dashboard", what="stop now"), 1.0)


def foreign_stopping() -> Journal:
    return foreign().add(ev.Command(who="cli", what="stop checkpoint"), 1.0)


RARE: dict[str, Callable[[], Journal]] = {
    "pausing": pausing,
    "resuming": resuming,
    "restarting": restarting,
    "refused": refused,
    "stopped_for_hardware": stopped_for_hardware,
    "stopping_now": stopping_now,
    "foreign_stopping": foreign_stopping,
}
