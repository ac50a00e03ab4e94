"""A prediction: the run's own scaler and columns, timestamps that go on, and input as it comes."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pandas as pd
import pytest
import torch
from trained_runs import COLUMNS, RUN_ID, config_of, evaluated, files, silent, trained_run

from timellm_engine.checkpoints.checkpoint import FolderStorage
from timellm_engine.checkpoints.export import export
from timellm_engine.data.synthetic import synthetic_series
from timellm_engine.errors import InputError, TrainingError
from timellm_engine.results.prediction import predict_run
from timellm_engine.results.trained import load_trained, read_checkpoint
from timellm_ops.contract.bundle import ExportQuestion
from timellm_ops.contract.layout import RunLayout
from timellm_ops.contract.prediction import Prediction, PredictionQuestion


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunLayout]:
    threads = torch.get_num_threads()
    yield trained_run(tmp_path_factory.mktemp("predicted"))
    torch.set_num_threads(threads)


def predicted(run: RunLayout, folder: Path, **question: Any) -> Prediction:
    asked = PredictionQuestion(run_dir=str(run.root), folder=str(folder), **question)
    return predict_run(asked, silent)


def table(rows: int = 400) -> pd.DataFrame:
    """The run's own series as a file has it."""
    names, values = synthetic_series(400, 3, 2021)
    frame = pd.DataFrame(values[:rows], columns=names)
    frame.insert(0, "date", pd.date_range("2020-01-01", periods=rows, freq="h").astype(str))
    return frame


def test_the_steps_after_the_end_are_forecast_with_their_timestamps(
    run: RunLayout, tmp_path: Path
) -> None:
    before = files(run.root)
    found = predicted(run, tmp_path)
    assert found.history_to == "2020-01-17 15:00:00"
    assert found.timestamps == tuple(f"2020-01-17 {hour}:00:00" for hour in (16, 17, 18, 19))
    assert tuple(variable.name for variable in found.variables) == COLUMNS
    assert all(len(v.forecast) == 4 and not v.truth for v in found.variables)
    assert files(run.root) == before


def test_the_forecast_is_the_models_own_in_original_units(run: RunLayout, tmp_path: Path) -> None:
    found = predicted(run, tmp_path)
    job = load_trained(run, config_of(run), "best").job
    mean, deviation = np.array(job.data.mean), np.array(job.data.deviation)
    history = (job.data.values[-32:] - mean) / deviation
    with torch.inference_mode():
        scaled = job.model(torch.from_numpy(history.T.astype(np.float32))).numpy()
    expected = scaled.T * deviation + mean
    for place, variable in enumerate(found.variables):
        assert np.allclose(variable.forecast, expected[:, place], rtol=1e-6)


def test_a_prediction_repeats_to_the_byte(run: RunLayout, tmp_path: Path) -> None:
    first = predicted(run, tmp_path / "1", plot=str(tmp_path / "1.png"))
    second = predicted(run, tmp_path / "2", plot=str(tmp_path / "2.png"))
    assert first.digest == second.digest
    contents = [Path(found.files[0]).read_bytes() for found in (first, second)]
    assert contents[0] == contents[1]
    assert (tmp_path / "1.png").read_bytes().startswith(b"\x89PNG")


def test_a_forecast_of_another_input_stands_beside_the_one_that_is_there(
    run: RunLayout, tmp_path: Path
) -> None:
    folder = tmp_path / "predictions"
    frame = table()
    frame["OT"] += 1.0
    frame.to_csv(tmp_path / "other.csv", index=False)
    own = predicted(run, folder)
    kept = Path(own.files[0]).read_bytes()
    other = predicted(run, folder, input=str(tmp_path / "other.csv"))
    assert [Path(name).name for found in (own, other) for name in found.files] == [
        "forecast-20200117T1600.csv",
        "forecast-20200117T1600-2.csv",
    ]
    assert (own.other_forecast, other.other_forecast) == (None, own.files[0])
    assert Path(own.files[0]).read_bytes() == kept != Path(other.files[0]).read_bytes()
    assert predicted(run, folder).files == own.files
    assert predicted(run, folder, input=str(tmp_path / "other.csv")).files == other.files
    assert len(files(folder)) == 2


def test_an_output_that_is_named_is_replaced(run: RunLayout, tmp_path: Path) -> None:
    path = tmp_path / "out.csv"
    path.write_text("another forecast")
    found = predicted(run, tmp_path, output=str(path))
    assert (found.files, found.other_forecast) == ((str(path),), None)
    assert path.read_text().startswith("timestamp,")
    assert list(tmp_path.iterdir()) == [path]


def test_a_horizon_in_the_past_is_what_the_evaluation_forecast_with_the_truth_beside_it(
    run: RunLayout, tmp_path: Path
) -> None:
    path = tmp_path / "all.parquet"
    evaluated(run, forecasts=str(path))
    forecasts = pd.read_parquet(path)
    start = forecasts.timestamp[(forecasts.window == 7) & (forecasts.step == 1)].iloc[0]
    found = predicted(run, tmp_path, horizon_from=str(start))
    for variable in found.variables:
        rows = forecasts[(forecasts.window == 7) & (forecasts.variable == variable.name)]
        assert np.allclose(variable.forecast, rows.forecast, rtol=1e-4, atol=1e-4)
        assert np.allclose(variable.truth, rows.truth)


