"""Paths as people write them: with `~`, relative, or not fit for a path at all; and the user's
own folder for sockets and locks."""

import contextlib
import errno
import os
import stat
from collections.abc import Mapping
from pathlib import Path


def expand_home(path: str) -> Path:
    """`path` with a leading `~` as the home folder; as it stands where nobody knows that folder,
    as for a user id of a container that has no name."""
    try:
        return Path(path).expanduser()
    except RuntimeError:
        return Path(path)


def full_path(path: str, folder: Path) -> Path:
    """The absolute path of `path`, which starts at `folder` where it is relative. Links are
    followed as far as they lead anywhere."""
    return Path(os.path.realpath(folder / expand_home(path)))


def is_folder(path: Path) -> bool:
    """Whether a folder is there that can be looked at. Never raises."""
    try:
        return path.is_dir()
    except (OSError, ValueError):
        return False


def read_file(path: Path, most: int = -1) -> bytes:
    """The bytes of a file that a person names, `most` of them. Raises `OSError`, and that too for
    what would never come to an end: a device, or a pipe that nobody writes to. One that the shell
    has made for this command is read."""
    mode = path.stat().st_mode
    if stat.S_ISCHR(mode) or (
        stat.S_ISFIFO(mode) and not os.path.realpath(path).startswith("/proc/")
    ):
        raise OSError(errno.EINVAL, "no file, but a device or a pipe")
    with path.open("rb") as file:
        return file.read(most)


def user_cache(env: Mapping[str, str] = os.environ) -> Path:
    """Where is kept for this user what can be fetched or made again: data sets, states of runs."""
    base = env.get("XDG_CACHE_HOME", "")
    return expand_home(base if Path(base).is_absolute() else "~/.cache") / "timellm-ops"


def runtime_folder(env: Mapping[str, str] = os.environ) -> Path:
    """Where this user's sockets and locks belong; it may have to be made, for this user alone."""
    runtime = env.get("XDG_RUNTIME_DIR", "")
    if runtime and Path(runtime).is_absolute() and _is_own_folder(Path(runtime)):
        return Path(runtime) / "timellm-ops"
    return folder_below_tmp()


def folder_below_tmp() -> Path:
    """The same where there is no usable runtime folder, or where its path is too long."""
    return Path("/tmp") / f"timellm-ops-{os.getuid()}"  # noqa: S108 - 0700 and checked


def _is_own_folder(folder: Path) -> bool:
    """Whether it is a folder of this user's: `su` and `sudo` may keep another one's variable."""
    try:
        found = folder.stat()
    except OSError:
        return False
    return (
        stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid() and os.access(folder, os.W_OK)
    )


def private_folder(folder: Path) -> None:
    """Make `folder` if it is missing, and make sure that nobody else can reach into it.

    Raises `PermissionError` for one that is not this user's own.
    """
    with contextlib.suppress(FileExistsError):
        folder.mkdir(mode=0o700, parents=True)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid():
        raise PermissionError(f"{folder} is not a folder of this user's own")
    if stat.S_IMODE(found.st_mode) != 0o700:
        folder.chmod(0o700)
