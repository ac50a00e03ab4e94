"""When is the checkpoint of a foreign script durable?

The published code prints "Saving model" and only then begins to write, in place, and says nothing
when it is done. So the file is looked at until it is another one than before, complete, and the
same for a while or known to be written; then it is synced, hashed, and looked at once more.
"""

import stat
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Literal, NamedTuple

from timellm_ops.adapters.securing import Securing
from timellm_ops.contract.events import Alert, CheckpointSaved, CheckpointWriting, Event
from timellm_ops.contract.validation import stays_below

STABLE_S = 1.0
"""How long a file must have been the same."""
PATIENCE_S = 60.0
"""How long a checkpoint may show no sign of being written before a person is told."""
AT_ONCE_BYTES = 16 << 20
"""A file up to this size is synced and hashed within a turn, a larger one beside it."""

_ZIP_BEGINS = b"PK\x03\x04"


class Version(NamedTuple):
    """What tells two states of a file apart without reading it."""

    inode: int
    size: int
    mtime_ns: int


State = Literal["partial", "readable", "whole"]
"""`whole`: its own form says that nothing is missing; `readable`: it has no form that would."""


class Look(NamedTuple):
    """A file as it was found at monotonic second `t`."""

    path: Path
    version: Version
    state: State
    t: float


def settled(
    looks: Sequence[Look], before: Mapping[Path, Version], *, went_on: bool = False
) -> Look | None:
    """The file that has been saved: the newest that is another one than `before`, if it is
    complete and was the same in every look over `STABLE_S`. `looks` are in order of time.

    Where the script `went_on` after saving, a file that shows by itself that it is whole need not
    be waited for.
    """
    latest = {look.path: look for look in looks if look.version != before.get(look.path)}
    if not latest:
        return None
    newest = max(latest.values(), key=lambda look: look.version.mtime_ns)
    same_since_t = newest.t
    for look in reversed([look for look in looks if look.path == newest.path]):
        if look.version != newest.version:
            break
        same_since_t = look.t
    if newest.state == "partial":
        return None
    enough = went_on and newest.state == "whole"
    return newest if enough or newest.t - same_since_t >= STABLE_S else None


class SavedFileWatch:
    """Watches the files that match `pattern` below `workdir`.

    `since`: when the engine was last known to have saved nothing new. What was written after it
    counts as new although it is there already: a watch that takes over may have missed the words.
    """

    def __init__(
        self,
        workdir: Path,
        pattern: str,
        *,
        since: datetime | None = None,
        at_once_bytes: int = AT_ONCE_BYTES,
    ) -> None:
        """Raises `ValueError` for a pattern that leads out of `workdir`."""
        if not stays_below(pattern):
            raise ValueError(f'the pattern "{pattern}" is not below the working folder')
        self._workdir, self._pattern = workdir, pattern
        self._at_once_bytes = at_once_bytes
        since_ns = None if since is None else int(since.timestamp() * 1e9)
        self._before = {
            path: version
            for path, version in self._versions()
            if since_ns is None or version.mtime_ns <= since_ns
        }
        self._changed: dict[Path, Version] = {}
        self._changed_t: float | None = None
        self._looks: list[Look] = []
        self._expected: CheckpointWriting | None = None
        self._went_on = False
        self._securing: tuple[Look, Securing] | None = None
        self._told = False

    @property
    def pending(self) -> bool:
        """Whether a checkpoint is announced and not yet found."""
        return self._expected is not None

    def expect(self, event: CheckpointWriting) -> None:
        """The script has said that it saves. Of two announcements the newer one counts."""
        self._expected, self._went_on = event, False
        self._looks, self._changed_t, self._securing = [], None, None

    def went_on(self) -> None:
        """The script has said something else, so its writing is over. Of several processes another
        one may have said it: the file has to bear it out."""
        self._went_on = True

    def poll(self, now_t: float) -> list[Event]:
        """Look once. `CheckpointSaved` when it is durable; an alert, once, if that never comes."""
        if self._expected is None:
            return []
        if self._securing is None:
            self._look(now_t)
            found = settled(self._looks, self._before, went_on=self._went_on)
            if found is not None:
                beside = found.version.size > self._at_once_bytes
                self._securing = (found, Securing(found.path, beside=beside))
        if self._securing is not None and self._securing[1].done:
            (found, secured), self._securing, self._looks = self._securing, None, []
            if secured.problem:
                return self._alert(f"the saved checkpoint is not safe: {secured.problem}")
            if _version(found.path) == found.version:
                return [self._saved(found, secured.sha256, self._expected)]
        return self._lost_patience(now_t)

    def _look(self, now_t: float) -> None:
        versions = dict(self._versions())
        changed = {p: v for p, v in versions.items() if v != self._before.get(p)}
        if self._changed_t is None or changed != self._changed:
            self._changed, self._changed_t = changed, now_t
        # Of all looks at one version, the first and the newest say everything.
        same = [look for look in self._looks if changed.get(look.path) == look.version]
        firsts = {look.path: look for look in reversed(same)}
        newest = [Look(p, v, _state(p, v), now_t) for p, v in changed.items()]
        self._looks = [*firsts.values(), *newest]

    def _saved(
        self, found: Look, sha256: str | None, expected: CheckpointWriting
    ) -> CheckpointSaved:
        self._before[found.path] = found.version
        self._expected = None
        return CheckpointSaved(
            kind="best",
            path=str(found.path),
            bytes=found.version.size,
            sha256=sha256,
            epoch=expected.epoch,
            vali_mse=expected.vali_mse,
        )

    def _lost_patience(self, now_t: float) -> list[Event]:
        if self._changed_t is None or now_t - self._changed_t < PATIENCE_S:
            return []
        if self._changed:
            names = ", ".join(str(path) for path in sorted(self._changed))
            return self._alert(
                f"a checkpoint is not complete {PATIENCE_S:.0f} s after it last grew: {names}"
            )
        return self._alert(
            f'the script has said "Saving model", but in {PATIENCE_S:.0f} s no file that matches'
            f' "{self._pattern}" in {self._workdir} was written; say where it saves with'
            " --engine-checkpoint PATTERN, or with foreign.checkpoint in the config"
        )

    def _alert(self, message: str) -> list[Event]:
        if self._told:
            return []
        self._told = True
        return [Alert(level="warning", message=message)]

    def _versions(self) -> Iterator[tuple[Path, Version]]:
        try:
            for path in self._workdir.glob(self._pattern):
                version = _version(path)
                if version is not None:
                    yield path, version
        except (OSError, ValueError):
            return


def _version(path: Path) -> Version | None:
    """`None` where there is no plain file."""
    try:
        found = path.stat()
    except OSError:
        return None
    if not stat.S_ISREG(found.st_mode):
        return None
    return Version(found.st_ino, found.st_size, found.st_mtime_ns)


def _state(path: Path, version: Version) -> State:
    """What torch saves is a zip archive, whose directory is written last."""
    if version.size == 0:
        return "partial"
    try:
        with path.open("rb") as file:
            if file.read(len(_ZIP_BEGINS)) != _ZIP_BEGINS:
                return "readable"
            return "whole" if zipfile.is_zipfile(file) else "partial"
    except OSError:
        return "partial"
