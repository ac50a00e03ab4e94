"""`evaluate` and `predict` before the engine is asked: what is refused at once, and how."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
from conftest import Shell

from timellm_ops.configfile import NO_DATA
from timellm_ops.contract.config import Config, DataSection
from timellm_ops.contract.layout import RunLayout
from timellm_ops.manifest import Manifest

NOW = datetime(2026, 1, 31, tzinfo=UTC)


def made(shell: Shell, data: DataSection) -> RunLayout:
    return shell.store.create("x", NOW, Config(data=data), Manifest(created_at=NOW))


@pytest.mark.parametrize("command", ["evaluate", "predict"])
def test_a_run_that_has_saved_nothing_yet_is_told_so(shell: Shell, command: str) -> None:
    layout = made(shell, DataSection(dataset="synthetic"))
    done = shell(command)
    assert done.code == 2
    assert f"{layout.run_id}: found no checkpoint yet" in done.error
    assert not layout.predictions.exists()


@pytest.mark.parametrize("command", ["evaluate", "predict"])
def test_the_record_of_a_log_has_no_weights(shell: Shell, command: str) -> None:
    made(shell, DataSection(dataset="custom", path=NO_DATA))
    done = shell(command)
    assert done.code == 2
    assert "record of a script's training" in done.error


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["evaluate", "--checkpoint", "best"], "expected one of last, step-200, which"),
        (["predict", "--checkpoint", "../best"], "expected best, last or step-N"),
        (["evaluate", "--split", "tests"], "tests"),
        (["evaluate", "--batch-size", "0"], "Must be >= 1"),
        (["evaluate", "--season", "0"], "Must be >= 1"),
        (["predict", "--output", "x.xlsx"], "ends with .csv, .parquet"),
        (["predict", "--plot", "x.txt"], "ends with .png, .svg, .pdf"),
        (["predict", "nothing-like-it"], 'no run "nothing-like-it"'),
        (["predict", "./nothing-here", "--input", "x.csv"], "found no bundle.json; expected a run"),
        (["predict", "--checkpoint", "last", "--backbone", "b"], "--backbone goes with the folder"),
    ],
)
def test_what_cannot_be_meant_is_one_line_and_leaves_nothing(
    shell: Shell, arguments: list[str], words: str
) -> None:
    layout = made(shell, DataSection(dataset="synthetic"))
    for name in ("last", "step-200", ".tmp-best-01", "broken-best-01"):
        (layout.checkpoints / name).mkdir(parents=True)
    before = sorted(shell.folder.rglob("*"))
    done = shell(*arguments)
    assert done.code == 2
    assert words in done.error
    assert sorted(shell.folder.rglob("*")) == before


def test_a_place_that_cannot_be_written_to_is_told_before_minutes_are_spent(
    shell: Shell, tmp_path: Path
) -> None:
    layout = made(shell, DataSection(dataset="synthetic"))
    (layout.checkpoints / "best").mkdir(parents=True)
    (tmp_path / "file").write_text("")
    done = shell("evaluate", "--to", str(tmp_path / "file" / "deeper"))
    assert done.code == 3
    assert "cannot be written to" in done.error
    assert "--to names another" in done.error


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "--input: found nothing; expected the CSV or Parquet file to go on from"),
        (["--input", "x.csv", "--checkpoint", "last"], "--checkpoint goes with a run"),
        (["--input", "x.csv"], "bundle.json: found what cannot be read"),
    ],
)
def test_a_bundle_needs_a_file_and_has_one_checkpoint(
    shell: Shell, arguments: list[str], words: str
) -> None:
    bundle = shell.folder / "kept"
    bundle.mkdir()
    (bundle / "bundle.json").write_text("{}", encoding="utf-8")
    done = shell("predict", str(bundle), *arguments)
    assert done.code == 2
    assert words in done.error