def test_where_the_truth_ends_within_the_horizon_it_is_as_long_as_it_is(
    run: RunLayout, tmp_path: Path
) -> None:
    found = predicted(run, tmp_path, horizon_from="2020-01-17 14:00")
    assert found.timestamps[0] == "2020-01-17 14:00:00"
    assert found.timestamps[-1] == "2020-01-17 17:00:00"
    assert all(len(variable.truth) == 2 for variable in found.variables)
    wide = pd.read_csv(found.files[0])
    assert list(wide.columns) == ["timestamp", *COLUMNS, *(f"{name} truth" for name in COLUMNS)]
    assert wide["OT truth"].isna().tolist() == [False, False, True, True]


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
@pytest.mark.parametrize("long", [False, True])
def test_the_file_holds_the_numbers_that_are_answered(
    run: RunLayout, tmp_path: Path, suffix: str, long: bool
) -> None:
    path = tmp_path / f"out{suffix}"
    found = predicted(run, tmp_path, output=str(path), long=long)
    assert found.files == (str(path),)
    frame = pd.read_csv(path) if suffix == ".csv" else pd.read_parquet(path)
    for variable in found.variables:
        if long:
            rows = frame[frame.variable == variable.name]
            values, times = rows.forecast, rows.timestamp
            assert list(rows.step) == [1, 2, 3, 4]
        else:
            values, times = frame[variable.name], frame.timestamp
        expected = np.array(variable.forecast, dtype=np.float32)
        assert np.array_equal(values.astype(np.float32), expected)
        assert tuple(pd.to_datetime(times).astype(str)) == found.timestamps
    assert sorted(entry.name for entry in tmp_path.iterdir()) == [path.name]


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_a_file_with_the_same_rows_gives_the_same_forecast_whatever_else_is_in_it(
    run: RunLayout, tmp_path: Path, suffix: str
) -> None:
    frame = table().iloc[100:]
    frame = frame[["date", "OT", "load2", "load1"]].assign(note="no number")
    path = tmp_path / f"in{suffix}"
    if suffix == ".csv":
        frame.to_csv(path, index=False)
    else:
        frame.to_parquet(path)
    own, other = predicted(run, tmp_path), predicted(run, tmp_path, input=str(path))
    assert other.digest == own.digest
    assert other.timestamps == own.timestamps
    assert tuple(variable.name for variable in other.variables) == COLUMNS
    assert other.source == str(path)


def test_the_scaler_is_the_runs_and_not_that_of_the_input(run: RunLayout, tmp_path: Path) -> None:
    """A day that is twice as high: a scaler fitted to it would see nothing new."""
    frame = table(400)
    frame[list(COLUMNS)] *= 2.0
    frame.to_csv(tmp_path / "in.csv", index=False)
    found = predicted(run, tmp_path, input=str(tmp_path / "in.csv"))
    job = load_trained(run, config_of(run), "best").job
    mean, deviation = np.array(job.data.mean), np.array(job.data.deviation)
    history = (frame[list(COLUMNS)].to_numpy()[-32:] - mean) / deviation
    with torch.inference_mode():
        scaled = job.model(torch.from_numpy(history.T.astype(np.float32))).numpy()
    for place, variable in enumerate(found.variables):
        expected = scaled[place] * deviation[place] + mean[place]
        assert np.allclose(variable.forecast, expected, rtol=1e-5)


def drop_two(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.drop(columns=["load1", "load2"])


def every_other_hour(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.iloc[::2]


def text_in_a_cell(frame: pd.DataFrame) -> pd.DataFrame:
    frame = frame.astype({"load2": object})
    frame.loc[30, "load2"] = "broken"
    return frame


def no_date(frame: pd.DataFrame) -> pd.DataFrame:
    frame.loc[5, "date"] = "yesterday"
    return frame


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (drop_two, ("no column load1, load2", "load1, load2, OT")),
        (every_other_hour, ("2h", "1h")),
        (text_in_a_cell, ('"load2", row 31', '"broken"', "a finite number")),
        (no_date, ('"date", row 6', '"yesterday"', "a timestamp")),
        (lambda frame: frame.iloc[:31], ("31 rows", "at least 32", "data.seq_len")),
        (lambda frame: frame.iloc[::-1], ("go back",)),
    ],
)
def test_an_input_that_does_not_fit_is_one_line_and_no_file(
    run: RunLayout,
    tmp_path: Path,
    change: Callable[[pd.DataFrame], pd.DataFrame],
    words: tuple[str, ...],
) -> None:
    path = tmp_path / "in.csv"
    change(table(100)).to_csv(path, index=False)
    with pytest.raises(InputError) as raised:
        predicted(run, tmp_path / "out", input=str(path))
    for word in words:
        assert word in str(raised.value)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("soon", ('"soon"', "a date such as")),
        ("2019-12-31", ("between 2020-01-02 08:00:00, which 32 rows are before, and",)),
        ("2020-01-17 17:00", ("and 2020-01-17 16:00:00, right after the last row of",)),
        ("2020-01-02 07:00", ("found 2020-01-02 07:00:00; expected between 2020-01-02 08:00",)),
    ],
)
def test_a_horizon_that_does_not_follow_enough_rows_is_one_line(
    run: RunLayout, tmp_path: Path, text: str, words: tuple[str, ...]
) -> None:
    with pytest.raises(InputError) as raised:
        predicted(run, tmp_path, horizon_from=text)
    for word in words:
        assert word in str(raised.value)


