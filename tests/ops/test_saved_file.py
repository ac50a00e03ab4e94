"""When a foreign script's checkpoint is durable: looks as data, and real files being written."""

import hashlib
import io
import os
import zipfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from waiting import until

from timellm_ops.adapters import open_watch
from timellm_ops.adapters.checkpoint_place import Place
from timellm_ops.adapters.saved_file import (
    AT_ONCE_BYTES,
    PATIENCE_S,
    STABLE_S,
    Look,
    SavedFileWatch,
    settled,
)
from timellm_ops.adapters.saved_version import State, Version
from timellm_ops.adapters.securing import Securing
from timellm_ops.configfile import foreign_config
from timellm_ops.contract import events as ev
from timellm_ops.contract.layout import RunLayout
from timellm_ops.contract.reduction import reduce
from timellm_ops.contract.state import RunState
from timellm_ops.contract.validation import ConfigError

PATTERN = "checkpoints/*/checkpoint"
GOES_ON = ev.LearningRateChanged(lr=1e-4)
WRITING = ev.CheckpointWriting(kind="best", epoch=3, vali_mse=0.388802, previous_vali_mse=0.3912)
NEXT = ev.CheckpointWriting(kind="best", epoch=5, vali_mse=0.37, previous_vali_mse=0.388802)


