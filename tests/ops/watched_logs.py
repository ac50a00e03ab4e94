"""Logs as our engine writes them, and what somebody saw who watched them grow."""

from hypothesis import strategies as st
from msgspec import Struct

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
