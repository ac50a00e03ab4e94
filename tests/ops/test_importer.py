"""A run record of a published log: complete, without made-up times, or not there at all."""

import os
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from published_writer import SMALL, SMALL_EPOCHS, Script, text
from small_disk import small_disk

from timellm_ops.contract import events as ev
from timellm_ops.contract.layout import RunLayout
from timellm_ops.contract.reduction import reduce
from timellm_ops.contract.state import RunState
from timellm_ops.importer import ImportRefused, events_of_log, import_log
from timellm_ops.journal import read_records
from timellm_ops.store import RunStore, load_config, load_manifest

FIXTURE = Path(__file__).parents[1] / "fixtures" / "published.log"
REAL_LOG = "upstream_etth1_gpt2_4epochs.log"
NOW = datetime(2026, 1, 31, 21, 45, 3, tzinfo=UTC)


@pytest.fixture
def store(tmp_path: Path) -> RunStore:
    return RunStore(tmp_path / "runs")


def journaled(layout: RunLayout) -> list[ev.Event]:
    return [record.event for record in read_records(layout.journal)]


def state_of(layout: RunLayout) -> RunState:
    state = RunState()
    for event in journaled(layout):
        state = reduce(state, event)
    return state


def ending(tmp_path: Path, log: bytes) -> ev.RunEnded:
    path = tmp_path / "some.log"
    path.write_bytes(log)
    last = journaled(import_log(path, RunStore(tmp_path / "runs"), NOW))[-1]
    assert isinstance(last, ev.RunEnded)
    return last


def test_a_log_becomes_a_run_with_everything_in_its_folder(store: RunStore) -> None:
    layout = import_log(FIXTURE, store, NOW, ("timellm-ops", "import", "published.log"))
    assert layout.run_id.startswith("20260131-214503-published-")
    assert store.runs() == [layout]
    assert layout.engine_log.read_bytes() == FIXTURE.read_bytes()
    config = load_config(layout)
    assert config.run.name == "published"
    assert config.foreign.command == ""
    assert config.gpu.probe == "none"
    manifest = load_manifest(layout)
    assert manifest is not None
    assert manifest.command_line == ("timellm-ops", "import", "published.log")
    assert manifest.source_log is not None
    assert manifest.source_log.path == str(FIXTURE.resolve())
    assert manifest.source_log.bytes == FIXTURE.stat().st_size
    first, *events, last = journaled(layout)
    assert first == ev.RunStarted(run_id=layout.run_id, name="published", engine="imported")
    assert events == events_of_log(FIXTURE)
    assert last == ev.RunEnded(
        outcome="stopped", exit_code=0, reason="the log ends after epoch 3 of 5"
    )
    state = state_of(layout)
    assert (state.phase, state.epochs, state.steps_per_epoch) == ("stopped", 5, 230)
    assert state.best_epoch == 3


def test_times_stay_unknown(store: RunStore) -> None:
    layout = import_log(FIXTURE, store, NOW)
    lines = layout.journal.read_bytes().splitlines()
    assert len(lines) == 20
    for line in lines:
        assert not {"at", "t"} & set(msgspec.json.decode(line)["event"])
    state = state_of(layout)
    assert (state.started_at, state.active_s, state.paused_s) == (None, 0.0, 0.0)


def test_the_real_log_tells_a_finished_training(store: RunStore) -> None:
    folder = os.environ.get("TIMELLM_FIXTURES_DIR")
    if not folder:
        pytest.skip("TIMELLM_FIXTURES_DIR is not set: it holds the real log")
    state = state_of(import_log(Path(folder) / REAL_LOG, store, NOW))
    assert (state.outcome, state.exit_code) == ("finished", 0)
    assert state.end_reason == "training finished after epoch 4"
    assert [row.seconds for row in state.rows][3] == 186.98573184013367
    assert (state.best_epoch, state.early_counter, state.patience) == (3, 1, 10)


def test_a_training_is_finished_only_where_that_is_certain(tmp_path: Path) -> None:
    whole = text(Script(epochs=3, steps=230).output(SMALL_EPOCHS))
    stopped = text(Script(epochs=5, steps=230, patience=1).output(SMALL_EPOCHS))
    unclear = text(Script(epochs=1, steps=230).output(SMALL_EPOCHS[:1]))
    assert ending(tmp_path, whole).outcome == "finished"
    early = ending(tmp_path, stopped)
    assert (early.outcome, early.exit_code) == ("finished", 0)
    assert early.reason == "training ended early, after epoch 2: no improvement any more"
    assert ending(tmp_path, unclear).reason == "the log ends after epoch 1"
    assert ending(tmp_path, unclear + b"success delete checkpoints").outcome == "finished"


