"""Which files processes have open for writing, as the system lists them. Linux only; elsewhere
none are found."""

import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

_PROC = Path("/proc")
_DELETED = " (deleted)"


def files_open_for_writing(
    pids: Iterable[int], wanted: Callable[[Path], bool] = lambda _: True
) -> frozenset[Path]:
    """The files, of those `wanted`, that one of the processes could write to at this moment.

    Pipes, sockets, devices and files without a name are none. Who may not be looked at has none.
    """
    return frozenset(path for pid in pids for path in _written_by(pid, wanted))


def _written_by(pid: int, wanted: Callable[[Path], bool]) -> Iterator[Path]:
    folder = _PROC / str(pid)
    try:
        numbers = [link.name for link in (folder / "fd").iterdir()]
    except OSError:
        return
    for number in numbers:
        try:
            target = str((folder / "fd" / number).readlink())
            if not target.startswith("/") or target.startswith(("/dev/", "/proc/")):
                continue
            path = Path(target)
            if target.endswith(_DELETED) or not wanted(path):
                continue
            if _may_write(folder / "fdinfo" / number):
                yield path
        except OSError:
            continue  # closed in between


def _may_write(info: Path) -> bool:
    """By the access mode that the file was opened with (proc_pid_fdinfo(5))."""
    for line in info.read_text(encoding="ascii").splitlines():
        name, _, value = line.partition(":")
        if name == "flags":
            return int(value, 8) & os.O_ACCMODE in (os.O_WRONLY, os.O_RDWR)
    return False
