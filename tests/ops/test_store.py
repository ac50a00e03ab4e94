"""The runs folder: whole runs under ids of their own, and nothing that is half there."""

import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from small_disk import fill, small_disk
from waiting import PATIENCE_S, python, until

from timellm_ops.contract.config import Config, DataSection, RunSection
from timellm_ops.contract.layout import RunLayout
from timellm_ops.contract.validation import ConfigError
from timellm_ops.manifest import Manifest
from timellm_ops.process.identity import ProcessIdentity, identify
from timellm_ops.process.records import EngineRecord, SupervisorRecord, write_record
from timellm_ops.store import (
    RunAmbiguous,
    RunNotFound,
    RunStore,
    load_config,
    load_manifest,
    runs_dir,
)

NOW = datetime(2026, 1, 31, 21, 45, 3, tzinfo=UTC)
CONFIG = Config(data=DataSection(dataset="ETTh1"), run=RunSection(name="night"))
MANIFEST = Manifest(created_at=NOW, command_line=("timellm-ops", "run"), gpu="none")


@pytest.fixture
def store(tmp_path: Path) -> RunStore:
    return RunStore(tmp_path / "runs")


def create(store: RunStore, name: str = "night", later_s: float = 0.0) -> RunLayout:
    return store.create(name, NOW + timedelta(seconds=later_s), CONFIG, MANIFEST)


def place(store: RunStore, run_id: str) -> RunLayout:
    """A run under an id of the test's choosing."""
    layout = create(store)
    return RunLayout(layout.root.rename(store.root / run_id))


def ids(runs: list[RunLayout]) -> list[str]:
    return [run.run_id for run in runs]


def test_a_new_run_is_complete_and_named_by_second_and_name(store: RunStore) -> None:
    layout = create(store)
    assert layout.root.parent == store.root
    assert layout.run_id.startswith("20260131-214503-night-")
    assert len(layout.run_id) == len("20260131-214503-night-7f3a")
    assert load_config(layout) == CONFIG
    assert load_manifest(layout) == MANIFEST
    assert sorted(path.name for path in layout.root.iterdir()) == ["config.toml", "manifest.json"]
    assert [path.name for path in store.root.iterdir()] == [layout.run_id]


def test_runs_of_the_same_second_have_ids_of_their_own(store: RunStore) -> None:
    assert len({create(store).run_id for _ in range(200)}) == 200


CREATOR = """
import sys
from datetime import UTC, datetime
from pathlib import Path
from timellm_ops.contract.config import Config, DataSection
from timellm_ops.manifest import Manifest
from timellm_ops.store import RunStore
store, count = RunStore(Path(sys.argv[1])), int(sys.argv[2])
now = datetime(2026, 1, 31, 21, 45, 3, tzinfo=UTC)
config = Config(data=DataSection(dataset="ETTh1"))
print("ready", flush=True)
while count:
    count -= 1
    print(store.create("night", now, config, Manifest(created_at=now)).run_id, flush=True)
"""


