"""Taking up a run: from the newest checkpoint that is whole, or not at all and saying why."""

import shutil
from pathlib import Path

import pytest
from tiny_runs import STEPS, events_of, only, run_here, same, tiny_run, weights

from timellm_engine.errors import InputError
from timellm_ops.contract import events as ev
from timellm_ops.contract.layout import RunLayout
from timellm_ops.contract.reduction import reduce
from timellm_ops.contract.state import RunState

KEEPING = {"checkpoint__every_steps": 4, "checkpoint__keep": 2}


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> RunLayout:
    """A run of two epochs, saved every four steps."""
    layout = tiny_run(tmp_path_factory.mktemp("kept"), **KEEPING)
    run_here(layout)
    return layout


def untested(whole: RunLayout, root: Path) -> RunLayout:
    """The same run as if it had been killed in its final test."""
    shutil.copytree(whole.root, root, dirs_exist_ok=True)
    layout = RunLayout(root)
    shutil.rmtree(layout.bundle)
    for words in (b'"TestEvaluated"', b'"TrainingFinished"'):
        leave_out(layout, words)
    return layout


def leave_out(layout: RunLayout, words: bytes) -> None:
    lines = layout.engine_events.read_bytes().splitlines(keepends=True)
    layout.engine_events.write_bytes(b"".join(line for line in lines if words not in line))


def damage(layout: RunLayout, *names: str) -> None:
    for name in names:
        path = layout.checkpoints / name / "weights.safetensors"
        path.write_bytes(path.read_bytes()[:-1])


def state_of(layout: RunLayout) -> RunState:
    state = RunState()
    for event in events_of(layout):
        state = reduce(state, event)
    return state


def started_after(layout: RunLayout) -> int:
    """Steps of the whole run that the latest start found done."""
    started = only(layout, ev.TrainingStarted)[-1]
    return (started.start_epoch - 1) * STEPS + started.start_iteration


def test_last_is_saved_every_so_many_steps_and_the_newest_are_kept(whole: RunLayout) -> None:
    saved = [
        (each.kind, (each.epoch or 0, each.iteration)) for each in only(whole, ev.CheckpointSaved)
    ]
    assert [at for kind, at in saved if kind == "last"] == [(1, 4), (1, 6), (2, 2), (2, 6)]
    assert [at for kind, at in saved if kind == "step"] == [(1, 4), (2, 2), (2, 6)]
    folders = {path.name for path in whole.checkpoints.iterdir()}
    assert folders - {".previous-last", ".previous-best"} == {"best", "last", "step-8", "step-12"}
    assert same(weights(whole, "step-12"), weights(whole))
    assert state_of(whole).steps_at_risk == 0


def test_keeping_costs_no_bit_of_the_result(whole: RunLayout, tmp_path: Path) -> None:
    plain = tiny_run(tmp_path)
    run_here(plain)
    assert same(weights(plain), weights(whole))


@pytest.mark.parametrize(
    ("harmed", "name", "step"),
    [((), "last", 12), (("last",), "last", 8), (("last", ".previous-last"), "step-12", 12),
     (("last", ".previous-last", "step-12"), "step-8", 8)],
)  # fmt: skip
def test_it_goes_on_from_the_newest_that_is_whole_and_ends_the_same(
    whole: RunLayout, tmp_path: Path, harmed: tuple[str, ...], name: str, step: int
) -> None:
    layout = untested(whole, tmp_path)
    damage(layout, *harmed)
    run_here(layout, resume=True)
    assert started_after(layout) == step
    told = " ".join(alert.message for alert in only(layout, ev.Alert))
    assert told.count(" is damaged (") == len(harmed)
    assert (f"goes on from {name}" in told) == (name != "last")
    for kind in ("last", "best"):
        assert same(weights(layout, kind), weights(whole, kind))
    assert only(layout, ev.TestEvaluated)[0].mse == only(whole, ev.TestEvaluated)[0].mse
    assert (layout.bundle / "weights.safetensors").read_bytes() == (
        whole.bundle / "weights.safetensors"
    ).read_bytes()
    assert {path.name for path in layout.checkpoints.iterdir()} >= {"step-8", "step-12"}


