"""Estimates of a run whose every second is known, and the published formula by hand."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from time_left import PublishedFormula, judged, main, table

from timellm_ops.contract import events as ev
from timellm_ops.contract.layout import RunLayout
from timellm_ops.journal import Journal

EPOCHS, STEPS, EVERY = 3, 100, 10
STEP_S, VALI_WINDOWS, WINDOWS_PER_S = 2.0, 500, 5.0
EVALUATION_S = VALI_WINDOWS / WINDOWS_PER_S
BEGAN = datetime(2026, 1, 31, 21, 45, tzinfo=UTC)


def story(*, ends: bool = True) -> Iterator[tuple[float, ev.Event]]:
    """Steps of 2 s and evaluations of 100 s, from second 0 on."""
    yield 0.0, ev.RunStarted(run_id="a", name="a", engine="timellm", gpu="none", supervisor_pid=1)
    yield 0.0, ev.EngineStarted(pid=2)
    yield (
        0.0,
        ev.TrainingStarted(
            epochs=EPOCHS, steps_per_epoch=STEPS, batch_size=1, train_samples=STEPS,
            vali_samples=VALI_WINDOWS, test_samples=0, trainable_parameters=1,
            frozen_parameters=1, backbone="b", device="cpu", patience=3,
        ),
    )  # fmt: skip
    t = 0.0
    for epoch in range(1, EPOCHS + 1):
        yield t, ev.EpochStarted(epoch=epoch)
        for step in range(EVERY, STEPS + 1, EVERY):
            t += EVERY * STEP_S
            yield t, ev.Progress(iteration=step, epoch=epoch, loss=1.0, seconds_per_iteration=2.0)
            if (epoch, step) == (1, EVERY):
                yield t, ev.ForecastsTimed(windows_per_second=WINDOWS_PER_S)
        yield t, ev.EvaluationProgress(split="vali", done=0, total=VALI_WINDOWS)
        t += EVALUATION_S
        yield (
            t,
            ev.EpochEnded(
                epoch=epoch, train_mse=1.0, vali_mse=1.0, vali_mae=1.0, test_mse=None,
                test_mae=None, seconds=STEPS * STEP_S, evaluation_seconds=EVALUATION_S,
            ),
        )  # fmt: skip
    if ends:
        yield t, ev.EngineExited(code=0)
        yield t, ev.RunEnded(outcome="finished", exit_code=0, reason="finished")


def written(root: Path, events: Iterator[tuple[float, ev.Event]]) -> RunLayout:
    layout = RunLayout(root)
    root.mkdir()
    layout.config.write_text(
        f'data.dataset = "synthetic"\ntrain.log_every = {EVERY}\n', encoding="utf-8"
    )
    journal = Journal.open(layout.journal)
    for t, event in events:
        event = type(event)(**{**_fields(event), "t": t, "at": BEGAN + timedelta(seconds=t)})
        journal.append(event)
    journal.close()
    return layout


def _fields(event: ev.Event) -> dict[str, object]:
    return {name: getattr(event, name) for name in event.__struct_fields__}


def test_a_run_as_even_as_this_is_told_to_the_second(tmp_path: Path) -> None:
    found = judged(written(tmp_path / "even", story()), after=0.03)
    assert found.minutes == (EPOCHS * (STEPS * STEP_S + EVALUATION_S)) / 60
    # The first line starts the clock, the second is past 3 %; from then on each is counted.
    assert len(found.ours) == len(found.published) == EPOCHS * STEPS / EVERY - 1
    assert max(found.ours) < 0.01
    assert found.silent == 0
    # In the first epoch the formula forgets three evaluations of 100 s in some 900 s.
    assert found.published[0] == pytest.approx(1 - 2 * (3 * STEPS - 19) / (900 - 40), abs=1e-6)
    assert "even" in table([found])


def test_the_published_formula_counts_an_evaluation_into_the_first_line_of_an_epoch() -> None:
    formula = PublishedFormula()

    def line(t: float, epoch: int, iteration: int) -> float | None:
        event = ev.Progress(iteration=iteration, epoch=epoch, loss=1.0, t=t)
        return formula.line(event, epochs=2, steps=20)

    assert line(10.0, 1, 10) is None
    assert line(20.0, 1, 20) == 1.0 * (2 * 20 - 19)
    # 10 steps and an evaluation of 30 s: 4 s a step, of which 11 are left by its counting.
    assert line(60.0, 2, 10) == 4.0 * (1 * 20 - 9)


def test_a_run_that_has_not_finished_is_no_evidence(tmp_path: Path) -> None:
    layout = written(tmp_path / "open", story(ends=False))
    with pytest.raises(SystemExit, match="has not finished"):
        main([str(layout.root)])


def test_a_folder_that_is_no_run_is_said_so(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="is no run"):
        main([str(tmp_path)])
