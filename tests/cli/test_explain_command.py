"""`explain` as a user has it: of a run, of a config, of neither; and what it says to nonsense."""

import json
import subprocess
import sys

import pytest
from conftest import TINY, Shell
from written_runs import own_run, script_run

from timellm_dashboard.answers.questions import QUESTIONS

LIGHT = """
import sys
sys.argv = ["timellm-ops", *sys.argv[1:]]
from timellm_ops.cli import main
code = main()
heavy = {"torch", "transformers", "pandas", "numpy", "textual"} & set(sys.modules)
sys.exit(f"loaded {heavy}" if heavy else code)
"""


def test_without_a_run_or_a_config_the_defaults_are_explained(shell: Shell) -> None:
    done = shell("explain")
    assert done.code == 0, done.err
    assert "There is no run here yet" in done.out
    for question in QUESTIONS:
        assert f" {question.id} " in done.out
    assert "56,231 samples" in done.out


def test_a_config_is_explained_with_its_own_numbers_in_both_languages(shell: Shell) -> None:
    config = shell.write("tiny.toml", TINY)
    # 420 training rows of two columns: (420 - 48 - 12 + 1) x 2 windows.
    for arguments in (("iterations",), ("4", "--lang", "zh")):
        done = shell("explain", arguments[0], str(config), *arguments[1:])
        assert done.code == 0, done.err
        assert "722" in done.out
        assert "46" in done.out
    assert "每轮" in done.out
    lone = shell("explain", str(config))
    assert "722 samples in batches of 16" in lone.out
    assert shell("explain", "--ascii", "windows", str(config)).out.isascii()


def test_a_number_that_no_topic_has_is_no_run_either(shell: Shell) -> None:
    layout = own_run(shell.store, shell.write("tiny.toml", TINY))
    refused = shell("explain", "20")
    assert refused.code == 2
    assert 'found "20"; expected one of paths,' in refused.err
    assert "or its number, 1 to 17" in refused.err
    assert f"Numbers of the run {layout.run_id}" in shell("explain", "2026").out


def test_a_run_is_explained_with_what_became_of_it(shell: Shell) -> None:
    layout = own_run(shell.store, shell.write("tiny.toml", TINY))
    done = shell("explain", "metrics")
    assert f"Numbers of the run {layout.run_id}" in done.out
    assert "Final test MSE 0.2050" in " ".join(done.out.split())
    document = json.loads(shell("explain", "heat", "latest", "--json").out)
    assert document["schema"] == "timellm-ops.explain/1"
    assert document["about"] == layout.run_id
    (answer,) = document["answers"]
    assert answer["id"] == "heat"
    assert answer["numbers"]["peak_temperature_c"] == 82.0
    assert answer["numbers"]["paused_seconds"] == 60.0
    assert len(json.loads(shell("explain", "--json").out)["answers"]) == 17


def test_a_step_takes_as_long_as_the_report_of_the_run_says(shell: Shell) -> None:
    own_run(shell.store, shell.write("tiny.toml", TINY))
    assert "1 s/step" in shell("report").out
    for topic in ("output", "total"):
        (told,) = json.loads(shell("explain", topic, "--json").out)["answers"]
        assert told["numbers"]["seconds_per_iteration"] == 1.0


def test_heat_is_explained_with_the_rules_of_the_config_and_of_the_run(shell: Shell) -> None:
    def told(of: str) -> str:
        return " ".join(shell("explain", "heat", of).out.split())

    blind = shell.write("blind.toml", TINY)
    assert "looks at no GPU" in told(str(blind))
    seeing = TINY.replace('probe = "none"', 'probe = "simulated"')
    governed = shell.write("governed.toml", seeing)
    assert "the governor slows it down" in told(str(governed))
    alone = shell.write("alone.toml", seeing + "\n[policy.governor]\nenabled = false\n")
    own_run(shell.store, alone)
    for of in (str(alone), "latest"):
        assert "policy.governor.enabled" in told(of)
        assert "the governor slows it down" not in told(of)


def test_of_a_script_it_says_that_its_shapes_are_not_known(shell: Shell) -> None:
    script_run(shell.store, shell.folder)
    done = shell("explain", "total")
    assert done.code == 0, done.err
    assert "is a script's run, which tells no shapes" in done.out


def test_a_word_of_the_dashboard_is_explained_too(shell: Shell) -> None:
    done = shell("explain", "throttle", "--lang", "zh")
    assert "降频原因" in done.out
    assert json.loads(shell("explain", "throttle", "--json").out)["id"] == "throttle"


@pytest.mark.parametrize(
    ("arguments", "found"),
    [
        (("nonsense",), 'found "nonsense"; expected one of paths, sharing, saved'),
        (("iterations", "nobody"), 'no run "nobody"'),
        (("iterations", "missing.toml"), "missing.toml"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(
    shell: Shell, arguments: tuple[str, ...], found: str
) -> None:
    done = shell("explain", *arguments)
    assert done.code == 2
    assert found in done.error


def test_nothing_heavy_is_loaded_for_it(shell: Shell) -> None:
    done = subprocess.run(
        [sys.executable, "-c", LIGHT, "explain", "weights"],
        cwd=shell.folder, env=shell.env(), capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
