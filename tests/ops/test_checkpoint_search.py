"""Where a script saves when nobody has said it: real processes that write slowly."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from subprocess import PIPE

import pytest
from slow_writer import WRITER
from waiting import python

from timellm_ops.adapters import open_watch
from timellm_ops.adapters.checkpoint_place import Place
from timellm_ops.adapters.checkpoint_search import checkpoints_below, looks_like_checkpoint
from timellm_ops.adapters.saved_file import STABLE_S, SavedFileWatch
from timellm_ops.adapters.saved_version import state_of, version_of
from timellm_ops.configfile import foreign_config
from timellm_ops.contract import events as ev
from timellm_ops.contract.layout import RunLayout
from timellm_ops.contract.state import RunState
from timellm_ops.process.identity import identify
from timellm_ops.process.open_files import files_open_for_writing
from timellm_ops.process.tree import ProcessTree

BEGAN = datetime(2020, 1, 1, tzinfo=UTC)
GOES_ON = ev.LearningRateChanged(lr=1e-4)
BEST = ev.CheckpointWriting(kind="best", epoch=2, vali_mse=0.5)
UNANNOUNCED = ev.CheckpointWriting(kind="last", iteration=0)
NEXT = ev.CheckpointWriting(kind="best", epoch=3)


class Writer:
    """A script that saves, a child of the process that stands for the engine."""

    def __init__(self, child: subprocess.Popen[str]) -> None:
        self.child = child
        identity = identify(child.pid)
        assert identity is not None
        self.tree = ProcessTree(identity)

    def goes_on(self) -> str:
        assert self.child.stdin is not None
        assert self.child.stdout is not None
        self.child.stdin.write("go\n")
        self.child.stdin.flush()
        return self.child.stdout.readline().strip()

    def open_files(self, wanted: Callable[[Path], bool] = looks_like_checkpoint) -> frozenset[Path]:
        return files_open_for_writing([entry.pid for entry in self.tree.walk()], wanted)


@contextmanager
def writer(kind: str, folder: Path) -> Iterator[Writer]:
    shell = f'"{sys.executable}" -c "$1" "$2" "$3"; true'
    with subprocess.Popen(
        ["sh", "-c", shell, "sh", WRITER, kind, str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as child:
        made = Writer(child)
        try:
            yield made
        finally:
            made.tree.signal(9)


def polled(watch: SavedFileWatch, start_t: float, seconds: float) -> list[ev.Event]:
    return [event for i in range(int(seconds * 5) + 1) for event in watch.poll(start_t + i / 5)]


def the_saved(events: list[ev.Event]) -> ev.CheckpointSaved:
    (saved,) = [event for event in events if isinstance(event, ev.CheckpointSaved)]
    return saved


@pytest.mark.parametrize(("kind", "name"), [("torch", "model.pth"), ("plain", "model.ckpt")])
@pytest.mark.parametrize("inside", [True, False])
def test_a_file_is_found_while_it_is_open_and_saved_once_it_is_closed(
    tmp_path: Path, kind: str, name: str, inside: bool
) -> None:
    workdir, folder = tmp_path / "work", tmp_path / ("work" if inside else "elsewhere")
    workdir.mkdir()
    with writer(kind, folder) as script:
        watch = SavedFileWatch(Place(workdir=workdir, search=True), being_written=script.open_files)
        watch.expect(BEST)
        assert script.goes_on() == "begun"
        assert script.open_files() == {folder / name}
        watch.went_on(GOES_ON)
        assert polled(watch, 10.0, 5 * STABLE_S) == []
        assert script.goes_on() == "done"
        saved = the_saved(polled(watch, 20.0, 2 * STABLE_S))
    assert (saved.kind, saved.epoch, saved.vali_mse) == ("best", 2, 0.5)
    assert saved.path == str(folder / name)
    assert saved.bytes == (folder / name).stat().st_size >= 200_000
    watch.expect(NEXT)
    assert polled(watch, 30.0, 5 * STABLE_S) == []


def test_a_script_that_announces_nothing_is_seen_to_save(tmp_path: Path) -> None:
    with writer("torch", tmp_path) as script:
        place = Place(workdir=tmp_path, search=True, announced=False)
        watch = SavedFileWatch(place, being_written=script.open_files)
        assert polled(watch, 10.0, 5.0) == []
        assert not watch.pending
        assert script.goes_on() == "begun"
        assert polled(watch, 20.0, 5 * STABLE_S) == [UNANNOUNCED]
        assert watch.pending
        assert not watch.quiet()
        assert script.goes_on() == "done"
        saved = the_saved(polled(watch, 30.0, 2 * STABLE_S))
        assert (saved.kind, saved.epoch) == ("last", None)
        assert watch.quiet()
        Path(saved.path).write_bytes(b"another")
        assert not watch.quiet()
        the_saved(polled(watch, 35.0, 4.0))
        assert polled(watch, 40.0, 20.0) == []
        assert not watch.pending


def progress(iteration: int) -> ev.Progress:
    return ev.Progress(epoch=2, iteration=iteration, loss=0.5)


def test_what_nobody_announced_holds_at_least_what_was_done_at_the_look_before(
    tmp_path: Path,
) -> None:
    watch = SavedFileWatch(Place(workdir=tmp_path, search=True, announced=False))
    watch.went_on(progress(10))
    assert polled(watch, 10.0, 5.0) == []
    watch.went_on(progress(20))
    (tmp_path / "model.pt").write_bytes(b"weights")
    watch.went_on(progress(30))
    saved = the_saved(polled(watch, 30.0, 5.0))
    assert (saved.epoch, saved.iteration) == (2, 10)
    (tmp_path / "model.pt").write_bytes(b"more weights")
    saved = the_saved(polled(watch, 50.0, 5.0))
    assert (saved.epoch, saved.iteration) == (2, 30)


def test_what_was_saved_just_before_the_end_is_found_at_once(tmp_path: Path) -> None:
    watch = SavedFileWatch(Place(workdir=tmp_path, search=True, announced=False))
    assert watch.poll(10.0) == []
    (tmp_path / "model.pt").write_bytes(b"weights")
    assert watch.poll(10.2) == []
    watch.engine_left()
    assert watch.poll(10.4) == [UNANNOUNCED]
    assert watch.pending
    the_saved(polled(watch, 10.6, 2 * STABLE_S))


@pytest.mark.parametrize("pattern", ["", "out/checkpoint-*"])
def test_a_folder_is_saved_when_its_last_file_is_there(tmp_path: Path, pattern: str) -> None:
    with writer("folder", tmp_path / "out") as script:
        place = Place(
            workdir=tmp_path,
            pattern=pattern,
            search=not pattern,
            last_file="trainer_state.json",
            announced=False,
        )
        watch = SavedFileWatch(place, being_written=script.open_files)
        assert polled(watch, 10.0, 2.0) == []
        assert script.goes_on() == "begun"
        said = polled(watch, 20.0, 20.0)
        assert said == [UNANNOUNCED]
        assert script.goes_on() == "done"
        saved = the_saved(polled(watch, 50.0, 2 * STABLE_S))
    folder = tmp_path / "out" / "checkpoint-7"
    assert saved.path == str(folder)
    assert saved.bytes == sum(file.stat().st_size for file in folder.iterdir())
    assert saved.sha256 is None
    assert polled(watch, 60.0, 30.0) == []


def test_an_announced_path_is_looked_at_wherever_it_is(tmp_path: Path) -> None:
    work, out = tmp_path / "work", tmp_path / "a" / "b"
    work.mkdir()
    out.mkdir(parents=True)
    watch = SavedFileWatch(Place(workdir=work, search=True))
    watch.expect(ev.CheckpointWriting(kind="last", iteration=7, path="../a/b/state"))
    assert polled(watch, 10.0, 5.0) == []
    (out / "state").write_bytes(b"weights")
    saved = the_saved(polled(watch, 20.0, 2 * STABLE_S))
    assert (saved.path, saved.iteration) == (str(work / "../a/b/state"), 7)


def test_the_same_file_by_two_names_is_one_checkpoint(tmp_path: Path) -> None:
    work, other = tmp_path / "work", tmp_path / "disk"
    work.mkdir()
    other.mkdir()
    (work / "out").symlink_to(other)
    file = other / "model.pt"
    place = Place(workdir=work, pattern="out/*.pt", search=True)
    watch = SavedFileWatch(place, being_written=lambda _: frozenset({file} - done))
    done: set[Path] = set()
    watch.expect(BEST)
    file.write_bytes(b"weights")
    assert polled(watch, 10.0, 2 * STABLE_S) == [], "it is open"
    done.add(file)
    the_saved(polled(watch, 20.0, 2 * STABLE_S))
    watch.expect(NEXT)
    assert polled(watch, 30.0, 5 * STABLE_S) == []


def test_a_place_that_was_given_is_the_only_one(tmp_path: Path) -> None:
    config = foreign_config("x.sh", workdir=tmp_path, checkpoint="mine/*")
    watch = open_watch(RunLayout(tmp_path), config, RunState())
    assert isinstance(watch, SavedFileWatch)
    watch.expect(BEST)
    (tmp_path / "other.pt").write_bytes(b"weights")
    assert polled(watch, 10.0, 5.0) == []
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "w").write_bytes(b"weights")
    assert the_saved(polled(watch, 20.0, 2.0)).path == str(tmp_path / "mine" / "w")


def test_a_given_file_that_is_open_is_not_saved_whatever_its_name(tmp_path: Path) -> None:
    file = tmp_path / "w"
    script = (
        f"import sys; f = open({str(file)!r}, 'wb'); f.write(b'w'); f.flush(); print(flush=True)"
    )
    with python(f"{script}; sys.stdin.read()", stdin=PIPE, stdout=PIPE) as child:
        place = Place(workdir=tmp_path, pattern="w")
        assert child.stdout is not None
        child.stdout.readline()
        assert file.stat().st_size == 1
        watch = SavedFileWatch(
            place,
            since=BEGAN,
            being_written=lambda wanted: files_open_for_writing([child.pid], wanted),
        )
        watch.expect(BEST)
        assert polled(watch, 10.0, 5 * STABLE_S) == []
        child.kill()
        child.wait()
        the_saved(polled(watch, 20.0, 2 * STABLE_S))


@pytest.mark.parametrize(
    ("name", "is_one"),
    [
        ("checkpoint", True),
        ("checkpoints/x/checkpoint.pth", True),
        ("out/pytorch_model.bin", True),
        ("ckpt-100", True),
        ("model.safetensors", True),
        ("adapter_model.bin", True),
        ("train.log", False),
        ("pred.npy", False),
        ("events.out.tfevents.1", False),
        (".cache/torch/kernel.pt", False),
        ("data.bin", False),
        ("model.py", False),
    ],
)
def test_a_checkpoint_is_known_by_its_name(name: str, is_one: bool) -> None:
    assert looks_like_checkpoint(Path("/home/me") / name) == is_one


def test_a_working_folder_is_searched_a_little_way(tmp_path: Path) -> None:
    near, far = tmp_path / "a" / "b" / "c", tmp_path.joinpath(*"abcdefgh")
    far.mkdir(parents=True)
    (tmp_path / ".hidden").mkdir()
    for folder in (near, far, tmp_path / ".hidden"):
        (folder / "model.pt").write_bytes(b"w")
    (tmp_path / "loop").symlink_to(tmp_path)
    assert list(checkpoints_below(tmp_path)) == [near / "model.pt"]


def safetensors(body: bytes) -> bytes:
    header = b'{"__metadata__":{},"w":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}'
    return len(header).to_bytes(8, "little") + header + body


@pytest.mark.parametrize(
    ("content", "state"),
    [
        (safetensors(b"x" * 8), "whole"),
        (safetensors(b"x" * 7), "partial"),
        (safetensors(b"x" * 8)[:20], "partial"),
        (b"\xff" * 40, "partial"),
        (b"", "partial"),
    ],
)
def test_safetensors_tell_whether_they_are_whole(
    tmp_path: Path, content: bytes, state: str
) -> None:
    path = tmp_path / "model.safetensors"
    path.write_bytes(content)
    assert state_of(path) == state


def test_of_a_folder_everything_counts_that_is_in_it(tmp_path: Path) -> None:
    folder = tmp_path / "checkpoint-1"
    (folder / "inside").mkdir(parents=True)
    assert version_of(folder) is None
    assert state_of(folder) == "partial"
    (folder / "inside" / "w.bin").write_bytes(b"123")
    before = version_of(folder)
    assert before is not None
    assert before.size == 3
    assert state_of(folder) == "readable"
    (folder / "inside" / "w.bin").write_bytes(b"1234")
    assert version_of(folder) != before
    assert state_of(folder, last_file="done") == "partial"
    (folder / "done").write_bytes(b"x")
    assert state_of(folder, last_file="done") == "whole"
    held = frozenset({folder / "inside" / "w.bin"})
    assert state_of(folder, last_file="done", being_written=held) == "partial"


def test_a_reader_and_a_log_are_not_being_written(tmp_path: Path) -> None:
    file = tmp_path / "model.pt"
    file.write_bytes(b"weights")
    script = f"import sys; f = open({str(file)!r}, 'rb'); print(flush=True); sys.stdin.read()"
    with python(script, stdin=PIPE, stdout=PIPE) as child:
        assert child.stdout is not None
        child.stdout.readline()
        assert files_open_for_writing([child.pid]) == frozenset()
    assert files_open_for_writing([child.pid]) == frozenset()
