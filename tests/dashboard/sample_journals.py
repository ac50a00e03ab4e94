"""Journals of made-up runs, from the contract's events: what a real night would have written.

Everything is a function of the arguments; the clock starts at a fixed UTC time.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone

from timellm_ops.contract import events as ev
from timellm_ops.contract.commands import AnyRequest, Reply
from timellm_ops.contract.events import JournalRecord
from timellm_ops.contract.telemetry import GpuProcess, GpuSample, HostSample

START = datetime(2026, 1, 31, 13, 45, 3, tzinfo=UTC)
ZONE = timezone(timedelta(hours=8))
BOOT_T = 5000.0
RUN_ID = "20260131-214503-etth1-7f3a"

BATCH = 28
WINDOWS = 56_231
"""Those of ETTh1's training part, variable by variable."""
STEPS = -(-WINDOWS // BATCH)
EPOCHS = 3
TOLD_EVERY = 20
STEP_S = 0.5
EVALUATION_S = 120.0
GIB = 2**30


@dataclass(kw_only=True)
class Limits:
    """Thermal limits as the composition root passes them in."""

    pause_above_c: float = 85.0
    resume_below_c: float = 75.0
    least_pause_s: float = 30.0
    held_c: float | None = 82.0
    lowest_pace: float = 0.2
    emergency_c: float | None = 97.0


class Journal:
    """Writes events, each at its second of the run."""

    def __init__(self, *, timed: bool = True) -> None:
        self.records: list[JournalRecord] = []
        self.seconds = 0.0
        self.timed = timed

    def add(self, event: ev.Event, after_s: float = 0.0) -> "Journal":
        self.seconds += after_s
        if self.timed:
            at = START + timedelta(seconds=self.seconds)
            event = type(event)(
                **{
                    **{name: getattr(event, name) for name in event.__struct_fields__},
                    "at": at,
                    "t": BOOT_T + self.seconds,
                }
            )
        self.records.append(JournalRecord(seq=len(self.records) + 1, event=event))
        return self

    @property
    def t(self) -> float:
        return BOOT_T + self.seconds

    @property
    def wall(self) -> datetime:
        return START + timedelta(seconds=self.seconds)


def loss_at(step: int) -> float:
    """A noisy loss that falls: the noise is a fixed function of the step."""
    return 0.32 + 0.9 * math.exp(-step / 700) + 0.12 * math.sin(step * 12.9898) ** 3


def sample(celsius: float | None = 72.0, **fields: object) -> GpuSample:
    """A laptop's card, in the middle of a run."""
    known: dict[str, object] = {
        "source": "nvml",
        "name": "NVIDIA GeForce RTX 3060 Laptop GPU",
        "temperature_c": celsius,
        "memory_used_bytes": 5742 * 2**20,
        "memory_total_bytes": 6144 * 2**20,
        "power_w": 84.2,
        "power_limit_w": 115.0,
        "utilization_pct": 100.0,
        "sm_clock_mhz": 1410.0,
        "throttle_reasons": (),
        "slowdown_c": 95.0,
        "shutdown_c": 100.0,
        "energy_mj": 5_000_000,
        "processes": (GpuProcess(pid=4242, name="python3", used_bytes=5210 * 2**20, of_run=True),),
    }
    return GpuSample(**{**known, **fields})  # type: ignore[arg-type]


LAPTOP = HostSample(
    cpu_pct=21.0, load_1min=1.4, memory_available_bytes=19 * GIB, memory_total_bytes=32 * GIB,
    disk_free_bytes=81_234 * 2**20, disk_total_bytes=476 * GIB, battery_pct=100.0, on_battery=False,
)  # fmt: skip


def started(
    gpu: str = "nvml", engine: str = "timellm", *, name: str = "etth1", timed: bool = True
) -> Journal:
    journal = Journal(timed=timed)
    journal.add(
        ev.RunStarted(
            run_id=RUN_ID,
            name=name,
            engine=engine,  # type: ignore[arg-type]
            gpu=gpu,
            supervisor_pid=4200,
        )
    )
    if engine == "timellm":
        findings = (
            "Data: /data/ETTh1.csv, 17,420 rows, sha256 f18de3ad269c…",
            "Disk: 79.3 GiB free in /data/runs, about 120 MiB needed.",
        )
        journal.add(ev.PreflightDone(findings=findings), 0.2)
    return journal.add(ev.EngineStarted(pid=4242), 0.3) if engine != "imported" else journal


def training(
    gpu: str = "nvml",
    *,
    epochs: int = EPOCHS,
    name: str = "etth1",
    device: str = "cuda",
    test: ev.TestCadence = "each_epoch",
) -> Journal:
    """A run whose model and data are ready."""
    journal = started(gpu, name=name)
    if gpu != "none":
        journal.add(ev.Telemetry(sample=sample(48.0)), 1.0)
    return journal.add(
        ev.TrainingStarted(
            epochs=epochs,
            steps_per_epoch=STEPS,
            batch_size=BATCH,
            train_samples=WINDOWS,
            vali_samples=19_495,
            test_samples=19_495,
            trainable_parameters=3_830_112,
            frozen_parameters=3_085_000_000,
            backbone="Qwen2.5-3B",
            device=device,
            patience=10,
            test=test,
        ),
        20.0,
    ).add(ev.ControlAcknowledged(sequence=1, desired="run"), 0.5)


def train(
    journal: Journal, epoch: int, first: int, last: int, *, celsius: float | None = 72.0
) -> Journal:
    """Steps `first` to `last` of `epoch`: a record and a reading every 20, and of the last step."""
    told = [*range(first, last + 1, TOLD_EVERY)]
    if last == STEPS != told[-1]:
        told.append(STEPS)
    journal.add(ev.HostTelemetry(sample=LAPTOP))
    before = first - TOLD_EVERY
    for iteration in told:
        step = (epoch - 1) * STEPS + iteration
        journal.add(
            ev.Progress(
                iteration=iteration,
                epoch=epoch,
                loss=loss_at(step),
                seconds_per_iteration=STEP_S,
                left_seconds=(EPOCHS * STEPS - step) * STEP_S,
                lr=4e-4,
                grad_norm=0.84,
            ),
            (iteration - before) * STEP_S,
        )
        before = iteration
        if celsius is not None:
            warm = celsius - 24.0 * math.exp(-step / 300) + math.sin(step / 40)
            journal.add(
                ev.Telemetry(sample=sample(round(warm), energy_mj=5_000_000 + 42_000 * step))
            )
    return journal


def end_epoch(journal: Journal, epoch: int, vali: float, *, best: bool = True) -> Journal:
    for split in ("vali", "test"):
        for done in (0, 9_000, 19_495):
            journal.add(
                ev.EvaluationProgress(split=split, done=done, total=19_495, epoch=epoch),  # type: ignore[arg-type]
                EVALUATION_S / 6,
            )
    journal.add(
        ev.EpochEnded(
            epoch=epoch,
            train_mse=vali + 0.06,
            vali_mse=vali,
            test_mse=vali + 0.01,
            test_mae=vali + 0.065,
            seconds=STEPS * STEP_S,
            evaluation_seconds=EVALUATION_S,
            lr=4e-4,
        )
    )
    if best:
        journal.add(ev.CheckpointWriting(kind="best", epoch=epoch, vali_mse=vali))
        journal.add(
            ev.CheckpointSaved(
                kind="best", path="checkpoints/best", bytes=15_321_560, sha256="ab" * 32,
                epoch=epoch, iteration=STEPS, vali_mse=vali,
            ),
            0.4,
        )  # fmt: skip
    else:
        journal.add(ev.EarlyStopping(counter=1, patience=10))
    return save_last(journal, epoch, STEPS)


def save_last(journal: Journal, epoch: int, iteration: int) -> Journal:
    journal.add(ev.CheckpointWriting(kind="last", epoch=epoch, iteration=iteration))
    return journal.add(
        ev.CheckpointSaved(
            kind="last", path="checkpoints/last", bytes=45_966_080, sha256="cd" * 32,
            epoch=epoch, iteration=iteration,
        ),
        0.6,
    )  # fmt: skip


# --- the states of a run -------------------------------------------------------------------------


def starting() -> Journal:
    loading = sample(
        47.0, memory_used_bytes=900 * 2**20, power_w=28.0, utilization_pct=12.0,
        processes=(GpuProcess(pid=4242, name="python3", used_bytes=380 * 2**20, of_run=True),),
    )  # fmt: skip
    return started().add(ev.Telemetry(sample=loading), 1.0)


def first_steps() -> Journal:
    """Nothing is saved yet and nothing but a few steps is measured."""
    return train(training(), 1, 20, 240)


def in_second_epoch(test: ev.TestCadence = "each_epoch") -> Journal:
    journal = end_epoch(train(training(test=test), 1, 20, STEPS), 1, 0.3912)
    train(journal, 2, 20, 1_000)
    save_last(journal, 2, 1_000)
    return train(journal, 2, 1_020, 1_200)


def paused_thermal(expected_s: float = 200.0) -> Journal:
    journal = in_second_epoch()
    for celsius in (84, 86, 86, 85, 86):
        journal.add(ev.Telemetry(sample=sample(float(celsius))), 1.0)
    journal.add(
        ev.PolicyDecision(
            action="pause",
            rule="thermal",
            reason="86 °C > 85 °C in 3 of the last 5 readings",
            value=86.0,
            threshold=85.0,
            unit="°C",
            until="resumes below 75 °C",
            expected_s=expected_s,
        )
    )
    journal.add(ev.Paused(), 0.5)
    return journal.add(ev.Telemetry(sample=sample(83.0, power_w=22.0, utilization_pct=0.0)), 20.0)


def paused_by_user() -> Journal:
    journal = in_second_epoch().add(ev.Command(who="dashboard", what="pause"))
    cool = sample(61.0, power_w=22.0, utilization_pct=0.0)
    return journal.add(ev.Paused(), 0.5).add(ev.Telemetry(sample=cool), 60.0)


def evaluating() -> Journal:
    journal = train(in_second_epoch(), 2, 1_220, STEPS)
    journal.add(ev.EvaluationProgress(split="vali", done=0, total=19_495, epoch=2))
    journal.add(ev.Telemetry(sample=sample(74.0)), 10.0)
    return journal.add(ev.EvaluationProgress(split="vali", done=6_400, total=19_495, epoch=2))


def stopping() -> Journal:
    return in_second_epoch().add(ev.Command(who="dashboard", what="stop after_checkpoint"), 1.0)


def stopped() -> Journal:
    journal = save_last(stopping(), 2, 1_200).add(ev.EngineExited(code=0), 1.0)
    return journal.add(
        ev.RunEnded(
            outcome="stopped",
            exit_code=0,
            reason=f"stopped as asked at step {STEPS + 1_200:,} of {EPOCHS * STEPS:,};"
            " the checkpoint is on disk;"
            f" go on with: timellm-ops run --resume {RUN_ID}",
        )
    )


def finished() -> Journal:
    journal = train(in_second_epoch(), 2, 1_220, STEPS)
    end_epoch(journal, 2, 0.3705)
    train(journal, 3, 20, STEPS)
    end_epoch(journal, 3, 0.3811, best=False)
    journal.add(ev.TestEvaluated(mse=0.3697, mae=0.3982, windows=19_495, epoch=2), 1.0)
    journal.add(ev.TrainingFinished(epoch=3, best_epoch=2), 0.0)
    journal.add(ev.EngineExited(code=0), 1.0)
    return journal.add(
        ev.RunEnded(outcome="finished", exit_code=0, reason="training finished; test MSE 0.3697")
    )


def failed() -> Journal:
    journal = in_second_epoch().add(
        ev.EngineFailed(message="CUDA out of memory: tried to allocate 512.00 MiB"), 2.0
    )
    journal.add(ev.EngineExited(code=4), 0.5)
    return journal.add(
        ev.RunEnded(
            outcome="failed",
            exit_code=4,
            reason="the engine failed with exit code 4: CUDA out of memory: tried to allocate"
            " 512.00 MiB; go on from the last checkpoint with:"
            f" timellm-ops run --resume {RUN_ID}",
        )
    )


def telemetry_unknown() -> Journal:
    journal = in_second_epoch()
    journal.add(ev.TelemetryLost(reason="the driver did not answer within 5 s"), 5.0)
    journal.add(
        ev.PolicyDecision(
            action="pause",
            rule="telemetry",
            reason="no temperature for 30 s (the driver did not answer within 5 s)",
            value=31.0,
            threshold=30.0,
            unit="s",
            until="resumes when the temperature is known and below 75 °C",
        ),
        30.0,
    )
    return journal.add(ev.Paused(), 0.6)


def partly_unknown() -> Journal:
    """WSL2: temperature and memory are told, the rest is not."""
    journal = in_second_epoch()
    bare = sample(
        71.0, power_w=None, power_limit_w=None, utilization_pct=None, sm_clock_mhz=None,
        throttle_reasons=None, slowdown_c=None, shutdown_c=None, energy_mj=None, processes=None,
    )  # fmt: skip
    return journal.add(ev.Telemetry(sample=bare), 1.0)


def without_gpu() -> Journal:
    return train(training("none"), 1, 20, 600, celsius=None)


def simulated() -> Journal:
    journal = training("simulated")
    for iteration in range(20, 601, 20):
        journal.add(ev.Progress(iteration=iteration, epoch=1, loss=loss_at(iteration)), 20 * STEP_S)
        celsius = round(40 + iteration / 20)
        journal.add(
            ev.Telemetry(sample=sample(celsius, source="simulated", name=None, processes=None))
        )
    return journal


def foreign() -> Journal:
    """A published script: its steps are known from what it prints, its evaluation is silent."""
    journal = started("nvml", "foreign", name="TimeLLM_ETTh1").add(
        ev.EpochStarted(epoch=1, steps=300, epochs=4), 20.0
    )
    for epoch in (1, 2):
        if epoch > 1:
            journal.add(ev.EpochStarted(epoch=epoch, steps=300, epochs=4))
        for iteration in (100, 200, 300) if epoch == 1 else (100,):
            journal.add(
                ev.Progress(
                    iteration=iteration, epoch=epoch, loss=loss_at(iteration),
                    seconds_per_iteration=0.13, left_seconds=110.0,
                ),
                13.0,
            )  # fmt: skip
            journal.add(ev.Telemetry(sample=sample(70.0)))
        if epoch == 1:
            journal.add(
                ev.EpochEnded(
                    epoch=1, train_mse=0.1200985, vali_mse=0.053889, test_mse=0.0280579,
                    test_mae=0.127099, seconds=34.49,
                ),
                20.0,
            )  # fmt: skip
            journal.add(ev.CheckpointWriting(kind="best", epoch=1, vali_mse=0.053889))
            journal.add(
                ev.CheckpointSaved(
                    kind="best", path="checkpoints/x/checkpoint", bytes=612_000_000, epoch=1,
                    vali_mse=0.053889,
                ),
                3.0,
            )  # fmt: skip
    return journal


def imported() -> Journal:
    """A log without a clock, without a word on how many steps an epoch has."""
    journal = started("none", "imported", name="upstream", timed=False)
    for epoch, vali in ((1, 0.053889), (2, 0.0554636), (3, 0.0528507)):
        for iteration in (100, 200):
            journal.add(
                ev.Progress(
                    iteration=iteration, epoch=epoch, loss=loss_at(100 * epoch + iteration),
                    seconds_per_iteration=0.13, left_seconds=110.0,
                )
            )  # fmt: skip
        journal.add(
            ev.EpochEnded(
                epoch=epoch, train_mse=0.12 - epoch / 100, vali_mse=vali, test_mse=0.028,
                test_mae=0.127, seconds=34.49,
            )
        )  # fmt: skip
        if epoch != 2:
            journal.add(ev.CheckpointWriting(kind="best", epoch=epoch, vali_mse=vali))
        else:
            journal.add(ev.EarlyStopping(counter=1, patience=10))
        journal.add(ev.LearningRateChanged(lr=4e-4 / 2**epoch))
    return journal


def imported_weights() -> Journal:
    """A published checkpoint file: its weights, and no log of how they were trained."""
    journal = started("none", "imported", name="weights")
    journal.add(
        ev.CheckpointSaved(
            kind="best", path="checkpoints/best", bytes=612_000_000, sha256="ab" * 32
        )
    )
    reason = "weights of checkpoint, trained elsewhere; they can be evaluated, not resumed"
    return journal.add(ev.RunEnded(outcome="finished", exit_code=0, reason=reason))


STATES: dict[str, Callable[[], Journal]] = {
    "starting": starting,
    "first_steps": first_steps,
    "training": in_second_epoch,
    "paused_thermal": paused_thermal,
    "paused_by_user": paused_by_user,
    "evaluating": evaluating,
    "stopping": stopping,
    "stopped": stopped,
    "finished": finished,
    "failed": failed,
    "telemetry_unknown": telemetry_unknown,
    "partly_unknown": partly_unknown,
    "without_gpu": without_gpu,
    "simulated": simulated,
    "foreign": foreign,
    "imported": imported,
}


class FakeRun:
    """A run as the dashboard's source: hands out records, remembers what it was asked for."""

    def __init__(
        self, journal: Journal, *, supervised: bool = True, reply: Reply | None = None
    ) -> None:
        self.waiting = list(journal.records)
        self.is_supervised = supervised
        self.requests: list[AnyRequest] = []
        self.damaged_lines = 0
        self.reply = reply or Reply(ok=True, message="taken")

    def poll(self) -> list[JournalRecord]:
        records, self.waiting = self.waiting, []
        return records

    def send(self, request: AnyRequest) -> Reply:
        self.requests.append(request)
        return self.reply

    def damaged(self) -> int:
        return self.damaged_lines

    def supervised(self) -> bool:
        return self.is_supervised
