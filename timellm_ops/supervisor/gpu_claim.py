"""The GPU of a run, taken for as long as its supervisor lives: no second run trains there."""

from types import TracebackType
from typing import Self

from timellm_ops.contract.telemetry import GpuSample
from timellm_ops.paths import runtime_folder
from timellm_ops.process.gpu_lock import GpuTaken, take_gpu
from timellm_ops.process.lock import FileLock
from timellm_ops.supervisor.claim import taken


class GpuClaim:
    """At most one GPU, free again once this is left. `share`: nothing is ever taken."""

    def __init__(self, run_id: str, *, share: bool) -> None:
        self._run_id, self._share = run_id, share
        self._lock: FileLock | None = None

    def take(self, sample: GpuSample | None) -> str:
        """Take the GPU that `sample` is of, unless it is held already; why it cannot be had.

        Only one that the driver knows by a UUID can be taken. A lock is a help, and no condition:
        where there can be none, nobody is kept out.
        """
        if self._share or self._lock is not None or sample is None:
            return ""
        if sample.source != "nvml" or sample.uuid is None:
            return ""
        try:
            self._lock = take_gpu(runtime_folder(), sample.uuid, self._run_id)
        except GpuTaken as error:
            return taken(sample, str(error))
        except OSError:
            pass
        return ""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._lock is not None:
            self._lock.release()
            self._lock = None
