"""The `runs/` folder: one folder a run, never reused, never half there."""

import os
import re
import secrets
import shutil
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

import msgspec

from timellm_ops.configfile import parse_toml, write_config
from timellm_ops.contract.config import Config
from timellm_ops.contract.layout import RunLayout
from timellm_ops.contract.run_name import RUN_NAME
from timellm_ops.contract.validation import ConfigError, one_line
from timellm_ops.manifest import Manifest
from timellm_ops.paths import full_path
from timellm_ops.process.files import read_json, sync_folder, write_all
from timellm_ops.process.records import is_live

_RUN_ID = re.compile(rf"[0-9]{{8}}-[0-9]{{6}}-{RUN_NAME}-[0-9a-f]{{4}}")
_NAME = re.compile(RUN_NAME)
_SHOWN = 5
_ATTEMPTS = 100


class RunNotFound(LookupError):  # noqa: N818 - it says what happened
    """No run is meant by a reference. The text is one line and names what there is."""


class RunAmbiguous(LookupError):  # noqa: N818 - it says what happened
    """More than one run may be meant. The text is one line and names them."""


def runs_dir(env: Mapping[str, str] = os.environ) -> Path:
    """Where runs are kept: `TIMELLM_RUNS_DIR`, or `runs` in the working folder."""
    return full_path(env.get("TIMELLM_RUNS_DIR") or "runs", Path.cwd())


def load_config(layout: RunLayout) -> Config:
    """The resolved config of a run. Raises `ConfigError`."""
    return parse_toml(layout.config)


def load_manifest(layout: RunLayout) -> Manifest | None:
    """What the run was made with; `None` where that cannot be read."""
    return read_json(layout.manifest, Manifest)


class RunStore:
    """The runs below one folder."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def create(
        self,
        name: str,
        now: datetime,
        config: Config,
        manifest: Manifest,
        *,
        patterns: bytes = b"",
    ) -> RunLayout:
        """Make a run's folder, complete with config and manifest, under a new id.

        `patterns` is the pattern file of a foreign engine that needs one: the run keeps its own,
        so that a later change of the file changes nothing for it.

        It is written aside and renamed into place: there is the whole folder or none. Raises
        `ValueError` for a name that is not safe as part of a file name, `ConfigError` for a folder
        whose path no record can hold, and `OSError`.
        """
        if not _NAME.fullmatch(name):
            raise ValueError(f"{name!r} cannot be part of a run's id")
        if not _is_utf8(self.root):
            expected = "another one, such as TIMELLM_RUNS_DIR can name"
            raise ConfigError(str(self.root), "", "a folder whose name is not UTF-8", expected)
        self.root.mkdir(parents=True, exist_ok=True)
        aside = self.root / f".new-{secrets.token_hex(8)}"
        aside.mkdir()
        try:
            _write(aside / "config.toml", write_config(config))
            encoded = msgspec.json.format(msgspec.json.encode(manifest), indent=2)
            _write(aside / "manifest.json", encoded + b"\n")
            if patterns:
                _write(aside / "patterns.toml", patterns)
            sync_folder(aside)
            layout = self._take_id(aside, f"{now:%Y%m%d-%H%M%S}-{name}")
        except BaseException:
            shutil.rmtree(aside, ignore_errors=True)
            raise
        sync_folder(self.root)
        return layout

    def _take_id(self, aside: Path, prefix: str) -> RunLayout:
        for _ in range(_ATTEMPTS):
            target = self.root / f"{prefix}-{secrets.token_hex(2)}"
            if target.exists():
                continue
            try:
                aside.rename(target)
            except OSError:
                if target.exists():
                    continue
                raise
            return RunLayout(target)
        raise FileExistsError(f"no free run id for {prefix} in {self.root}")

    def runs(self) -> list[RunLayout]:
        """Every run, oldest first. A folder of another kind is none."""
        try:
            names = [entry.name for entry in os.scandir(self.root) if entry.is_dir()]
        except (FileNotFoundError, NotADirectoryError):
            return []
        layouts = [RunLayout(self.root / name) for name in names if _RUN_ID.fullmatch(name)]
        dated = [(_order(layout), layout) for layout in layouts]
        return [layout for _, layout in sorted(dated, key=lambda pair: pair[0])]

    def resolve(self, ref: str) -> RunLayout:
        """The run that is meant by an id, a prefix that fits one run only, or `latest`.

        The latest is the newest of those that go on; where none does, the newest of all: a run
        that failed at once does not stand before the one that somebody waits for.

        Raises `RunNotFound` and `RunAmbiguous`.
        """
        runs, asked = self.runs(), one_line(ref)
        if ref == "latest" and runs:
            return next((run for run in reversed(runs) if is_live(run)), runs[-1])
        fitting = [run for run in runs if ref and run.run_id.startswith(ref)]
        exact = [run for run in fitting if run.run_id == ref]
        if len(exact or fitting) == 1:
            return (exact or fitting)[0]
        if fitting:
            text = f'"{asked}" may mean {len(fitting)} runs in {self.root}: {_names(fitting)}'
            raise RunAmbiguous(text)
        if not runs:
            raise RunNotFound(f'no run "{asked}": there are no runs in {self.root} yet')
        raise RunNotFound(f'no run "{asked}" in {self.root}; there are: {_names(runs)}')


def _is_utf8(path: Path) -> bool:
    try:
        str(path).encode()
    except UnicodeEncodeError:
        return False
    return True


def _order(layout: RunLayout) -> tuple[str, int, str]:
    """By the second in the id; within one second by when the config was written."""
    try:
        written = layout.config.stat().st_mtime_ns
    except OSError:
        written = 0
    return (layout.run_id[:15], written, layout.run_id)


def _names(runs: list[RunLayout]) -> str:
    """The newest few, newest first."""
    shown = ", ".join(run.run_id for run in reversed(runs[-_SHOWN:]))
    more = len(runs) - _SHOWN
    return f"{shown} and {more} more" if more > 0 else shown


def _write(path: Path, data: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
    try:
        write_all(descriptor, data)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
