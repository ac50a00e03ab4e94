"""A run's folder as a supervisor would have left it, without anything having run."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

from timellm_ops.configfile import foreign_config, read_config
from timellm_ops.contract import events as ev
from timellm_ops.contract.config import Config
from timellm_ops.contract.events import JournalRecord, encode_record
from timellm_ops.contract.layout import RunLayout
from timellm_ops.contract.telemetry import GpuSample
from timellm_ops.manifest import Manifest
from timellm_ops.store import RunStore

START = datetime(2026, 1, 31, 13, 45, 3, tzinfo=UTC)
_STEPS, _EPOCHS = 40, 2


def written_run(store: RunStore, config: Config, *, timed: bool = True) -> RunLayout:
    """A finished run of two epochs, which a rule has paused once for a minute."""
    layout = store.create("night", START, config, Manifest(created_at=START))
    records: list[JournalRecord] = []
    seconds = 0.0

    def add(event: ev.Event, after_s: float = 0.0) -> None:
        nonlocal seconds
        seconds += after_s
        fields = {name: getattr(event, name) for name in event.__struct_fields__}
        if timed:
            fields |= {"at": START + timedelta(seconds=seconds), "t": 1000.0 + seconds}
        records.append(JournalRecord(seq=len(records) + 1, event=type(event)(**fields)))

    foreign = bool(config.foreign.command)
    engine = "timellm" if timed and not foreign else "foreign" if foreign else "imported"
    add(ev.RunStarted(run_id=layout.run_id, name="night", engine=engine, gpu="nvml"))  # type: ignore[arg-type]
    if not foreign:
        add(
            ev.TrainingStarted(
                epochs=_EPOCHS, steps_per_epoch=_STEPS, batch_size=16, train_samples=640,
                vali_samples=80, test_samples=80, trainable_parameters=9_000,
                frozen_parameters=90_000, backbone="embedded", device="cpu", patience=10,
            ),
            2.0,
        )  # fmt: skip
    for epoch in range(1, _EPOCHS + 1):
        for iteration in range(10, _STEPS + 1, 10):
            loss = 1.0 / (epoch * _STEPS + iteration)
            add(ev.Progress(iteration=iteration, epoch=epoch, loss=loss), 10.0)
            add(ev.Telemetry(sample=GpuSample(source="nvml", temperature_c=80.0 + epoch)))
        if epoch == 1:
            add(ev.PolicyDecision(action="pause", rule="thermal", reason="86 °C > 85 °C"))
            add(ev.Paused())
            add(ev.PolicyDecision(action="resume", rule="thermal", reason="74 °C < 75 °C"), 60.0)
            add(ev.Resumed())
        add(
            ev.EpochEnded(
                epoch=epoch, train_mse=0.5 / epoch, vali_mse=0.4 / epoch, test_mse=0.41 / epoch,
                test_mae=0.3 / epoch, seconds=40.0,
            ),
            5.0,
        )  # fmt: skip
    add(ev.TestEvaluated(mse=0.205, mae=0.15, windows=80, epoch=2))
    add(ev.RunEnded(outcome="finished", exit_code=0, reason="training finished"), 1.0)
    layout.journal.write_bytes(b"".join(map(encode_record, records)))
    layout.engine_log.write_text("the last words of the engine\n", encoding="utf-8")
    return layout


def own_run(store: RunStore, config: Path) -> RunLayout:
    """One of our own engine, configured by that file."""
    return written_run(store, read_config(config))


def script_run(store: RunStore, folder: Path) -> RunLayout:
    """One of a script."""
    return written_run(store, foreign_config("bash train.sh", workdir=folder))