def test_processes_that_create_runs_at_once_never_share_one(store: RunStore) -> None:
    argv = [sys.executable, "-c", CREATOR, str(store.root), "60"]
    creators = [subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    outputs = [creator.communicate(timeout=PATIENCE_S)[0].split() for creator in creators]
    made = [word for words in outputs for word in words if word != "ready"]
    assert len(made) == 180
    assert len(set(made)) == 180
    assert sorted(ids(store.runs())) == sorted(made)


def test_a_creator_killed_at_any_moment_leaves_no_half_made_run(store: RunStore) -> None:
    for life in range(1, 9):
        with python(CREATOR, store.root, -1, stdout=subprocess.PIPE) as creator:
            assert creator.stdout is not None
            for _ in range(life * 3):
                creator.stdout.readline()
    runs = store.runs()
    assert len(runs) > 8 * 3
    for run in runs:
        assert load_config(run).data.dataset == "ETTh1"
        assert load_manifest(run) is not None
    visible = {path.name for path in store.root.iterdir() if not path.name.startswith(".")}
    assert visible == set(ids(runs))


@pytest.mark.slow
def test_an_id_is_never_used_twice_even_when_all_are_taken(store: RunStore) -> None:
    store.root.mkdir()
    for number in range(1 << 16):
        (store.root / f"20260131-214503-night-{number:04x}").touch()
    with pytest.raises(FileExistsError, match="no free run id"):
        create(store)
    assert sum(1 for _ in store.root.iterdir()) == 1 << 16
    assert store.runs() == []


@pytest.mark.parametrize(
    "name",
    ["", ".", "..", "../up", "a/b", "/abs", "a\\b", "-dash", ".hidden", "a b", "a\n", "x" * 65,
     "𠀀", "电" * 65, "·", "\u202ea", "a\0b"],
    ids=repr,
)  # fmt: skip
def test_a_name_that_is_no_safe_part_of_a_file_name_is_refused(store: RunStore, name: str) -> None:
    with pytest.raises(ValueError, match="cannot be part of a run's id"):
        create(store, name)
    assert not store.root.exists()


def test_no_run_is_begun_in_a_folder_that_no_record_can_name(tmp_path: Path) -> None:
    root = tmp_path / os.fsdecode(b"caf\xe9")
    with pytest.raises(ConfigError, match="found a folder whose name is not UTF-8; expected ano"):
        create(RunStore(root))
    assert not root.exists()


@pytest.mark.parametrize(
    "name", ["a", "A.b_c-d", "x" * 64, "7", "a..b", "ä", "变压器-2.夜", "电" * 64]
)
def test_a_safe_name_is_found_again(store: RunStore, name: str) -> None:
    layout = create(store, name)
    assert ids(store.runs()) == [layout.run_id]
    assert store.resolve(layout.run_id) == layout


def test_a_manifest_that_cannot_be_written_leaves_nothing_behind(store: RunStore) -> None:
    broken = Manifest(created_at=NOW, versions={"torch": object()})  # type: ignore[dict-item]
    with pytest.raises(TypeError):
        store.create("night", NOW, CONFIG, broken)
    assert list(store.root.iterdir()) == []


def test_a_full_disk_leaves_nothing_behind(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk") as disk:
        store = RunStore(disk / "runs")
        store.root.mkdir()
        filler = fill(disk)
        with pytest.raises(OSError, match="No space left"):
            create(store)
        assert list(store.root.iterdir()) == []
        filler.unlink()
        assert load_config(create(store)) == CONFIG


def test_latest_is_the_newest_run_whatever_its_name(store: RunStore) -> None:
    create(store, "zebra", later_s=0)
    middle = create(store, "aardvark", later_s=5)
    assert store.resolve("latest") == middle
    newest = create(store, "mole", later_s=3600)
    assert store.resolve("latest") == newest
    create(store, "zz", later_s=60)
    assert store.resolve("latest") == newest


def living(layout: RunLayout, process: ProcessIdentity | None, *, engine: bool = False) -> None:
    """Write down that `process` supervises the run, or is its engine."""
    assert process is not None
    if engine:
        write_record(layout.engine_process, EngineRecord(process=process))
    else:
        write_record(layout.supervisor_process, SupervisorRecord(process=process, socket=""))


def test_latest_is_the_newest_run_that_goes_on_before_newer_ones_that_have_ended(
    store: RunStore,
) -> None:
    me, of_before = identify(os.getpid()), ProcessIdentity(os.getpid(), 1, "another boot")
    oldest, old, newer, newest = (create(store, later_s=60 * n) for n in range(4))
    living(newest, of_before)
    living(newest, of_before, engine=True)
    assert store.resolve("latest") == newest
    living(oldest, me)
    assert store.resolve("latest") == oldest
    living(old, of_before)
    living(old, me, engine=True)  # its supervisor was killed
    assert store.resolve("latest") == old
    living(newer, me)
    assert store.resolve("latest") == newer
    newer.supervisor_process.write_text("{")
    assert store.resolve("latest") == old


def test_within_one_second_the_run_that_was_made_last_is_the_latest(store: RunStore) -> None:
    made = []
    for number in range(20):
        layout = create(store)
        before = layout.config.stat()
        until(lambda before=before: _clock_moved(store.root, before.st_mtime_ns), "a clock's tick")
        made.append(layout.run_id)
        assert store.resolve("latest") == layout, number
    assert ids(store.runs()) == made


def _clock_moved(folder: Path, since_ns: int) -> bool:
    """Whether a file that is written now is newer: the system's file times have coarse ticks."""
    probe = folder / ".tick"
    probe.write_text("")
    return probe.stat().st_mtime_ns > since_ns


def test_an_id_or_a_prefix_that_fits_one_run_means_it(store: RunStore) -> None:
    first = place(store, "20260131-214503-night-0001")
    other = place(store, "20260201-080000-day-0002")
    assert store.resolve("20260131-214503-night-0001") == first
    assert store.resolve("20260131") == first
    assert store.resolve("20260201-08") == other


def test_an_exact_id_is_meant_though_another_id_begins_with_it(store: RunStore) -> None:
    exact = place(store, "20260131-214503-a-0001")
    place(store, "20260131-214503-a-0001-b-0002")
    assert store.resolve("20260131-214503-a-0001") == exact


def test_a_prefix_of_several_runs_names_them(store: RunStore) -> None:
    for number in range(7):
        place(store, f"20260131-21450{number}-night-000{number}")
    with pytest.raises(RunAmbiguous) as raised:
        store.resolve("20260131-2145")
    text = str(raised.value)
    assert text == (
        f'"20260131-2145" may mean 7 runs in {store.root}: 20260131-214506-night-0006, '
        "20260131-214505-night-0005, 20260131-214504-night-0004, 20260131-214503-night-0003, "
        "20260131-214502-night-0002 and 2 more"
    )


@pytest.mark.parametrize(
    "ref",
    ["", ".", "..", "../runs", "night", "2027", "./20260131-214503-night-0001", "/", "*", "a\nb",
     "Latest", "\x1b[31m", "\0", "\udcff"],
    ids=repr,
)  # fmt: skip
def test_what_means_no_run_is_answered_with_the_runs_there_are(store: RunStore, ref: str) -> None:
    place(store, "20260131-214503-night-0001")
    with pytest.raises(RunNotFound) as raised:
        store.resolve(ref)
    text = str(raised.value)
    assert text.startswith('no run "')
    assert text.endswith(f"in {store.root}; there are: 20260131-214503-night-0001")
    assert text.isprintable()


@pytest.mark.parametrize("escape", ["..", "../other", "a/../../other"])
def test_no_reference_leads_out_of_the_runs_folder(
    store: RunStore, tmp_path: Path, escape: str
) -> None:
    create(store)
    outside = RunStore(tmp_path / "other")
    run = create(outside)
    for ref in (escape, f"../other/{run.run_id}", str(run.root)):
        with pytest.raises(RunNotFound):
            store.resolve(ref)


@pytest.mark.parametrize("ref", ["latest", "2026"])
def test_where_there_are_no_runs_it_says_so(store: RunStore, ref: str) -> None:
    text = f'no run "{ref}": there are no runs in {store.root} yet'
    with pytest.raises(RunNotFound) as raised:
        store.resolve(ref)
    assert str(raised.value) == text


def test_strangers_in_the_runs_folder_are_no_runs(store: RunStore) -> None:
    run = create(store)
    for stranger in (".new-0123456789abcdef", "notes", "20260131-night-0001", "20260131-214503-x",
                     "20260131-214503--0001", "20260131-214503-a-0001.bak", "lost+found",
                     "20260131-214503-a-00zz", "20260131-214503-a-0001\n"):  # fmt: skip
        (store.root / stranger).mkdir()
    (store.root / "20260131-214503-file-0001").write_text("a file")
    (store.root / "20260131-214503-link-0001").symlink_to(store.root / "nowhere")
    assert store.runs() == [run]
    assert store.resolve("2026") == run


def test_a_runs_folder_that_is_missing_or_a_file_has_no_runs(tmp_path: Path) -> None:
    assert RunStore(tmp_path / "none").runs() == []
    (tmp_path / "file").write_text("")
    assert RunStore(tmp_path / "file").runs() == []
    with pytest.raises(OSError, match="file"):
        create(RunStore(tmp_path / "file"))


@pytest.mark.parametrize(
    "content", [b"", b"{}", b"[]", b"\xff\xfe", b'{"created_at":"\xff"}', b"[" * 100_000]
)
def test_a_manifest_that_cannot_be_read_is_none(store: RunStore, content: bytes) -> None:
    layout = create(store)
    layout.manifest.write_bytes(content)
    assert load_manifest(layout) is None
    layout.manifest.unlink()
    assert load_manifest(layout) is None


def test_a_run_without_its_config_says_which_file_is_missing(store: RunStore) -> None:
    layout = create(store)
    layout.config.unlink()
    with pytest.raises(ConfigError, match="no such file") as raised:
        load_config(layout)
    assert str(layout.config) in str(raised.value)


def test_where_runs_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    here = Path.cwd()
    assert runs_dir({}) == here / "runs"
    assert runs_dir({"TIMELLM_RUNS_DIR": ""}) == here / "runs"
    assert runs_dir({"TIMELLM_RUNS_DIR": "elsewhere/../there"}) == here / "there"
    assert runs_dir({"TIMELLM_RUNS_DIR": "/data/runs"}) == Path("/data/runs")
    assert runs_dir({"TIMELLM_RUNS_DIR": "~/runs"}) == tmp_path / "home" / "runs"
    assert runs_dir({"TIMELLM_RUNS_DIR": "~nobody-of-that-name/runs"}).is_absolute()
    (tmp_path / "loop").symlink_to("loop")
    assert runs_dir({"TIMELLM_RUNS_DIR": "loop"}) == here / "loop"
