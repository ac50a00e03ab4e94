"""An evaluation: the run's own errors, seen from every side, and the same bytes every time."""

import hashlib
import shutil
import tomllib
from collections.abc import Iterator
from pathlib import Path

import msgspec
import numpy as np
import pytest
import tomli_w
import torch
from full_disk import files_end_at
from tiny_runs import only
from trained_runs import COLUMNS, RUN_ID, config_of, evaluated, files, trained_run

from timellm_engine.errors import InputError, PreflightError
from timellm_engine.results.evaluation import evaluate_run
from timellm_engine.results.trained import load_trained
from timellm_engine.training.build import build
from timellm_ops.contract import events as ev
from timellm_ops.contract.evaluation import Evaluation, EvaluationQuestion
from timellm_ops.contract.layout import RunLayout


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunLayout]:
    threads = torch.get_num_threads()
    yield trained_run(tmp_path_factory.mktemp("evaluated"))
    torch.set_num_threads(threads)


def without_time(found: Evaluation) -> Evaluation:
    return msgspec.structs.replace(found, seconds=0.0, files=())


def test_the_test_errors_are_those_that_the_run_wrote_down(run: RunLayout) -> None:
    found = evaluated(run)
    (recorded,) = only(run, ev.TestEvaluated)
    assert found.mse == pytest.approx(recorded.mse, rel=1e-12)
    assert found.mae == pytest.approx(recorded.mae, rel=1e-12)
    assert found.windows == recorded.windows
    assert found.recorded is not None
    assert found.recorded.agrees
    assert (found.run_id, found.checkpoint, found.epoch) == (RUN_ID, "best", 1)
    assert found.whole_epoch


def test_validation_errors_are_on_record_too_and_training_errors_are_not(run: RunLayout) -> None:
    (ended,) = only(run, ev.EpochEnded)
    found = evaluated(run, split="vali")
    assert found.mse == pytest.approx(ended.vali_mse, rel=1e-12)
    assert found.recorded is not None
    assert found.recorded.agrees
    assert evaluated(run, split="train").recorded is None


def test_an_evaluation_repeats_to_the_byte_and_changes_nothing_of_the_run(
    run: RunLayout, tmp_path: Path
) -> None:
    before = files(run.root)
    first = evaluated(run, forecasts=str(tmp_path / "1.parquet"))
    torch.manual_seed(7)
    second = evaluated(run, forecasts=str(tmp_path / "2.parquet"))
    assert without_time(first) == without_time(second)
    assert (tmp_path / "1.parquet").read_bytes() == (tmp_path / "2.parquet").read_bytes()
    assert files(run.root) == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["1.parquet", "2.parquet"]


def test_another_batch_size_gives_the_same_errors_up_to_rounding(run: RunLayout) -> None:
    usual, small = evaluated(run), evaluated(run, batch_size=7)
    assert small.mse == pytest.approx(usual.mse, rel=1e-5)
    assert (usual.computed.batch_size, small.computed.batch_size) == (256, 7)


def test_parts_make_up_the_whole_and_original_units_follow_the_scaler(run: RunLayout) -> None:
    found = evaluated(run)
    assert tuple(variable.name for variable in found.variables) == COLUMNS
    assert np.mean([v.mse for v in found.variables]) == pytest.approx(found.mse)
    assert len(found.by_step) == found.pred_len
    assert np.mean([step.mae for step in found.by_step]) == pytest.approx(found.mae)
    for variable in found.variables:
        assert variable.mae_original == pytest.approx(variable.mae * variable.deviation)
        assert variable.mse_original == pytest.approx(variable.mse * variable.deviation**2)


def test_saved_forecasts_have_the_errors_the_digest_and_the_rows_that_are_told(
    run: RunLayout, tmp_path: Path
) -> None:
    import pandas as pd

    path = tmp_path / "forecasts.parquet"
    found = evaluated(run, forecasts=str(path), batch_size=50)
    assert found.files == (str(path),)
    table = pd.read_parquet(path)
    assert list(table.columns) == ["window", "variable", "step", "timestamp", "truth", "forecast"]
    assert len(table) == found.windows * found.pred_len
    data = load_trained(run, config_of(run), "best").job.data
    for variable in found.variables:
        rows = table[table.variable == variable.name]
        error = rows.forecast.astype(float) - rows.truth.astype(float)
        assert (error**2).mean() == pytest.approx(variable.mse_original, rel=1e-4)
        assert error.abs().mean() == pytest.approx(variable.mae_original, rel=1e-4)
        values = data.values[:, data.columns.index(variable.name)]
        by_time = dict(zip(data.timestamps, values, strict=True))
        expected = [by_time[np.datetime64(moment)] for moment in rows.timestamp]
        assert np.allclose(rows.truth, expected, rtol=1e-6)
    first = table[(table.window == 0) & (table.variable == "OT")]
    ends = data.splits.vali.end
    assert list(first.step) == [1, 2, 3, 4]
    assert first.timestamp.iloc[0] == data.timestamps[ends]


