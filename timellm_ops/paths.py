"""Paths as people write them: with `~`, relative, or not fit for a path at all."""

import os
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
