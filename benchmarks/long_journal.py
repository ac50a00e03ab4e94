"""The journal of a night: 50,000 readings of a GPU and 42,000 steps, as a run of 14 hours has them.

    python benchmarks/long_journal.py FILE [--share 0.1]

Every reading differs, as on a card; times, losses and temperatures are fixed functions of the step.
"""

import argparse
import math
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec

from timellm_ops.contract import events as ev
from timellm_ops.contract.telemetry import GpuProcess, GpuSample

HOURS, SAMPLES, STEPS, EPOCHS = 14.0, 50_000, 42_000, 10
BEGAN, BEGAN_T = datetime(2026, 1, 31, 21, 45, tzinfo=UTC), 1_000.0
_PER_EPOCH = STEPS // EPOCHS


def night() -> Iterator[tuple[float, ev.Event]]:
    """The events, each with its second of the run."""
    yield 0.0, ev.RunStarted(run_id="20260131-214500-night-0000", name="night", engine="timellm",
                             gpu="nvml", supervisor_pid=4200)  # fmt: skip
    yield 0.3, ev.EngineStarted(pid=4242)
    yield (
        20.0,
        ev.TrainingStarted(
            epochs=EPOCHS, steps_per_epoch=_PER_EPOCH, batch_size=28, train_samples=117_600,
            vali_samples=19_495, test_samples=19_495, trainable_parameters=152_400_000,
            frozen_parameters=3_085_000_000, backbone="Qwen2.5-3B", device="cuda", patience=10,
        ),
    )  # fmt: skip
    step_s, sample_s = HOURS * 3600 / STEPS, HOURS * 3600 / SAMPLES
    sampled = 0
    for step in range(1, STEPS + 1):
        at_s = 20.0 + step * step_s
        while 20.0 + sampled * sample_s < at_s:
            yield 20.0 + sampled * sample_s, ev.Telemetry(sample=_reading(sampled))
            sampled += 1
        epoch, iteration = (step - 1) // _PER_EPOCH + 1, (step - 1) % _PER_EPOCH + 1
        if iteration == 1:
            yield at_s, ev.EpochStarted(epoch=epoch)
        yield (
            at_s,
            ev.Progress(
                iteration=iteration, epoch=epoch, seconds_per_iteration=step_s, lr=1e-3,
                loss=0.3 + math.exp(-step / 9000) + 0.1 * math.sin(step * 12.9898) ** 3,
                left_seconds=(STEPS - step) * step_s, grad_norm=1.0 + math.sin(step) ** 2,
            ),
        )  # fmt: skip
        if step % 500 == 0:
            yield at_s, ev.CheckpointSaved(kind="last", path="checkpoints/last", bytes=19_000_000,
                                           sha256="0" * 64, epoch=epoch,
                                           iteration=iteration)  # fmt: skip
        if iteration == _PER_EPOCH:
            yield (
                at_s,
                ev.EpochEnded(
                    epoch=epoch, train_mse=0.4, vali_mse=0.7 - epoch / 100, vali_mae=0.5,
                    test_mse=0.38, test_mae=0.4, seconds=_PER_EPOCH * step_s,
                    evaluation_seconds=120.0,
                ),
            )  # fmt: skip


def _reading(number: int) -> GpuSample:
    return GpuSample(
        source="nvml", uuid="GPU-00000000-0000-0000-0000-000000000000",
        name="NVIDIA GeForce RTX 3060 Laptop GPU", temperature_c=80.0 + 3.0 * math.sin(number / 90),
        memory_used_bytes=5_742 << 20, memory_total_bytes=6_144 << 20,
        power_w=round(95.0 + 9.0 * math.sin(number / 7), 1), power_limit_w=115.0,
        utilization_pct=100.0, sm_clock_mhz=1410.0 + number % 4 * 15, throttle_reasons=(),
        slowdown_c=95.0, shutdown_c=100.0, energy_mj=5_000_000 + 95_000 * number,
        processes=(GpuProcess(pid=4242, name="python3", used_bytes=5_210 << 20),),
    )  # fmt: skip


def write(path: Path, share: float = 1.0) -> int:
    """Write the beginning of the night, such a share of its events; how many those are."""
    total = SAMPLES + STEPS
    written = 0
    with path.open("wb") as file:
        for written, (second, event) in enumerate(night(), 1):
            fields = {"at": BEGAN + timedelta(seconds=second), "t": BEGAN_T + second}
            stamped = msgspec.structs.replace(event, **fields)
            file.write(ev.encode_record(ev.JournalRecord(seq=written, event=stamped)))
            if written >= share * total:
                break
    return written


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("file", type=Path)
    parser.add_argument("--share", type=float, default=1.0)
    asked = parser.parse_args()
    print(f"{write(asked.file, asked.share):,} records, {asked.file.stat().st_size / 1e6:.1f} MB")
