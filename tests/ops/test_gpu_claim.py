"""Taking a GPU: one run at a time, and only where there is memory left."""

import multiprocessing
import os
import signal
from multiprocessing.synchronize import Event
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from timellm_ops.contract.telemetry import GpuProcess, GpuSample
from timellm_ops.process.gpu_lock import GpuTaken, take_gpu
from timellm_ops.supervisor.claim import FULL, full, taken

GIB = 1 << 30
CARD = GpuSample(source="nvml", index=1, name="RTX 3060", memory_total_bytes=6 * GIB)


def test_one_run_has_it_until_it_lets_go(tmp_path: Path) -> None:
    folder = tmp_path / "runtime"
    held = take_gpu(folder, "GPU-1", "first")
    with pytest.raises(GpuTaken, match=r"^first$"):
        take_gpu(folder, "GPU-1", "second")
    take_gpu(folder, "GPU-2", "second").release()
    held.release()
    take_gpu(folder, "GPU-1", "second").release()
    assert folder.stat().st_mode & 0o777 == 0o700


def _hold(folder: Path, ready: Event) -> None:
    lock = take_gpu(folder, "GPU-1", "first")
    ready.set()
    signal.pause()
    lock.release()


def test_a_holder_that_is_killed_holds_nothing(tmp_path: Path) -> None:
    context = multiprocessing.get_context("fork")
    ready = context.Event()
    holder = context.Process(target=_hold, args=(tmp_path, ready))
    holder.start()
    assert ready.wait(30)
    with pytest.raises(GpuTaken):
        take_gpu(tmp_path, "GPU-1", "second")
    assert holder.pid is not None
    os.kill(holder.pid, signal.SIGKILL)
    holder.join(30)
    take_gpu(tmp_path, "GPU-1", "second").release()


def test_who_has_it_and_what_can_be_done_is_said() -> None:
    words = taken(CARD, "20260131-run")
    assert "GPU 1 (RTX 3060) is in use by run 20260131-run" in words
    assert "timellm-ops stop 20260131-run" in words
    assert "gpu.share = true" in words
    assert "another run" in taken(CARD, "")


@given(used=st.none() | st.integers(0, 7 * GIB), total=st.none() | st.just(0) | st.just(6 * GIB))
def test_full_is_what_has_hardly_a_tenth_left(used: int | None, total: int | None) -> None:
    sample = GpuSample(source="nvml", memory_used_bytes=used, memory_total_bytes=total)
    expected = used is not None and bool(total) and used >= FULL * (total or 0)
    assert bool(full(sample)) == expected


def test_the_holders_of_its_memory_are_named() -> None:
    holders = (
        GpuProcess(pid=7, name="python3", used_bytes=5 * GIB), GpuProcess(pid=8),
    )  # fmt: skip
    sample = GpuSample(
        source="nvml", memory_used_bytes=int(5.8 * GIB), memory_total_bytes=6 * GIB,
        processes=holders,
    )  # fmt: skip
    words = full(sample)
    assert "205 MiB of 6.00 GiB are free" in words
    assert "python3 [7] 5.00 GiB, process [8]" in words


def test_a_lock_is_never_made_in_somebody_elses_folder(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    with pytest.raises(PermissionError, match="not a folder of this user's own"):
        take_gpu(tmp_path / "link", "GPU-1", "first")
    assert not list((tmp_path / "real").iterdir())
