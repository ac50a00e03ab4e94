"""How much of the log there was at each record, against a log whose writing was watched."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Struct

from timellm_ops.adapters.log_moments import log_ends
from timellm_ops.contract import events as ev
from timellm_ops.contract.events import JournalRecord


class Watched(Struct):
    """A log as our engine writes it, its events, and how long the log was when each came."""

    log: bytes = b""
    records: list[JournalRecord] = []
    came_at: list[int] = []
    own_line: list[int] = []
    """Where the line that goes with an event ends; 0: it has none."""

    def event(self, event: ev.Event, before: str = "", after: str = "", *, lost: bool) -> None:
        self.log += before.encode()
        if not lost:
            self.records.append(JournalRecord(seq=len(self.records) + 1, event=event))
            self.came_at.append(len(self.log))
        self.log += after.encode()
        if not lost:
            self.own_line.append(len(self.log) if before or after else 0)


def step(epoch: int, iteration: int) -> str:
    speed = "\tspeed: 0.5000s/iter; left time: 10.0000s\n"
    return f"\titers: {iteration}, epoch: {epoch} | loss: 0.5000000\n{speed}"


WORDS = st.sampled_from(
    ["step", "step", "step", "quiet", "evaluate", "epoch", "best", "last", "step-7", "alert",
     "noise", "resume", "test"]
)  # fmt: skip


@st.composite
def runs(draw: st.DrawFn, *, losing: bool = True) -> Watched:
    """Steps, evaluations, checkpoints and starts from a checkpoint that are done twice."""
    run = Watched()
    run.event(ev.RunStarted(run_id="r", name="r", engine="timellm"), lost=False)
    epoch, iteration = 1, 0
    for word, is_lost in draw(st.lists(st.tuples(WORDS, st.integers(0, 9)), max_size=40)):
        lost = losing and is_lost == 0
        match word:
            case "step":
                iteration += 100
                progress = ev.Progress(iteration=iteration, epoch=epoch, loss=0.5)
                run.event(progress, after=step(epoch, iteration), lost=lost)
            case "quiet":
                run.event(ev.Progress(iteration=iteration + 7, epoch=epoch, loss=0.5), lost=lost)
            case "evaluate":
                moved = ev.EvaluationProgress(split="vali", done=0, total=9, epoch=epoch)
                run.event(moved, f"Epoch: {epoch} cost time: 12.5\n", lost=lost)
                done = ev.EvaluationProgress(split="vali", done=9, total=9, epoch=epoch)
                run.event(done, lost=lost)
            case "epoch":
                said = f"Epoch: {epoch} | Train Loss: 0.5000000 Vali Loss: 0.5000000\n"
                run.event(ev.EpochEnded(epoch=epoch, train_mse=0.5, vali_mse=0.5), said, lost=lost)
                epoch, iteration = epoch + 1, 0
            case "best" | "last" | "step-7":
                kind: ev.CheckpointKind = "step" if word == "step-7" else word
                saved = ev.CheckpointSaved(kind=kind, path="p", bytes=9)
                run.event(saved, after=f"Checkpoint {word} is on disk: p (9 bytes)\n", lost=lost)
            case "alert":
                alert = ev.Alert(level="warning", message="the disk is full: ä")
                run.event(alert, after="the disk is full: ä\n", lost=lost)
            case "resume":
                epoch, iteration = draw(st.integers(1, epoch)), 0
            case "test":
                found = ev.TestEvaluated(mse=0.1, mae=0.2, windows=9, epoch=epoch)
                run.event(found, f"Test with the weights of epoch {epoch}: MSE 0.1\n", lost=lost)
            case _:
                run.log += b"loading  10%|#  |\rloading 100%|###|\niters: of nothing, epoch: x |\n"
    return run


def ends_of(run: Watched, folder: Path) -> list[int]:
    path = folder / "engine.log"
    path.write_bytes(run.log)
    return list(log_ends(run.records, path))


@given(runs())
def test_no_line_is_there_before_it_was_printed_and_each_comes_with_its_event(
    tmp_path_factory: pytest.TempPathFactory, run: Watched
) -> None:
    ends = ends_of(run, tmp_path_factory.mktemp("log"))
    assert ends == sorted(ends)
    assert ends[-1] == len(run.log)
    for index in range(len(ends) - 1):
        assert ends[index] <= run.came_at[index + 1]


@given(runs(losing=False))
def test_while_no_event_is_lost_each_comes_with_its_line(
    tmp_path_factory: pytest.TempPathFactory, run: Watched
) -> None:
    ends = ends_of(run, tmp_path_factory.mktemp("log"))
    assert all(end >= own for end, own in zip(ends, run.own_line, strict=True))


def record(seq: int, event: ev.Event, offset: int | None = None) -> JournalRecord:
    return JournalRecord(seq=seq, event=event, engine_offset=offset)


FOREIGN = [
    record(1, ev.RunStarted(run_id="r", name="r", engine="foreign")),
    record(2, ev.EngineStarted(pid=7)),
    record(3, ev.Progress(iteration=100, epoch=1, loss=0.5), 40),
    record(4, ev.Alert(level="info", message="hot")),
    record(5, ev.Progress(iteration=200, epoch=1, loss=0.5), 80),
]


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """A hundred bytes."""
    path = tmp_path / "engine.log"
    path.write_bytes(b"0123456789abcdefghi\n" * 5)
    return path


def test_the_events_of_a_foreign_engine_say_it_themselves(log: Path) -> None:
    more = record(6, ev.Progress(iteration=300, epoch=1, loss=0.5), 90)
    assert list(log_ends([*FOREIGN, more], log)) == [0, 0, 40, 40, 80, 100]


def test_once_the_engine_has_left_there_is_nothing_more_to_come(log: Path) -> None:
    left = [
        record(6, ev.EngineExited(code=1)),
        record(7, ev.Alert(level="error", message="it has failed")),
        record(8, ev.RunEnded(outcome="failed", exit_code=1, reason="it has failed")),
    ]
    assert list(log_ends([*FOREIGN, *left], log)) == [0, 0, 40, 40, 80, 100, 100, 100]
    again = [
        record(9, ev.EngineStarted(pid=8)),
        record(10, ev.Adopted(supervisor_pid=9, engine_pid=8)),
    ]
    assert list(log_ends([*FOREIGN, *left, *again], log))[5:] == [80, 80, 80, 80, 100]


def test_a_log_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        log_ends(FOREIGN, tmp_path / "engine.log")
