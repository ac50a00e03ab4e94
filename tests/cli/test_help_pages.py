"""The pages of options: every command has words and examples, and each example can be given."""

import shlex

import pytest

from timellm_ops.cli.commands import app, run_command
from timellm_ops.cli.help_pages import examples
from timellm_ops.cli.overview import COMMANDS, overview

EXAMPLES = [(name, example) for name, found in examples().items() for example in found]


def test_every_command_has_an_example() -> None:
    below_policy = {f"policy {name}" for name in ("show", "set", "simulate")}
    assert set(examples()) == {*COMMANDS, *below_policy}
    assert all(examples().values())


@pytest.mark.parametrize(("name", "example"), EXAMPLES)
def test_an_example_is_of_its_command_and_parses(name: str, example: str) -> None:
    assert example.split()[: len(name.split())] == name.split()
    arguments = shlex.split(example.partition(" > ")[0])
    app.parse_args(arguments, exit_on_error=False, print_error=False)


def test_a_page_shows_words_examples_and_options(capsys: pytest.CaptureFixture[str]) -> None:
    for command in ("stop", "policy set"):
        assert run_command([*command.split(), "--help"]) == 0
        page = capsys.readouterr().out
        assert f"Usage: timellm-ops {command}" in page
        assert f"Such as:\n  timellm-ops {command}" in page


def test_the_overview_says_what_exit_codes_mean_and_no_other_page_does() -> None:
    assert "Exit codes: 0 done; 2 bad input; 3 not possible here" in overview()
