"""`plan` as a user has it: from the config alone, on one page or as JSON."""

import json
import os
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest
from conftest import TINY, Shell

from timellm_ops.cli.plan_page import page
from timellm_ops.cli.plan_texts import TEXTS
from timellm_ops.contract.config import DataSection
from timellm_ops.contract.plan import Plan
from timellm_ops.planning.known_file import dated_data, is_published
from timellm_ops.planning.steps import reported_data
from timellm_ops.preflight import read_report

QWEN = Path(__file__).parents[2] / "configs" / "etth1-qwen2.5-3b.toml"

WATCHED = """
import socket, sys
def refuse(*_arguments, **_more):
    raise SystemExit("the network was used")
socket.socket.connect = refuse
sys.argv = ["timellm-ops", "plan", sys.argv[1], "--json"]
from timellm_ops.cli import main
code = main()
heavy = {"torch", "transformers", "pandas", "numpy"} & set(sys.modules)
sys.exit(f"loaded {heavy}" if heavy else code)
"""


def planned(shell: Shell, *arguments: str) -> Plan:
    done = shell("plan", *arguments, "--json")
    assert done.code == 0, done.err
    return msgspec.json.decode(done.out, type=Plan)


def test_the_users_config_is_planned_with_no_network_no_weights_and_nothing_heavy(
    shell: Shell,
) -> None:
    done = subprocess.run(
        [sys.executable, "-c", WATCHED, str(QWEN)],
        env={**shell.env(), "HF_HOME": str(shell.folder)},
        cwd=shell.folder, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    plan = msgspec.json.decode(done.stdout, type=Plan)
    assert plan.steps.total == 42_174
    assert plan.trainable is not None
    assert plan.trainable.parameters == 153_719_112
    assert plan.files is not None
    assert plan.files.best_bytes == 614_877_656
    assert (plan.backbone.kept_layers, plan.backbone.layers) == (6, 36)
    assert not list(shell.folder.glob("runs/*"))


def test_the_page_says_it_in_english_and_chinese(shell: Shell) -> None:
    english = shell("plan", str(QWEN), "--gpu-memory", "6")
    assert english.code == 0, english.err
    for words in ("14,058 × 3 = 42,174", "153,719,112", "1,000 × 151,936", "it fits", "56,231"):
        assert words in english.out
    assert not shell("plan", str(QWEN), "--lang", "zh").out.isascii()
    small = shell("plan", str(QWEN), "--set", "backbone.layers=36", "--gpu-memory", "6", "--lang",
                  "zh")  # fmt: skip
    assert "放不下" in small.out
    assert "backbone.dtype=nf4" in small.out


def test_no_line_of_the_page_ends_in_blanks_and_every_item_has_a_chinese_name(
    shell: Shell,
) -> None:
    plan = planned(shell, str(QWEN), "--gpu-memory", "6")
    for lang in ("en", "zh"):
        text = page(plan, lang)
        assert all(line == line.rstrip() for line in text.splitlines())
    on_cpu = planned(shell, str(QWEN), "--set", "train.device=cpu")
    whats = {item.what for p in (plan, on_cpu) for phase in p.memory for item in phase.items}
    assert whats <= set(TEXTS["zh"].names)


def test_the_file_is_read_where_it_is_here(shell: Shell) -> None:
    folder = os.environ.get("TIMELLM_DATA_DIR", "")
    if not (Path(folder) / "ETTh1.csv").exists():
        pytest.skip("ETTh1.csv is looked for in TIMELLM_DATA_DIR")
    plan = planned(shell, str(QWEN), "--set", f"data.path={folder}/ETTh1.csv")
    assert plan.data.source.endswith("ETTh1.csv")
    assert [split.samples for split in plan.data.splits] == [56_231, 19_495, 19_495]
    assert plan.data.splits[0].first.startswith("2016-07-01")


def test_a_known_file_has_the_splits_that_are_read_from_it() -> None:
    """Its few lines are looked at in place of all: both ways must come to the same."""
    folder = os.environ.get("TIMELLM_DATA_DIR", "")
    found = [name for name in ("ETTh1", "ETTm2") if (Path(folder) / f"{name}.csv").exists()]
    if not found:
        pytest.skip("ETT files are looked for in TIMELLM_DATA_DIR")
    for name in found:
        for changes in ({}, {"features": "MS", "percent": 10, "seq_len": 96}):
            path = Path(folder) / f"{name}.csv"
            tables = {"dataset": name, "path": str(path), **changes}
            section = msgspec.convert(tables, DataSection)
            assert is_published(name, path)
            assert dated_data(section, path) == reported_data(section, read_report(section, 0))


def test_a_folder_that_is_not_here_is_known_by_its_name(shell: Shell) -> None:
    source = 'backbone.source="/models/base_models/Qwen2.5-3B"'
    done = shell("plan", str(QWEN), "--set", source)
    assert "is not here; going by its name it is Qwen/Qwen2.5-3B" in done.out
    plan = planned(shell, str(QWEN), "--set", source)
    assert plan.backbone.known_from == "table_by_name"


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("--set", "backbone.layers=37"), 2, "at most 36, the layers of Qwen/Qwen2.5-3B"),
        (("--set", "model.d_ff=4096"), 2, "at most 2048, the hidden size"),
        (("--set", "train.epoch=3"), 2, "train.epochs"),
        (("--gpu-memory", "-1"), 2, "--gpu-memory"),
        (("--set", "backbone.source=/no/such/folder"), 3, "is no folder"),
        (("--set", "data.path=/no/such.csv"), 3, "/no/such.csv"),
        (("--set", "data.dataset=ILI", "--set", "data.pred_len=400"), 2, "ILI: found 966 rows"),
        (("--set", "foreign.command=ls"), 2, "foreign"),
    ],
)
def test_what_cannot_be_planned_is_one_line(
    shell: Shell, arguments: tuple[str, ...], code: int, words: str
) -> None:
    done = shell("plan", str(QWEN), *arguments)
    assert (done.code, words in done.error) == (code, True), done.err


@pytest.mark.slow
def test_a_few_real_steps_tell_the_time(shell: Shell) -> None:
    plan = planned(shell, str(shell.write("tiny.toml", TINY)), "--measure")
    assert plan.time is not None
    assert plan.time.total_s > 0.0
    assert plan.measured is not None
    assert plan.trainable is not None
    assert plan.measured.trainable_parameters == plan.trainable.parameters
    assert plan.measured.backbone_parameters == plan.backbone.parameters
    training = plan.memory[0]
    assert training.measured_bytes is not None
    assert 0.7 < training.bytes / training.measured_bytes < 1.4
    assert not shell.store.runs()
    assert json.loads(shell("plan", "tiny.toml", "--json").out)["measured"] is None
