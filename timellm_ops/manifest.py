"""What a run was made with: versions, machine, command, code and data. Written once, as JSON."""

import hashlib
import os
import platform
import subprocess
from collections.abc import Sequence
from datetime import datetime
from importlib import metadata
from pathlib import Path

from msgspec import Struct

import timellm_ops
from timellm_ops.contract.masking import Mask, secrets_of

_BLOCK = 1 << 20


class DataFile(Struct, frozen=True, kw_only=True):
    """Which bytes a run reads."""

    path: str
    bytes: int
    sha256: str


class GitState(Struct, frozen=True, kw_only=True):
    """Where the working folder's repository stood."""

    commit: str
    dirty: bool
    """Tracked files differ from the commit."""


class Manifest(Struct, frozen=True, kw_only=True):
    """The whole of `manifest.json`."""

    created_at: datetime
    command_line: tuple[str, ...] = ()
    workdir: str = ""
    gpu: str = ""
    """Where telemetry comes from, as configured: `auto`, `nvml`, `simulated` or `none`."""
    python: str = ""
    platform: str = ""
    versions: dict[str, str | None] = {}
    """Version by package; `None` where it is not installed."""
    git: GitState | None = None
    data: DataFile | None = None
    source_log: DataFile | None = None
    """For an imported run: the log that it was made of."""
    source_checkpoint: DataFile | None = None
    """For imported weights: the file of the published code that they come from."""


def collect_manifest(
    *,
    now: datetime,
    command_line: Sequence[str],
    workdir: Path,
    gpu: str,
    data: DataFile | None = None,
    source_log: DataFile | None = None,
) -> Manifest:
    """The manifest of a run that begins `now` on this machine. Imports no package to ask it."""
    return Manifest(
        created_at=now,
        command_line=tuple(recordable(word) for word in command_line),
        workdir=recordable(str(workdir)),
        gpu=gpu,
        python=platform.python_version(),
        platform=platform.platform(),
        versions={
            "timellm-ops": timellm_ops.__version__,
            "torch": installed_version("torch"),
            "transformers": installed_version("transformers"),
        },
        git=git_state(workdir),
        data=data,
        source_log=source_log,
    )


def recordable(text: str) -> str:
    """`text` with bytes that are not UTF-8, as file names and arguments may hold, written out, and
    without the secrets of the environment."""
    return Mask(secrets_of(os.environ)).text(text.encode("utf-8", "backslashreplace").decode())


def installed_version(package: str) -> str | None:
    """A package's version from its metadata; `None` where it is not installed."""
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def git_state(folder: Path) -> GitState | None:
    """Commit and cleanness of the repository around `folder`; `None` where that is not known."""
    commit = _git(folder, "rev-parse", "--verify", "HEAD")
    if not commit:
        return None
    changes = _git(folder, "status", "--porcelain", "--untracked-files=no")
    return None if changes is None else GitState(commit=commit, dirty=bool(changes))


def _git(folder: Path, *arguments: str) -> str | None:
    try:
        done = subprocess.run(
            ["git", "--no-optional-locks", "-C", str(folder), *arguments],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=5.0,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.decode("utf-8", "replace").strip()


def describe_file(path: Path) -> DataFile:
    """Path, size and digest of a file. Raises `OSError`."""
    digest, size = hashlib.sha256(), 0
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            digest.update(block)
            size += len(block)
    return DataFile(path=recordable(str(path)), bytes=size, sha256=digest.hexdigest())


def git_blob(path: Path) -> str:
    """The id that git gives to a file's content. Raises `OSError`."""
    with path.open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        digest = hashlib.sha1(b"blob %d\0" % size, usedforsecurity=False)
        while block := file.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()
