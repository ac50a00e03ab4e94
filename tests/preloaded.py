"""Small C libraries that are put before the system's own (`LD_PRELOAD`) in a program under test."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest


def compiled(folder: Path, name: str, source: str) -> Path:
    """The library `name` in `folder`, made of C text; skips where there is no compiler."""
    compiler = shutil.which("gcc") or shutil.which("cc")
    if compiler is None or not sys.platform.startswith("linux"):
        pytest.skip("no C compiler for a library that stands before the system's")
    text, library = folder / f"{name}.c", folder / f"{name}.so"
    text.write_text(source)
    subprocess.run(
        [compiler, "-shared", "-fPIC", "-Wall", "-Werror", "-o", library, text, "-ldl"],
        check=True,
    )
    return library
