"""`evaluate` and `predict` as a user has them: processes, files, and one line for what is wrong."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass

import msgspec
import pytest
from trained_runs import RUN_ID, trained_run

from timellm_ops.contract.evaluation import Evaluation
from timellm_ops.contract.layout import RunLayout
from timellm_ops.contract.prediction import Prediction

pytestmark = pytest.mark.slow


@dataclass(frozen=True)
class Done:
    """What came of a command."""

    code: int
    out: str
    err: str


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> RunLayout:
    return trained_run(tmp_path_factory.mktemp("shell") / "runs")


def command(run: RunLayout, *arguments: str) -> Done:
    env = {**os.environ, "TIMELLM_RUNS_DIR": str(run.root.parent), "LC_ALL": "C.UTF-8"}
    done = subprocess.run(
        [sys.executable, "-m", "timellm_ops.cli", *arguments],
        cwd=run.root.parent.parent,
        env=env,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    return Done(done.returncode, done.stdout, done.stderr)


def test_an_evaluation_is_a_page_a_file_and_pictures_that_say_the_same(run: RunLayout) -> None:
    page = command(run, "evaluate", "--save-forecasts")
    assert (page.code, page.err) == (0, "")
    names = {path.name for path in run.predictions.iterdir()}
    assert names == {
        "evaluation-test-best.json",
        "evaluation-test-best-forecasts.png",
        "evaluation-test-best-steps.png",
        "evaluation-test-best-variables.png",
        "forecasts-test-best.parquet",
    }
    kept = (run.predictions / "evaluation-test-best.json").read_bytes()
    found = msgspec.json.decode(kept, type=Evaluation)
    assert json.loads(kept)["schema"] == "timellm-ops.evaluation/1"
    for words in (f"{found.mse:.4f}", found.digest, "the same", *found.files):
        assert words in page.out
    assert "NOT the same" not in page.out
    assert set(found.files) == {str(run.predictions / name) for name in names}


def test_a_prediction_is_json_and_a_file_in_the_runs_folder(run: RunLayout) -> None:
    done = command(run, "predict", RUN_ID, "--json")
    assert (done.code, done.err) == (0, "")
    found = msgspec.json.decode(done.out.encode(), type=Prediction)
    path = run.predictions / "forecast-20200117T1600.csv"
    assert found.files == (str(path),)
    assert path.read_text().splitlines()[0] == "timestamp,load1,load2,OT"
