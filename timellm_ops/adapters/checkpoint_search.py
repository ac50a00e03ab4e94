"""Where does a script save, when nobody has said it? Open files tell, and its working folder."""

import os
import re
from collections.abc import Iterator
from pathlib import Path

_SUFFIXES = frozenset(
    {".pt", ".pth", ".ckpt", ".safetensors", ".h5", ".hdf5", ".keras", ".msgpack", ".pdparams"}
)
_NAMES = re.compile(
    r"(checkpoint|ckpt)([-_.]?\d+)?$|.*(model|weights|optimizer|checkpoint|ckpt).*\.(bin|pkl|npz)$",
    re.IGNORECASE,
)
_DEEPEST = 5
_MOST_ENTRIES = 5000


def looks_like_checkpoint(path: Path) -> bool:
    """By its name. Files of caches, below a folder whose name begins with a dot, are none."""
    if any(part.startswith(".") for part in path.parts):
        return False
    return path.suffix.lower() in _SUFFIXES or _NAMES.match(path.name) is not None


def checkpoints_below(folder: Path) -> Iterator[Path]:
    """The files below a folder that look like checkpoints, as far as a short search finds them:
    some levels deep, some thousands of entries, no links followed."""
    waiting, left = [(folder, 0)], _MOST_ENTRIES
    while waiting:
        here, depth = waiting.pop(0)
        try:
            entries = sorted(os.scandir(here), key=lambda entry: entry.name)
        except (OSError, ValueError):
            continue
        for entry in entries:
            left -= 1
            if left < 0:
                return
            if entry.name.startswith("."):
                continue
            try:
                if entry.is_dir(follow_symlinks=False):
                    if depth < _DEEPEST:
                        waiting.append((Path(entry.path), depth + 1))
                elif entry.is_file(follow_symlinks=False) and looks_like_checkpoint(
                    Path(entry.name)
                ):
                    yield Path(entry.path)
            except OSError:
                continue
