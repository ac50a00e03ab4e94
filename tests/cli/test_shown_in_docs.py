"""What the documentation shows of a command is what the command says."""

import re
import shlex
from pathlib import Path

import pytest
from conftest import Shell

ROOT = Path(__file__).parents[2]
PAGES = ["plan.md", "plan.zh-CN.md", "explain.md", "explain.zh-CN.md"]
"""Those whose examples say nothing of the machine."""


@pytest.mark.parametrize("page", PAGES)
def test_examples_are_what_the_command_says(shell: Shell, page: str) -> None:
    (shell.folder / "configs").symlink_to(ROOT / "configs")
    text = (ROOT / "docs" / page).read_text(encoding="utf-8")
    shown = re.findall(r"^```\n\$ timellm-ops (.*)\n([^`]*)^```$", text, flags=re.MULTILINE)
    assert shown
    for command, expected in shown:
        done = shell(*shlex.split(command))
        assert (done.code, done.out) == (0, expected)
