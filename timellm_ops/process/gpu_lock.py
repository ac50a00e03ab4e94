"""One run of ours on a GPU at a time: a lock that its supervisor holds, by the GPU's UUID.

The lock is the user's own. Work of other users, and other work of this one, shows as processes on
the GPU.
"""

import contextlib
import hashlib
from pathlib import Path

from timellm_ops.paths import private_folder
from timellm_ops.process.lock import FileLock


class GpuTaken(Exception):  # noqa: N818 - it says what was found
    """Another run has the GPU. The text is that run's id, or empty where it cannot be read."""


def take_gpu(folder: Path, uuid: str, run_id: str) -> FileLock:
    """Take the GPU for a run; it is free again once the lock is let go or its holder has died.

    `folder` is the user's own. Raises `GpuTaken`, and `OSError` where there can be no lock.
    """
    private_folder(folder)
    path = folder / f"gpu-{hashlib.sha256(uuid.encode()).hexdigest()[:16]}.lock"
    lock = FileLock.acquire(path)
    if lock is None:
        raise GpuTaken(_holder(path))
    with contextlib.suppress(OSError):
        path.write_text(run_id, encoding="utf-8")
    return lock


def _holder(path: Path) -> str:
    try:
        said = path.read_text(encoding="utf-8", errors="replace")[:200]
    except OSError:
        return ""
    return "".join(character for character in said if character.isprintable())
