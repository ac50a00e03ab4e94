"""The scripts of the benchmarks run from the command line, on the smallest shape."""

import itertools
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from changes import main as changes_main
from floor import main as floor_main

from engine import main as engine_main
from timellm_engine.model.precision import processor_has_bf16

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
GOLDEN = Path(os.environ.get("TIMELLM_GOLDEN_DIR", "no-golden"))


def run_script(name: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    argv = [sys.executable, str(BENCHMARKS / name), *arguments]
    return subprocess.run(argv, capture_output=True, text=True, timeout=600, check=False)


@pytest.mark.slow
def test_the_engine_is_compared_and_every_figure_is_kept(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "raw.json"
    code = engine_main(
        [
            "--shape", "tiny", "--batch", "2", "--variant", "published fp32",
            "--add", "ours", "model.prototypes=direct", "--rounds", "1", "--evaluations", "1",
            "--at-once", "2", "--threads", "1", "--json", str(file),
        ]
    )  # fmt: skip
    printed = capsys.readouterr().out
    assert code == 0
    assert printed.count("| published fp32 |") == printed.count("| ours |") == 2
    (table,) = json.loads(file.read_text(encoding="utf-8"))
    published, ours = table["variants"]
    assert (table["batch"], len(ours["steps_s"]), len(ours["windows_s"])) == (2, 1, 1)
    assert ours["file_bytes"]["bundle"] > 0
    assert published["training_peak_bytes"] > 0
    assert published["peak_bytes"] >= published["training_peak_bytes"]


def test_an_override_that_no_config_has_is_named_before_anything_is_made(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert engine_main(["--shape", "tiny", "--add", "odd", "train.patience=0"]) == 2
    assert "--set train.patience" in capsys.readouterr().err


def test_a_floor_needs_no_model(capsys: pytest.CaptureFixture[str]) -> None:
    floor_main(["--shape", "tiny", "--batch", "2"])
    printed = capsys.readouterr().out
    for mode in ("published", "mapping", "direct"):
        assert printed.count(f"| {mode} | **together** |") == 2


def test_a_floor_may_be_that_of_given_rates(capsys: pytest.CaptureFixture[str]) -> None:
    floor_main(["--shape", "tiny", "--batch", "2", "--rates", "100", "1e9", "1e9"])
    step, _ = capsys.readouterr().out.split("window evaluated")
    row = next(line for line in step.splitlines() if line.startswith("| direct | **together** |"))
    cells = row.split("|")
    assert float(cells[6]) == pytest.approx(10 * float(cells[3]), abs=0.2)  # ms of GFLOP at 100/s


@pytest.mark.slow
def test_every_change_is_counted_and_leaves_the_function_as_it_is(
    capsys: pytest.CaptureFixture[str],
) -> None:
    changes_main(["--shape", "tiny", "--batch", "2", "--at-once", "2", "--rounds", "1"])
    rows = [
        [cell.strip() for cell in line.split("|")[1:-1]]
        for line in capsys.readouterr().out.splitlines()
        if line.startswith("| ") and "measured" not in line
    ]
    steps = rows[: len(rows) // 2]
    assert [row[0] for row in steps[:2]] == ["published", "fewer operations"]
    assert steps[-1][0] == ("bfloat16" if processor_has_bf16() else "direct prototypes")
    for before, row in itertools.pairwise(steps):
        assert float(row[1]) <= float(before[1])  # GFLOP
        assert float(row[-1]) < (3e-2 if row[0] == "bfloat16" else 1e-5)


@pytest.mark.slow
@pytest.mark.skipif(
    not (GOLDEN / "gpt2").is_dir(), reason="no reference tensors (set TIMELLM_GOLDEN_DIR)"
)
def test_what_is_measured_against_is_the_published_function() -> None:
    cases = [str(GOLDEN / name) for name in ("gpt2", "qwen2")]
    done = run_script("published_computation.py", *cases)
    assert done.returncode == 0, done.stdout + done.stderr
