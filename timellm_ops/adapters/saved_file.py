"""When is the checkpoint of a foreign script durable?

The published code prints "Saving model" and only then begins to write, in place, and says nothing
when it is done; other scripts say nothing at all. So what they save is looked at until it is
another version than before, complete, closed, and the same for a while or known to be written; then
it is synced, hashed, and looked at once more.
"""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from timellm_ops.adapters.checkpoint_place import OpenFiles, Place, Position, nothing_open
from timellm_ops.adapters.checkpoint_search import checkpoints_below, looks_like_checkpoint
from timellm_ops.adapters.saved_version import State, Version, state_of, version_of
from timellm_ops.adapters.securing import Securing
from timellm_ops.contract.cross_checks import stays_below
from timellm_ops.contract.events import (
    Alert,
    CheckpointSaved,
    CheckpointWriting,
    Event,
    Progress,
)

STABLE_S = 1.0
"""How long a file must have been the same."""
PATIENCE_S = 60.0
"""How long a checkpoint may show no sign of being written before a person is told."""
IDLE_S = 2.0
"""How often a script that announces nothing is looked at."""
SEARCH_EVERY_S = 2.0
"""How often a working folder is searched, at most, while something is sure to be saved."""
IDLE_SEARCH_EVERY_S = 10.0
_MOST_FOUND = 32
AT_ONCE_BYTES = 16 << 20
"""A file up to this size is synced and hashed within a turn, a larger one beside it."""


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
    """Watches what a script saves.

    `since`: when the engine was last known to have saved nothing new. What was written after it
    counts as new although it is there already: a watch that takes over may have missed the words.
    `position`: where the training was then.
    """

    def __init__(
        self,
        place: Place,
        *,
        since: datetime | None = None,
        position: Position = (None, 0),
        being_written: OpenFiles = nothing_open,
        at_once_bytes: int = AT_ONCE_BYTES,
    ) -> None:
        """Raises `ValueError` for a pattern that leads out of the working folder."""
        if place.pattern and not stays_below(place.pattern):
            raise ValueError(f'the pattern "{place.pattern}" is not below the working folder')
        self._place = place
        self._being_written = being_written
        self._at_once_bytes = at_once_bytes
        self._expected: CheckpointWriting | None = None
        self._searched: tuple[Path, ...] = ()
        self._searched_t: float | None = None
        self._found: dict[Path, None] = {}  # announced, or seen open: in order, the newest last
        self._search(None)
        since_ns = None if since is None else int(since.timestamp() * 1e9)
        self._before = {
            path: version
            for path, version in self._versions()
            if since_ns is None or version.mtime_ns <= since_ns
        }
        self._changed: dict[Path, Version] = {}
        self._changed_t: float | None = None
        self._looks: list[Look] = []
        self._looked_t: float | None = None
        self._went_on = self._left = False
        self._position: Position = (None, 0)
        self._position_before = position  # at the look before
        self._securing: tuple[Look, Securing] | None = None
        self._told = False

    @property
    def pending(self) -> bool:
        """Whether a checkpoint is announced, or seen to be written, and not yet found."""
        return self._expected is not None

    def expect(self, event: CheckpointWriting) -> None:
        """The script has said that it saves. Of two announcements the newer one counts."""
        self._expected, self._went_on = event, self._left
        self._looks, self._changed_t, self._securing = [], None, None
        self._searched_t = None
        if event.path and self._place.search:
            self._keep(self._place.workdir / event.path)

    def went_on(self, event: Event) -> None:
        """The script has said something else, so its writing is over. Of several processes another
        one may have said it: the file has to bear it out."""
        self._went_on = True
        if isinstance(event, Progress):
            self._position = (event.epoch, event.iteration)

    def engine_left(self) -> None:
        """Nobody writes any more: look once more, and do not wait for what is whole."""
        self._went_on = self._left = True
        self._looked_t = self._searched_t = None

    def poll(self, now_t: float) -> list[Event]:
        """Look once. `CheckpointSaved` when it is durable; an alert, once, if that never comes.

        `now_t` are seconds in which the script could move: one that stands writes nothing, and
        its file is not done because it stays the same.
        """
        told: list[Event] = []
        if self._expected is None:
            if self._place.announced or not self._saves_unannounced(now_t):
                return []
            told.append(self._begin())
        assert self._expected is not None  # noqa: S101 - set in either case
        if self._securing is None:
            self._look(now_t)
            found = settled(self._looks, self._before, went_on=self._went_on)
            if found is not None:
                beside = found.version.size > self._at_once_bytes
                self._securing = (found, Securing(found.path, beside=beside))
        if self._securing is not None and self._securing[1].done:
            (found, secured), self._securing, self._looks = self._securing, None, []
            if secured.problem:
                return [
                    *told,
                    *self._alert(f"the saved checkpoint is not safe: {secured.problem}"),
                ]
            if version_of(found.path) == found.version:
                return [*told, self._saved(found, secured.sha256, self._expected)]
        return [*told, *self._lost_patience(now_t)]

    def quiet(self) -> bool:
        """Whether nothing is announced, open to write, or another version than was last saved."""
        if self._expected is not None:
            return False
        open_now = self._being_written(self._wanted())
        return not open_now and all(self._before.get(p) == v for p, v in self._versions())

    def _saves_unannounced(self, now_t: float) -> bool:
        if self._looked_t is not None and 0.0 <= now_t - self._looked_t < IDLE_S:
            return False
        self._looked_t = now_t
        self._look(now_t)
        if not self._changed:
            self._position_before = self._position
        return bool(self._changed)

    def _begin(self) -> CheckpointWriting:
        """What a script that announces nothing might have said.

        It began to save after the look before this one, so it saves at least what it had done then.
        """
        epoch, iteration = self._position_before
        expected = CheckpointWriting(kind="last", epoch=epoch, iteration=iteration)
        self._expected, self._went_on, self._changed_t = expected, self._left, None
        self._position_before = self._position
        return expected

    def _look(self, now_t: float) -> None:
        open_now = self._being_written(self._wanted())
        if self._place.search:
            for path in sorted(filter(looks_like_checkpoint, open_now)):
                self._keep(path.parent if self._place.last_file else path)
            self._search(now_t)
        versions = dict(self._versions())
        changed = {p: v for p, v in versions.items() if v != self._before.get(p)}
        if self._changed_t is None or changed != self._changed:
            self._changed, self._changed_t = changed, now_t
        # Of all looks at one version, the first and the newest say everything.
        same = [look for look in self._looks if changed.get(look.path) == look.version]
        firsts = {look.path: look for look in reversed(same)}
        newest = [Look(p, v, self._state(p, open_now), now_t) for p, v in changed.items()]
        self._looks = [*firsts.values(), *newest]

    def _wanted(self) -> Callable[[Path], bool]:
        """Which open files matter: what may be a checkpoint, or a part of one that is known."""
        known = {Path(os.path.realpath(path)) for path in self._paths()}
        search = self._place.search

        def wanted(path: Path) -> bool:
            return (
                path in known
                or not known.isdisjoint(path.parents)
                or (search and looks_like_checkpoint(path))
            )

        return wanted

    def _state(self, path: Path, open_now: AbstractSet[Path]) -> State:
        return state_of(path, last_file=self._place.last_file, being_written=open_now)

    def _keep(self, path: Path) -> None:
        self._found.pop(path, None)
        self._found[path] = None
        while len(self._found) > _MOST_FOUND:
            del self._found[next(iter(self._found))]

    def _search(self, now_t: float | None) -> None:
        """Look through the working folder, now and then: what is written in an instant is never
        seen open."""
        if not self._place.search:
            return
        every_s = IDLE_SEARCH_EVERY_S if self._expected is None else SEARCH_EVERY_S
        since_s = None if now_t is None or self._searched_t is None else now_t - self._searched_t
        if since_s is not None and 0.0 <= since_s < every_s:
            return
        self._searched_t = now_t
        found = checkpoints_below(self._place.workdir)
        if self._place.last_file:
            found = (file.parent for file in found if file.parent != self._place.workdir)
        self._searched = tuple(dict.fromkeys(found))

    def _saved(
        self, found: Look, sha256: str | None, expected: CheckpointWriting
    ) -> CheckpointSaved:
        # What was written along with it, or is the same by another name, is no later one.
        for path, version in self._changed.items():
            if version.mtime_ns <= found.version.mtime_ns:
                self._before[path] = version
        self._expected = None
        return CheckpointSaved(
            kind=expected.kind,
            path=str(found.path),
            bytes=found.version.size,
            sha256=sha256,
            epoch=expected.epoch,
            iteration=expected.iteration,
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
        if not self._place.announced:
            self._expected = None  # what seemed to be written is gone again
            return []
        what = f'that matches "{self._place.pattern}"' if self._place.pattern else "of weights"
        return self._alert(
            f'the script has said "Saving model", but in {PATIENCE_S:.0f} s no file {what}'
            f" in {self._place.workdir} was written; say where it saves with"
            " --engine-checkpoint PATTERN, or with foreign.checkpoint in the config"
        )

    def _alert(self, message: str) -> list[Event]:
        if self._told:
            return []
        self._told = True
        return [Alert(level="warning", message=message)]

    def _versions(self) -> Iterator[tuple[Path, Version]]:
        for path in self._paths():
            version = version_of(path)
            if version is not None:
                yield path, version

    def _paths(self) -> Iterator[Path]:
        yield from self._found
        if self._place.search:
            yield from self._searched
        try:
            if self._place.pattern:
                yield from self._place.workdir.glob(self._place.pattern)
        except (OSError, ValueError):
            return