def test_the_digest_is_of_the_models_own_scaled_forecasts_in_order(run: RunLayout) -> None:
    job = load_trained(run, config_of(run), "best").job
    windows = job.data.test
    with torch.inference_mode():
        parts = [
            job.model(windows.batch(numbers)[0])
            for numbers in torch.arange(len(windows)).split(256)
        ]
    expected = hashlib.sha256(torch.cat(parts).numpy().astype("<f4").tobytes()).hexdigest()
    assert evaluated(run).digest == expected


def test_other_weights_have_another_digest_and_no_record(run: RunLayout, tmp_path: Path) -> None:
    copy = RunLayout(tmp_path / RUN_ID)
    shutil.copytree(run.root, copy.root)
    shutil.copytree(copy.checkpoints / "last", copy.checkpoints / "step-3")
    shutil.rmtree(copy.checkpoints / "best")
    by_step, last = evaluated(copy, checkpoint="step-3"), evaluated(copy, checkpoint="last")
    assert by_step.digest == last.digest == evaluated(run).digest  # one epoch: all are the same
    with pytest.raises(InputError, match="no checkpoint; expected one of last, step-3"):
        evaluated(copy)


def test_baselines_stand_beside_it_with_the_best_one_named(run: RunLayout) -> None:
    found = evaluated(run)
    errors = {baseline.name: baseline.mse for baseline in found.baselines}
    assert set(errors) == {"DLinear", "seasonal naive", "last value", "window mean"}
    assert None not in errors.values()
    lowest = min((mse, name) for name, mse in errors.items() if mse is not None)
    assert (found.best_baseline, found.skill) == (
        lowest[1],
        pytest.approx(1 - found.mse / lowest[0]),
    )
    for baseline in found.baselines:
        assert np.mean([step.mse for step in baseline.by_step]) == pytest.approx(baseline.mse)


def test_a_season_that_is_given_is_used(run: RunLayout) -> None:
    (daily,) = (b for b in evaluated(run).baselines if b.name == "seasonal naive")
    (weekly,) = (b for b in evaluated(run, season=168).baselines if b.name == "seasonal naive")
    assert "24 steps" in daily.detail
    assert weekly.mse is None
    assert "168 steps is longer" in weekly.detail


def test_pictures_are_drawn_whole(run: RunLayout, tmp_path: Path) -> None:
    found = evaluated(run, plots=str(tmp_path / "pictures" / "x"))
    names = ["x-forecasts.png", "x-steps.png", "x-variables.png"]
    assert found.files == tuple(str(tmp_path / "pictures" / name) for name in names)
    assert sorted(path.name for path in (tmp_path / "pictures").iterdir()) == names
    for path in found.files:
        assert Path(path).read_bytes().startswith(b"\x89PNG")


def test_a_place_that_cannot_be_written_to_is_one_line(run: RunLayout, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(PreflightError, match=str(tmp_path / "file")):
        evaluated(run, forecasts=str(tmp_path / "file" / "f.parquet"))


@pytest.mark.parametrize("what", ["forecasts", "plots"])
def test_a_disk_that_is_full_leaves_no_half_of_a_file(
    run: RunLayout, tmp_path: Path, what: str
) -> None:
    with files_end_at(2000), pytest.raises(PreflightError, match="cannot be written"):
        evaluated(run, **{what: str(tmp_path / "x.parquet")})
    assert list(tmp_path.iterdir()) == []


def test_what_is_done_is_told_up_to_its_end(run: RunLayout) -> None:
    told: list[tuple[str, int, int]] = []
    question = EvaluationQuestion(run_dir=str(run.root), batch_size=64)
    found = evaluate_run(question, lambda *progress: told.append(progress))
    assert ("test windows", 0, found.windows) in told
    assert told[-1] == ("test windows", found.windows, found.windows)
    assert any(what == "DLinear" for what, _, _ in told)


@pytest.mark.parametrize(
    ("key", "value"), [("model__d_ff", 4), ("data__seq_len", 40), ("run__seed", 5)]
)
def test_a_run_whose_settings_were_changed_since_is_refused_by_the_key(
    run: RunLayout, tmp_path: Path, key: str, value: int
) -> None:
    copy = RunLayout(tmp_path / RUN_ID)
    shutil.copytree(run.root, copy.root)
    tables = tomllib.loads(copy.config.read_text())
    section, _, name = key.partition("__")
    tables.setdefault(section, {})[name] = value
    copy.config.write_text(tomli_w.dumps(tables))
    with pytest.raises(InputError, match=f"{section}.{name}"):
        evaluated(copy)


def test_ms_is_evaluated_on_the_target_alone(tmp_path: Path) -> None:
    layout = trained_run(tmp_path, data__features="MS")
    found = evaluated(layout)
    assert [variable.name for variable in found.variables] == ["OT"]
    assert found.recorded is not None
    assert found.recorded.agrees
    training = evaluated(layout, split="train")
    assert tuple(variable.name for variable in training.variables) == COLUMNS
    job = build(config_of(layout))
    assert (found.windows, training.windows) == (len(job.data.test), len(job.data.train))
