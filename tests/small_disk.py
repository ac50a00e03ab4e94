"""A real file system that is soon full, or cannot be written at all."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


@contextmanager
def small_disk(folder: Path, kib: int = 64, *, read_only: bool = False) -> Iterator[Path]:
    """A tmpfs of so many KiB mounted on `folder`; skips where this user may not mount."""
    folder.mkdir()
    options = f"size={kib}k{',ro' if read_only else ''}"
    command = ["mount", "-t", "tmpfs", "-o", options, "small-disk", str(folder)]
    try:
        subprocess.run(command, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("a file system can be mounted by root only")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True, capture_output=True)


def fill(folder: Path) -> Path:
    """Take every last byte below `folder`; removing the file that is returned frees them."""
    filler = folder / "filler"
    with filler.open("wb", buffering=0) as file:
        for size in (4096, 1):
            try:
                while file.write(b"x" * size):
                    pass
            except OSError:
                continue
    return filler