def test_a_log_that_ends_in_the_middle_says_where(tmp_path: Path) -> None:
    log = text(SMALL.output(SMALL_EPOCHS))
    third = log.index(b"epoch: 3")
    assert ending(tmp_path, log[: log.index(b"\n", third) + 1]) == ev.RunEnded(
        outcome="stopped",
        exit_code=0,
        reason="the log ends in epoch 3 of 5, after iteration 100",
    )
    cost = log.index(b"Epoch: 1 cost")
    assert ending(tmp_path, log[cost : log.index(b"\n", cost) + 1]).reason == (
        "the log ends in epoch 1"
    )
    assert ending(tmp_path, b"Updating learning rate to 0.0001\n").reason == "the log ends here"


@settings(max_examples=30)
@given(st.integers(200, FIXTURE.stat().st_size))
def test_a_log_cut_anywhere_is_a_run_whose_state_can_be_told(
    tmp_path_factory: pytest.TempPathFactory, place: int
) -> None:
    folder = tmp_path_factory.mktemp("cut")
    log = folder / "cut.log"
    log.write_bytes(FIXTURE.read_bytes()[:place])
    try:
        layout = import_log(log, RunStore(folder / "runs"), NOW)
    except ImportRefused:
        assert b"\titers: 100, epoch: 1 | loss: 0.4512349" not in log.read_bytes()
        return
    state = state_of(layout)
    assert state.outcome == "stopped"
    assert state.end_reason.startswith("the log ends ")
    assert layout.engine_log.read_bytes() == log.read_bytes()


def test_two_imports_of_a_log_are_two_runs(store: RunStore) -> None:
    layouts = [import_log(FIXTURE, store, NOW) for _ in range(2)]
    assert len({layout.run_id for layout in layouts}) == 2


def test_any_file_name_makes_a_name_of_a_run(tmp_path: Path, store: RunStore) -> None:
    path = tmp_path / os.fsdecode(b"..\xff \xe8\xbf\x90 \n.log")
    path.write_bytes(FIXTURE.read_bytes())
    layout = import_log(path, store, NOW)
    assert layout.root.parent == store.root
    assert load_manifest(layout) is not None
    load_config(layout)


def nothing(path: Path) -> None:
    assert not path.exists()


def folder(path: Path) -> None:
    path.mkdir()


def pipe(path: Path) -> None:
    os.mkfifo(path)


def endless_link(path: Path) -> None:
    path.symlink_to(path)


def content(data: bytes) -> Callable[[Path], object]:
    return lambda path: path.write_bytes(data)


@pytest.mark.parametrize(
    ("make", "found"),
    [
        (nothing, "no such file"),
        (folder, "a folder"),
        (pipe, "something that is not a file"),
        (endless_link, "cannot be read"),
        (content(b""), "an empty file"),
        (content(b"a shopping list\n" * 99), "no line of a Time-LLM training"),
        (content(bytes(range(256)) * 99), "no line of a Time-LLM training"),
    ],
)
def test_what_is_no_log_is_refused_in_one_line_and_nothing_is_made(
    tmp_path: Path, store: RunStore, make: Callable[[Path], object], found: str
) -> None:
    path = tmp_path / "night.log"
    make(path)
    for refused in (lambda: events_of_log(path), lambda: import_log(path, store, NOW)):
        with pytest.raises(ImportRefused) as caught:
            refused()
        message = str(caught.value)
        assert message.startswith(f"{path}: found ")
        assert found in message
        assert "; expected " in message
        assert "\n" not in message
    assert not store.root.exists()


@pytest.mark.parametrize(
    ("copies", "kib"), [pytest.param(200, 64, id="log"), pytest.param(12, 48, id="journal")]
)
def test_a_full_disk_leaves_no_half_made_run(tmp_path: Path, copies: int, kib: int) -> None:
    log = tmp_path / "long.log"
    log.write_bytes(FIXTURE.read_bytes() * copies)
    with small_disk(tmp_path / "disk", kib) as disk:
        store = RunStore(disk / "runs")
        with pytest.raises(OSError, match="No space left"):
            import_log(log, store, NOW)
        assert list(store.root.iterdir()) == []
