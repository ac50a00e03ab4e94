"""Secrets of the environment do not get into what a run leaves behind."""

import pytest
from conftest import Shell

from timellm_ops.contract import events as ev
from timellm_ops.journal import read_records

pytestmark = pytest.mark.slow

TOKEN = "hf_" + "Zz9" * 11
PASSWORD = "open, sesame!"


def test_no_record_of_a_run_holds_a_token_or_a_password(
    shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    monkeypatch.setenv("DB_PASSWORD", PASSWORD)
    command = f'echo "{TOKEN}" >/dev/null; echo "401 for $HF_TOKEN and $DB_PASSWORD"; exit 3'
    done = shell("run", "--engine-command", command, "--gpu", "none", "--plain")
    assert done.code == 4, done
    state, layout = shell.state(), shell.run
    assert "401 for *** and ***" in state.end_reason
    (started,) = [
        r.event for r in read_records(layout.journal) if isinstance(r.event, ev.RunStarted)
    ]
    assert "echo" in started.command
    for path in (layout.journal, layout.manifest, layout.supervisor_log):
        text = path.read_text(encoding="utf-8")
        assert TOKEN not in text, path.name
        assert PASSWORD not in text, path.name