def test_where_all_are_damaged_it_refuses_and_names_them(whole: RunLayout, tmp_path: Path) -> None:
    layout = untested(whole, tmp_path)
    damage(layout, "last", ".previous-last", "step-8", "step-12")
    with pytest.raises(InputError, match=r"checkpoints/last: found .*step-8 is damaged") as caught:
        run_here(layout, resume=True)
    assert str(caught.value).count(" is damaged (") == 4
    assert "\n" not in str(caught.value)
    refused_as_lost(layout, "engine-events.jsonl says that it was saved after step 6 of epoch 2")


def refused_as_lost(layout: RunLayout, *signs: str) -> str:
    """Resuming is refused in one line that tells each of `signs`; nothing is trained."""
    before, names = len(only(layout, ev.TrainingStarted)), folders(layout)
    with pytest.raises(InputError) as caught:
        run_here(layout, resume=True)
    said = str(caught.value)
    assert said.startswith(f"{layout.checkpoints / 'last'}: found none, and the run has had one (")
    assert "expected a whole checkpoint to go on from: put a copy of it back" in said
    assert said.endswith(f"or begin a new run (timellm-ops run {layout.config})")
    assert "\n" not in said
    for sign in signs:
        assert sign in said
    assert (len(only(layout, ev.TrainingStarted)), folders(layout)) == (before, names)
    return said


def folders(layout: RunLayout) -> set[str]:
    return {path.name for path in layout.checkpoints.glob("*")}


def lose(layout: RunLayout, *but: str) -> None:
    """Remove every checkpoint but those named."""
    for folder in list(layout.checkpoints.iterdir()):
        if folder.name not in but:
            shutil.rmtree(folder)


def test_a_damaged_last_is_refused_again_and_again_until_it_is_put_back(
    whole: RunLayout, tmp_path: Path
) -> None:
    layout = untested(whole, tmp_path)
    lose(layout, "last", "best")
    damage(layout, "last")
    with pytest.raises(InputError, match="last is damaged"):
        run_here(layout, resume=True)
    (broken,) = folders(layout) - {"best"}
    for _ in range(2):
        said = refused_as_lost(layout, "a `best` is there", f"set aside as damaged: {broken}")
        assert f"rename {broken} to last if it is good" in said
    shutil.copytree(whole.checkpoints / "last", layout.checkpoints / "last")
    run_here(layout, resume=True)
    assert started_after(layout) == 12
    assert same(weights(layout), weights(whole))


def test_a_last_that_is_missing_is_refused_whatever_is_left_of_its_record(
    whole: RunLayout, tmp_path: Path
) -> None:
    layout = untested(whole, tmp_path)
    lose(layout, "best")
    said = refused_as_lost(layout, "saved after step 6 of epoch 2; a `best` is there")
    assert "set aside" not in said
    lose(layout)
    refused_as_lost(layout, "says that it was saved")
    events = layout.engine_events.read_bytes().splitlines()
    saved = next(line for line in events if b'"CheckpointSaved"' in line and b'"last"' in line)
    layout.journal.write_bytes(b'{"seq":1,"event":' + saved + b"}\n")
    layout.engine_events.write_bytes(b"")
    refused_as_lost(layout, "journal.jsonl says that it was saved after step 4 of epoch 1")
    layout.journal.unlink()
    (layout.checkpoints / "broken-last-12ab").mkdir()
    refused_as_lost(layout, "set aside as damaged: broken-last-12ab")
    (layout.checkpoints / "broken-last-12ab").rename(layout.checkpoints / "best")
    refused_as_lost(layout, "a `best` is there")


