"""A file that a person has asked for by name: whole, or untouched and one line that says why."""

import errno
import os
from pathlib import Path

from timellm_ops.cli.errors import OutputRefused, UsageError
from timellm_ops.paths import full_path
from timellm_ops.process.files import replace_file

_BAD_PLACES = (errno.ENOTDIR, errno.ENAMETOOLONG, errno.EISDIR)
"""Where the path itself is at fault, and not what the machine allows or has room for."""


def write_output(option: str, given: Path, data: bytes, such_as: str) -> Path:
    """Write `data` to the file that `option` names, in a folder that is made if need be.

    `such_as` is a name that would be right. Returns the full path. Raises `UsageError` for a path
    that no file can have, `OutputRefused` where it cannot be written here; a file that was there
    is then as it was.
    """
    path, expected = full_path(str(given), Path.cwd()), f"expected a file such as {such_as}"
    try:
        if path.is_dir():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        if path.exists() and not path.is_file():
            raise UsageError(f"{option}: found {given}, which is not a file; {expected}")
        if not path.parent.is_dir():
            path.parent.mkdir(parents=True)
        replace_file(path, data)
    except OSError as error:
        number = errno.ENOTDIR if error.errno == errno.EEXIST else error.errno
        reason = os.strerror(number) if number else str(error)
        if number in _BAD_PLACES:
            raise UsageError(f"{option}: found {given} ({reason}); {expected}") from None
        raise OutputRefused(f"{option}: {path} cannot be written ({reason})") from None
    return path
