"""A run's state is the same in a list as on its own page."""

import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

from timellm_dashboard.viewmodel.view import view_of
from timellm_ops.cli.listing import show
from timellm_ops.cli.reporting import report
from timellm_ops.cli.seen_states import SeenStates
from timellm_ops.client import RunClient
from timellm_ops.contract import events as ev
from timellm_ops.contract.layout import RunLayout
from timellm_ops.contract.reduction import reduce
from timellm_ops.contract.state import RunState

NOON = datetime(2026, 1, 31, 12, 0, tzinfo=UTC)
LAST_WORD_T = 30.0


def training(root: Path) -> tuple[RunLayout, RunState]:
    """An engine that spoke once a second until second 30."""
    happened: list[ev.Event] = [
        ev.RunStarted(t=0.0, at=NOON, run_id="r", name="n", engine="timellm", gpu="simulated"),
        ev.EngineStarted(t=0.0, at=NOON, pid=1),
        ev.TrainingStarted(
            t=1.0, at=NOON, epochs=3, steps_per_epoch=100, batch_size=4, train_samples=400,
            vali_samples=10, test_samples=10, trainable_parameters=9, frozen_parameters=90,
            backbone="embedded", device="cpu", patience=2,
        ),
        *(
            ev.Progress(t=float(second), at=NOON, iteration=second, epoch=1, loss=0.5)
            for second in range(2, int(LAST_WORD_T) + 1)
        ),
    ]  # fmt: skip
    layout, state = RunLayout(root), RunState()
    with layout.journal.open("wb") as file:
        for seq, event in enumerate(happened, start=1):
            file.write(ev.encode_record(ev.JournalRecord(seq=seq, event=event)))
            state = reduce(state, event)
    return layout, state


@pytest.mark.parametrize(
    ("silence_s", "supervised", "expected"),
    [
        (5.0, True, "training"),
        (119.0, True, "training"),
        (121.0, True, "silent"),
        (121.0, False, "unsupervised"),
    ],
)
def test_a_list_names_a_state_as_the_page_of_the_run_does(
    tmp_path: Path, silence_s: float, supervised: bool, expected: str
) -> None:
    layout, state = training(tmp_path)
    now_t = LAST_WORD_T + silence_s
    seen = SeenStates(lambda: now_t)
    view = view_of(
        RunClient(layout).all(), now_t=now_t, wall_now=NOON, supervised=supervised, zone=UTC
    )
    assert view.headline.state == expected
    for _ in range(2):  # the second time by what is known
        assert seen.name(layout, state, supervised=supervised) == expected


def test_of_a_folder_without_a_journal_nothing_is_on_record(tmp_path: Path) -> None:
    layout = RunLayout(tmp_path)
    view = view_of((), now_t=time.monotonic(), wall_now=NOON, supervised=False)
    assert view.headline.state == "waiting"
    assert "timellm-ops run" in view.headline.line
    assert SeenStates().name(layout, RunState(), supervised=False) == "waiting"


def test_a_run_that_has_not_begun_is_shown_and_reported_by_its_id(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run_id = "20260131-214503-later-ab12"
    (tmp_path / run_id).mkdir()
    monkeypatch.setenv("TIMELLM_RUNS_DIR", str(tmp_path))
    for command in (show, report):
        assert command(run_id) == 0
        assert run_id in capsys.readouterr().out