def test_the_first_and_the_last_horizon_there_is_are_forecast(
    run: RunLayout, tmp_path: Path
) -> None:
    first = predicted(run, tmp_path, horizon_from="2020-01-02 08:00")
    assert first.history_from == "2020-01-01 00:00:00"
    last = predicted(run, tmp_path, horizon_from="2020-01-17 16:00")
    assert last.digest == predicted(run, tmp_path).digest


def test_weights_that_give_no_numbers_are_said_to(run: RunLayout, tmp_path: Path) -> None:
    copy = RunLayout(tmp_path / RUN_ID)
    shutil.copytree(run.root, copy.root)
    contents = read_checkpoint(copy.checkpoints, "best")
    contents.tensors["weights"]["head.linear.bias"].fill_(float("nan"))
    FolderStorage(copy.checkpoints).save("best", contents)
    with pytest.raises(TrainingError, match="not finite"):
        predicted(copy, tmp_path)
    with pytest.raises(TrainingError, match="not finite"):
        evaluated(copy, forecasts=str(tmp_path / "f.parquet"))
    assert [path.name for path in tmp_path.iterdir()] == [RUN_ID]


def test_a_series_that_was_changed_since_the_training_is_refused(tmp_path: Path) -> None:
    """The scaler is of the rows that the run was trained on, so they must be the same ones."""
    path = tmp_path / "mine.csv"
    table().to_csv(path, index=False)
    layout = trained_run(tmp_path, data__dataset="custom", data__path=str(path))
    predicted(layout, tmp_path)
    frame = table()
    frame.loc[3, "OT"] += 1.0
    frame.to_csv(path, index=False)
    with pytest.raises(InputError, match=r"data\.path: found another data"):
        predicted(layout, tmp_path)
    copy = RunLayout(tmp_path / "copy" / RUN_ID)
    shutil.copytree(layout.root, copy.root)
    table().to_csv(path, index=False)
    predicted(copy, tmp_path)


@pytest.fixture(scope="module")
def alone(run: RunLayout, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle of the run, with nothing of the run beside it."""
    folder = tmp_path_factory.mktemp("alone") / "bundle"
    export(ExportQuestion(run=str(run.root), checkpoint="best", to=str(folder)))
    return folder


def by_bundle(bundle: Path, folder: Path, **question: Any) -> Prediction:
    asked = PredictionQuestion(bundle=str(bundle), folder=str(folder), **question)
    return predict_run(asked, silent)


@pytest.mark.parametrize("horizon", [None, "2020-01-10 00:00:00"])
def test_a_bundle_alone_forecasts_as_its_run_does(
    run: RunLayout, alone: Path, tmp_path: Path, horizon: str | None
) -> None:
    file = tmp_path / "in.csv"
    frame = table()
    frame["besides"] = "a text"
    frame.to_csv(file, index=False)
    expected = predicted(run, tmp_path / "1", input=str(file), horizon_from=horizon)
    found = by_bundle(alone, tmp_path / "2", input=str(file), horizon_from=horizon)
    assert msgspec.structs.replace(found, files=()) == msgspec.structs.replace(expected, files=())
    (written,) = found.files
    assert Path(written).read_bytes() == Path(expected.files[0]).read_bytes()


def test_a_bundle_reads_a_file_as_its_run_did(tmp_path: Path) -> None:
    run = trained_run(tmp_path / "run", data__missing="previous")
    bundle = tmp_path / "bundle"
    export(ExportQuestion(run=str(run.root), checkpoint="best", to=str(bundle)))
    frame = table()
    frame.loc[390, "OT"] = np.nan
    frame.to_csv(tmp_path / "in.csv", index=False)
    (finding,) = by_bundle(bundle, tmp_path, input=str(tmp_path / "in.csv")).findings
    assert "filled by the value before" in finding


def test_a_bundle_without_a_file_or_with_another_one_is_refused(
    alone: Path, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match="a bundle holds no data"):
        by_bundle(alone, tmp_path)
    table().drop(columns="load1").to_csv(tmp_path / "in.csv", index=False)
    with pytest.raises(InputError, match="no column load1"):
        by_bundle(alone, tmp_path, input=str(tmp_path / "in.csv"))
    with pytest.raises(InputError, match="no folder here"):
        by_bundle(alone, tmp_path, input="x.csv", backbone=str(tmp_path / "gone"))