@pytest.mark.parametrize("told", [True, False])
def test_a_run_that_was_killed_before_its_first_last_begins_at_its_beginning(
    whole: RunLayout, tmp_path: Path, *, told: bool
) -> None:
    """It was killed as it wrote its first `last`, or before it could tell of the `best` before."""
    layout = untested(whole, tmp_path)
    lose(layout, "best")
    lines = layout.engine_events.read_bytes().splitlines(keepends=True)
    kinds = [(b'"CheckpointSaved"' in line, b'"kind":"best"' in line) for line in lines]
    first = kinds.index((True, True))
    kept = [line for line in lines[: first + told] if b'"kind":"last"' not in line]
    layout.engine_events.write_bytes(b"".join(kept))
    run_here(layout, resume=True)
    assert started_after(layout) == 0
    assert [alert.level for alert in only(layout, ev.Alert)] == ["info"]
    assert same(weights(layout), weights(whole))


def test_a_checkpoint_that_the_engine_was_killed_before_telling_of_is_told_of(
    whole: RunLayout, tmp_path: Path
) -> None:
    layout = untested(whole, tmp_path)
    newest = [each for each in only(layout, ev.CheckpointSaved) if each.kind == "last"][-1]
    assert newest.sha256 is not None
    leave_out(layout, newest.sha256.encode())
    for half in (layout.checkpoints / ".tmp-last-12ab", layout.root / ".tmp-bundle-12ab"):
        half.mkdir()
        (half / "weights.safetensors").write_text("half")
    assert state_of(layout).steps_at_risk == 4
    run_here(layout, resume=True)
    again = [each for each in only(layout, ev.CheckpointSaved) if each.sha256 == newest.sha256]
    assert [(each.path, each.bytes, each.iteration) for each in again] == [
        (str(layout.checkpoints / "last"), newest.bytes, newest.iteration)
    ]
    assert state_of(layout).steps_at_risk == 0
    assert not [path for path in layout.root.rglob("*") if path.name.startswith(".tmp-")]


def test_where_nothing_can_be_saved_training_goes_on_and_says_what_to_do(
    whole: RunLayout, tmp_path: Path
) -> None:
    layout = tiny_run(tmp_path)
    layout.checkpoints.write_text("in the way")
    run_here(layout)
    failed = only(layout, ev.CheckpointFailed)
    assert {each.kind for each in failed} == {"best", "last"}
    for each in failed:
        assert (
            f"{layout.checkpoints} must be a folder; move away what is in its place" in each.message
        )
        assert "tried again within 10 min and at the epoch's end" in each.message
        assert "\n" not in each.message
    assert only(layout, ev.TestEvaluated)[0].mse == only(whole, ev.TestEvaluated)[0].mse
    assert layout.checkpoints.read_text() == "in the way"


def test_a_bundle_that_cannot_be_made_is_told_and_no_failure(tmp_path: Path) -> None:
    layout = tiny_run(tmp_path, train__epochs=1)
    layout.bundle.write_text("in the way")
    run_here(layout)
    (alert,) = only(layout, ev.Alert)
    assert (alert.level, "timellm-ops export" in alert.message) == ("warning", True)
    assert only(layout, ev.TestEvaluated)


def test_another_config_is_refused_with_every_difference_and_the_file(
    whole: RunLayout, tmp_path: Path
) -> None:
    layout = untested(whole, tmp_path)
    tiny_run(tmp_path, **KEEPING, train__batch_size=8, run__seed=7)
    with pytest.raises(InputError) as caught:
        run_here(layout, resume=True)
    said = str(caught.value)
    assert said.startswith("run.seed: found 7; expected 2021")
    assert "train.batch_size 8 (16)" in said
    assert str(layout.config) in said
    tiny_run(tmp_path, **KEEPING)
    run_here(layout, resume=True)
    assert same(weights(layout), weights(whole))