def saved_by_torch(size: int = 3000, fill: bytes = b"w") -> bytes:
    """A zip archive without compression, as `torch.save` writes it."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_STORED) as file:
        file.writestr("checkpoint/data.pkl", b"\x80\x02}q\x00.")
        file.writestr("checkpoint/data/0", fill * size)
        file.writestr("checkpoint/version", b"3\n")
    return archive.getvalue()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "checkpoints" / "ETTh1_512_96-Qwen3B" / "checkpoint"
    path.parent.mkdir(parents=True)
    return path


def watch_of(
    folder: Path,
    pattern: str = PATTERN,
    *,
    since: datetime | None = None,
    at_once_bytes: int = AT_ONCE_BYTES,
) -> SavedFileWatch:
    place = Place(workdir=folder, pattern=pattern)
    return SavedFileWatch(place, since=since, at_once_bytes=at_once_bytes)


def polled(watch: SavedFileWatch, start_t: float, seconds: float) -> list[ev.Event]:
    """Five looks a second, as the supervisor has them."""
    return [event for i in range(int(seconds * 5) + 1) for event in watch.poll(start_t + i / 5)]


# --- the decision --------------------------------------------------------------------------------

PATHS = st.sampled_from([Path("a"), Path("b")])
VERSIONS = st.builds(Version, st.integers(1, 2), st.integers(1, 2), st.integers(1, 3))
STATES: st.SearchStrategy[State] = st.sampled_from(["partial", "readable", "whole"])
LOOKS = st.lists(st.builds(Look, PATHS, VERSIONS, st.booleans(), st.floats(0, 4)), max_size=8).map(
    lambda looks: sorted(looks, key=lambda look: look.t)
)


@given(LOOKS, st.dictionaries(PATHS, VERSIONS))
def test_only_a_file_that_is_new_complete_and_stable_is_settled(
    looks: list[Look], before: dict[Path, Version]
) -> None:
    found = settled(looks, before)
    if found is None:
        return
    same = [look for look in looks if look.path == found.path]
    assert found.version != before.get(found.path)
    assert found.state != "partial"
    assert same[-1] == found
    steady = [look for look in same if look.t >= found.t - STABLE_S]
    assert all(look.version == found.version for look in steady)
    assert any(look.version == found.version and found.t - look.t >= STABLE_S for look in same)


def look(t: float, size: int = 9, mtime_ns: int = 5, state: State = "whole") -> Look:
    return Look(Path("a"), Version(1, size, mtime_ns), state, t)


@pytest.mark.parametrize(
    ("looks", "is_settled"),
    [
        ([], False),
        ([look(0.0)], False),
        ([look(0.0), look(STABLE_S)], True),
        ([look(0.0), look(STABLE_S - 0.1)], False),
        ([look(0.0), look(STABLE_S, state="partial")], False),
        ([look(0.0), look(0.5, size=8), look(STABLE_S)], False),
        ([look(0.0), look(0.5, mtime_ns=4), look(STABLE_S)], False),
        ([look(0.0), look(0.5, size=8), look(0.6), look(0.6 + STABLE_S)], True),
    ],
)
def test_a_file_is_settled_after_a_second_without_change(
    looks: list[Look], is_settled: bool
) -> None:
    assert (settled(looks, {}) is not None) == is_settled


@pytest.mark.parametrize("state", ["partial", "readable", "whole"])
def test_a_whole_file_need_not_be_waited_for_once_the_script_has_gone_on(state: State) -> None:
    assert settled([look(0.0, state=state)], {}) is None
    assert (settled([look(0.0, state=state)], {}, went_on=True) is not None) == (state == "whole")
    assert settled([look(0.0, state=state)], {Path("a"): Version(1, 9, 5)}, went_on=True) is None


def test_the_newest_of_several_files_must_be_settled() -> None:
    old, new = Version(1, 9, 5), Version(2, 9, 6)
    looks = [Look(Path("a"), old, "whole", t) for t in (0.0, 2.0)]
    assert settled(looks, {}) == looks[-1]
    growing = Look(Path("b"), new, "partial", 2.0)
    assert settled([*looks, growing], {}) is None
    assert settled([*looks, growing], {Path("b"): new}) == looks[-1]


# --- files ---------------------------------------------------------------------------------------


def test_a_checkpoint_is_told_of_once_it_is_complete_and_stable(tmp_path: Path, file: Path) -> None:
    watch = watch_of(tmp_path)
    assert not watch.pending
    watch.expect(WRITING)
    assert watch.pending
    assert polled(watch, 10.0, 3.0) == []
    content = saved_by_torch()
    file.write_bytes(content[:2000])
    assert polled(watch, 13.0, 20.0) == []
    file.write_bytes(content)
    assert polled(watch, 40.0, STABLE_S - 0.2) == []
    assert watch.poll(40.0 + STABLE_S) == [
        ev.CheckpointSaved(
            kind="best",
            path=str(file),
            bytes=len(content),
            sha256=hashlib.sha256(content).hexdigest(),
            epoch=3,
            vali_mse=0.388802,
        )
    ]
    assert not watch.pending
    assert polled(watch, 50.0, 200.0) == []


def test_a_script_that_goes_on_at_once_is_not_asked_to_stand_still(
    tmp_path: Path, file: Path
) -> None:
    watch = watch_of(tmp_path)
    for number in range(5):
        watch.expect(WRITING)
        file.write_bytes(saved_by_torch()[:2000])
        watch.went_on(GOES_ON)  # said by another process
        assert watch.poll(10.0 + number / 2) == []
        content = saved_by_torch(fill=bytes([number]))
        file.write_bytes(content)
        (saved,) = watch.poll(10.2 + number / 2)
        assert isinstance(saved, ev.CheckpointSaved)
        assert saved.sha256 == hashlib.sha256(content).hexdigest()
    watch.expect(NEXT)
    file.write_bytes(saved_by_torch(fill=b"z"))
    assert polled(watch, 20.0, STABLE_S - 0.2) == []
    assert len(watch.poll(20.0 + STABLE_S)) == 1


def test_a_file_that_was_there_before_is_not_the_new_one(tmp_path: Path, file: Path) -> None:
    file.write_bytes(saved_by_torch())
    watch = watch_of(tmp_path)
    watch.expect(WRITING)
    assert polled(watch, 10.0, 30.0) == []
    file.write_bytes(saved_by_torch(fill=b"v"))
    assert len(polled(watch, 50.0, STABLE_S)) == 1


def test_each_announcement_asks_for_a_file_of_its_own(tmp_path: Path, file: Path) -> None:
    watch = watch_of(tmp_path)
    watch.expect(WRITING)
    file.write_bytes(saved_by_torch())
    (first,) = polled(watch, 10.0, STABLE_S)
    watch.expect(NEXT)
    assert polled(watch, 20.0, 5.0) == []
    # In place and of the same size, as the published code overwrites it.
    with file.open("r+b") as again:
        again.write(saved_by_torch(fill=b"v"))
    os.utime(file, ns=(1, file.stat().st_mtime_ns + 1))
    (second,) = polled(watch, 30.0, STABLE_S)
    assert isinstance(first, ev.CheckpointSaved)
    assert isinstance(second, ev.CheckpointSaved)
    assert (first.epoch, second.epoch) == (3, 5)
    assert first.sha256 != second.sha256


def test_a_file_that_was_written_before_its_words_were_read_is_found(
    tmp_path: Path, file: Path
) -> None:
    watch = watch_of(tmp_path)
    file.write_bytes(saved_by_torch())
    watch.expect(WRITING)
    assert len(polled(watch, 10.0, STABLE_S)) == 1


def test_a_file_of_another_kind_only_has_to_be_there_and_stable(tmp_path: Path, file: Path) -> None:
    watch = watch_of(tmp_path)
    watch.expect(WRITING)
    file.write_bytes(b"")
    assert polled(watch, 10.0, 5.0) == []
    file.write_bytes(b"\x80\x02 a pickle")
    assert len(polled(watch, 20.0, STABLE_S)) == 1


def test_a_file_that_keeps_growing_is_waited_for(tmp_path: Path, file: Path) -> None:
    watch = watch_of(tmp_path)
    watch.expect(WRITING)
    for i in range(200):
        with file.open("ab") as growing:
            growing.write(b"x")
        assert watch.poll(10.0 + i) == []
    assert len(polled(watch, 210.0, STABLE_S)) == 1


def test_a_file_replaced_while_it_is_summed_up_is_not_told_of(tmp_path: Path, file: Path) -> None:
    watch = watch_of(tmp_path, at_once_bytes=0)
    watch.expect(WRITING)
    file.write_bytes(saved_by_torch(size=4 << 20))
    assert polled(watch, 10.0, STABLE_S - 0.2) == []
    watch.poll(10.0 + STABLE_S)
    content = saved_by_torch(size=10)
    file.write_bytes(content)
    found: list[ev.Event] = []
    t = iter(range(20, 100_000))
    until(lambda: found.extend(watch.poll(next(t))) or found, "the checkpoint")
    (saved,) = found
    assert isinstance(saved, ev.CheckpointSaved)
    assert saved.bytes == len(content)
    assert saved.sha256 == hashlib.sha256(content).hexdigest()


def test_what_cannot_be_read_is_not_safe(tmp_path: Path) -> None:
    secured = Securing(tmp_path / "gone", beside=False)
    assert secured.done
    assert "gone: No such file or directory" in secured.problem


def test_folders_and_pipes_are_no_checkpoints(tmp_path: Path, file: Path) -> None:
    watch = watch_of(tmp_path)
    watch.expect(WRITING)
    file.mkdir()
    other = tmp_path / "checkpoints" / "other"
    other.mkdir()
    os.mkfifo(other / "checkpoint")
    (alert,) = polled(watch, 10.0, PATIENCE_S)
    assert isinstance(alert, ev.Alert)
    assert "no file that matches" in alert.message


def test_a_person_is_told_once_where_to_look_for_what_never_comes(tmp_path: Path) -> None:
    watch = watch_of(tmp_path, "weights/*.pt")
    watch.expect(WRITING)
    assert polled(watch, 10.0, PATIENCE_S - 0.2) == []
    (alert,) = watch.poll(10.0 + PATIENCE_S)
    assert isinstance(alert, ev.Alert)
    assert '"weights/*.pt"' in alert.message
    assert "--engine-checkpoint" in alert.message
    assert "foreign.checkpoint" in alert.message
    assert polled(watch, 80.0, 100.0) == []
    watch.expect(NEXT)
    assert polled(watch, 200.0, 100.0) == []
    assert watch.pending
    (tmp_path / "weights").mkdir()
    (tmp_path / "weights" / "late.pt").write_bytes(saved_by_torch())
    assert len(polled(watch, 400.0, STABLE_S)) == 1


def test_a_checkpoint_that_is_never_finished_is_named(tmp_path: Path, file: Path) -> None:
    watch = watch_of(tmp_path)
    watch.expect(WRITING)
    file.write_bytes(saved_by_torch()[:2000])
    (alert,) = polled(watch, 10.0, PATIENCE_S + 1)
    assert isinstance(alert, ev.Alert)
    assert str(file) in alert.message


def test_a_working_folder_that_is_not_there_is_no_error(tmp_path: Path) -> None:
    watch = watch_of(tmp_path / "none")
    watch.expect(WRITING)
    assert polled(watch, 10.0, 5.0) == []


@pytest.mark.parametrize("pattern", [".", "/etc/passwd", "../*", "a/../../b", ".."])
def test_a_pattern_cannot_lead_out_of_the_working_folder(tmp_path: Path, pattern: str) -> None:
    with pytest.raises(ValueError, match="working folder"):
        watch_of(tmp_path, pattern)
    with pytest.raises(ConfigError) as caught:
        foreign_config("train.sh", workdir=tmp_path, overrides=(f"foreign.checkpoint={pattern}",))
    assert "foreign.checkpoint" in str(caught.value)
    assert "below foreign.workdir" in str(caught.value)


# --- taking over ---------------------------------------------------------------------------------


def test_what_was_saved_while_nobody_watched_counts_as_new(tmp_path: Path, file: Path) -> None:
    file.write_bytes(saved_by_torch())
    written = datetime.fromtimestamp(file.stat().st_mtime, UTC)
    before = watch_of(tmp_path, since=written + timedelta(seconds=2))
    after = watch_of(tmp_path, since=written - timedelta(seconds=2))
    before.expect(WRITING)
    after.expect(WRITING)
    assert polled(before, 10.0, 5.0) == []
    assert len(polled(after, 10.0, STABLE_S)) == 1


def test_an_announcement_that_the_last_supervisor_left_open_is_taken_up(
    tmp_path: Path, file: Path
) -> None:
    config = foreign_config("bash train.sh", workdir=tmp_path)
    file.write_bytes(saved_by_torch())
    began = datetime.fromtimestamp(file.stat().st_mtime, UTC) - timedelta(hours=1)
    past = RunState()
    for event in (
        ev.RunStarted(run_id="r", name="n", engine="foreign", at=began),
        ev.EngineStarted(pid=1),
        ev.EpochStarted(epoch=3),
        ev.EpochEnded(epoch=3, train_mse=0.4, vali_mse=0.3888017),
        WRITING,
    ):
        past = reduce(past, event)
    watch = open_watch(RunLayout(tmp_path), config, past)
    assert watch.pending
    (saved,) = [event for t in range(10, 13) for event in watch.poll(t)]
    assert isinstance(saved, ev.CheckpointSaved)
    assert (saved.epoch, saved.vali_mse, saved.path) == (3, 0.3888017, str(file))
    done = reduce(
        past, ev.CheckpointSaved(kind="best", path=str(file), bytes=9, at=datetime.now(UTC))
    )
    again = open_watch(RunLayout(tmp_path), config, done)
    assert not again.pending
    again.expect(NEXT)
    assert [event for t in range(10, 20) for event in again.poll(t)] == []


def test_a_script_that_is_yet_to_start_has_saved_nothing(tmp_path: Path, file: Path) -> None:
    file.write_bytes(saved_by_torch())
    watch = open_watch(
        RunLayout(tmp_path), foreign_config("bash train.sh", workdir=tmp_path), RunState()
    )
    assert not watch.pending
    watch.expect(WRITING)
    assert [event for t in range(10, 20) for event in watch.poll(t)] == []


# --- a quiet moment ------------------------------------------------------------------------------


def test_it_is_quiet_until_a_checkpoint_is_announced_and_again_once_that_is_saved(
    file: Path, tmp_path: Path
) -> None:
    """An announced one is about to be written, though nothing of it is there yet."""
    file.write_bytes(saved_by_torch())
    watch = watch_of(tmp_path)
    assert watch.quiet()
    watch.expect(WRITING)
    assert not watch.quiet()
    file.write_bytes(saved_by_torch(4000))
    assert [type(event) for event in polled(watch, 0.0, 3.0)] == [ev.CheckpointSaved]
    assert watch.quiet()


def test_it_is_not_quiet_while_a_file_is_open_or_another_than_was_saved(
    file: Path, tmp_path: Path
) -> None:
    file.write_bytes(saved_by_torch())
    being_written: set[Path] = set()
    watch = SavedFileWatch(
        Place(workdir=tmp_path, pattern=PATTERN), being_written=lambda _: being_written
    )
    assert watch.quiet()
    being_written.add(file)
    assert not watch.quiet()
    being_written.clear()
    assert watch.quiet()
    file.write_bytes(saved_by_torch(4000))
    assert not watch.quiet()
