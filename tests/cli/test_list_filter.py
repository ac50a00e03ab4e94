"""`list --filter` as a user has it, and the memory of the runs' configs."""

import json
import os
import re
from pathlib import Path

import pytest
from conftest import TINY, Shell
from written_runs import own_run, written_run

from timellm_ops.cli.run_configs import RunConfigs
from timellm_ops.configfile import read_config
from timellm_ops.contract.layout import RunLayout


@pytest.fixture
def two(shell: Shell) -> tuple[RunLayout, RunLayout]:
    """Runs of two batch sizes."""
    path = shell.write("tiny.toml", TINY)
    return (
        written_run(shell.store, read_config(path, ["train.batch_size=4"])),
        written_run(shell.store, read_config(path, ["train.batch_size=16"])),
    )


def listed(shell: Shell, *filters: str) -> list[str]:
    options = [part for text in filters for part in ("--filter", text)]
    done = shell("list", *options, "--json")
    assert done.code == 0, done.err
    return [run["run_id"] for run in json.loads(done.out)["runs"]]


def test_runs_are_listed_by_words_results_and_keys_of_their_configs(
    shell: Shell, two: tuple[RunLayout, RunLayout]
) -> None:
    four, sixteen = two
    both = {four.run_id, sixteen.run_id}
    assert listed(shell, "train.batch_size=4") == [four.run_id]
    assert listed(shell, "train.batch_size>4") == [sixteen.run_id]
    assert set(listed(shell, "state=finished", "mse<0.3", "night")) == both
    assert listed(shell, "state=failed") == []
    assert listed(shell, "not:" + four.run_id[-4:]) == [sixteen.run_id]
    text = shell("list", "--filter", "train.batch_size=4")
    assert four.run_id in text.out
    assert sixteen.run_id not in text.out
    assert "no run of 2 in" in shell("list", "--filter", "weather").out


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("batch_size=4", 'found an unknown key; expected "train.batch_size" (did you mean it?)'),
        ("mse<low", 'mse: found "low"; expected a number'),
    ],
)
def test_what_is_no_filter_is_one_line(shell: Shell, text: str, told: str) -> None:
    done = shell("list", "--filter", text)
    assert done.code == 2
    assert "--filter: " in done.error
    assert told in done.error


def test_a_config_is_read_once_and_again_when_it_is_another(
    tmp_path: Path, shell: Shell, two: tuple[RunLayout, RunLayout]
) -> None:
    four, sixteen = two
    cache = tmp_path / "kept"
    first = RunConfigs(cache).of(two)
    assert first[four.run_id]["train.batch_size"] == 4
    index = cache / "configs"
    written = index.read_bytes()
    index.write_bytes(written.replace(b"synthetic", b"SYNTHETIC"))
    assert RunConfigs(cache).of(two)[four.run_id]["data.dataset"] == "SYNTHETIC"  # from the memory
    text = sixteen.config.read_text(encoding="utf-8")
    sixteen.config.write_text(text.replace("batch_size = 16", "batch_size = 160"), encoding="utf-8")
    four.config.write_text("no TOML", encoding="utf-8")
    configs = RunConfigs(cache)
    again = configs.of(two)
    assert again[sixteen.run_id]["train.batch_size"] == 160
    assert again[four.run_id] == {}
    index.unlink()
    assert configs.of(two) == again
    assert not index.exists(), "nothing has changed that would have to be kept"


def test_what_cannot_be_kept_is_read_all_the_same(
    tmp_path: Path, two: tuple[RunLayout, RunLayout]
) -> None:
    four, sixteen = two
    four.config.write_text(f"[run]\nseed = {10**30}\n", encoding="utf-8")
    assert RunConfigs(tmp_path / "kept").of([four])[four.run_id]["run.seed"] == 10**30
    odd = RunLayout(tmp_path / "no\udcfftext" / sixteen.run_id)
    odd.root.mkdir(parents=True)
    odd.config.write_bytes(sixteen.config.read_bytes())
    assert RunConfigs(tmp_path / "other").of([odd])[odd.run_id]["train.batch_size"] == 16


def test_a_memory_that_cannot_be_kept_or_read_costs_nothing_but_time(
    tmp_path: Path, two: tuple[RunLayout, RunLayout]
) -> None:
    broken = tmp_path / "broken"
    broken.mkdir()
    (broken / "configs").write_bytes(b"\xff\x00 not msgpack")
    a_file = tmp_path / "file"
    a_file.write_text("")
    for folder in (broken, a_file):
        assert RunConfigs(folder).of(two)[two[0].run_id]["train.batch_size"] == 4


def test_a_runs_folder_that_is_not_there_or_is_a_file_is_told(shell: Shell) -> None:
    gone = shell("list")
    assert (gone.code, f"{shell.store.root}, which is not there" in gone.out) == (0, True)
    shell.store.root.write_text("")
    refused = shell("list")
    assert refused.code == 2
    assert "a file; expected a folder of runs" in refused.error


@pytest.mark.parametrize("kind", ["a folder", "a pipe", "a loop", "numbers of many digits"])
def test_a_run_that_cannot_be_read_hides_no_other(shell: Shell, kind: str) -> None:
    config = shell.write("run.toml", TINY)
    good, bad = own_run(shell.store, config), own_run(shell.store, config)
    text = bad.journal.read_text()
    bad.journal.unlink()
    match kind:
        case "a folder":
            bad.journal.mkdir()
        case "a pipe":
            os.mkfifo(bad.journal)
        case "a loop":
            bad.journal.symlink_to(bad.journal)
        case _:
            huge = re.sub(r'("epoch"|"iteration"):\d+', r"\1:99999999999999999999", text)
            bad.journal.write_text(huge)
            assert huge != text
    done = shell("list")
    assert done.code == 0, done.err
    assert good.run_id in done.out
    if kind == "numbers of many digits":
        assert bad.run_id in done.out, "what else is on record of it is read"
    else:
        assert bad.run_id not in done.out
        assert done.error.startswith(f"timellm-ops: {bad.run_id} is left out: {bad.journal}: ")
    listed = json.loads(shell("list", "--json").out)["runs"]
    assert good.run_id in [run["run_id"] for run in listed]
