"""Secrets of the environment do not get into what a run leaves behind."""

import signal

import pytest
from conftest import PATIENCE_S, TINY, Shell, kill_supervisor, moves

from timellm_ops.contract import events as ev
from timellm_ops.journal import read_records
from timellm_ops.process.identity import send_signal

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


def test_a_supervisor_that_adopts_masks_the_secrets_of_the_engine_it_has_found(
    shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may have been started from a terminal that knows none of them."""
    monkeypatch.setenv("DB_PASSWORD", PASSWORD)
    command = 'until [ -e go ]; do sleep 0.1; done; echo "401 for $DB_PASSWORD"; exit 3'
    args = ("run", "--engine-command", command, "--gpu", "none", "--detach")
    assert shell(*args).code == 0
    before = shell.until(lambda state: state.engine_pid is not None).supervisor_pid
    kill_supervisor(shell)
    monkeypatch.delenv("DB_PASSWORD")
    client = shell.start("attach", "--plain", output=shell.folder / "out")
    shell.until(lambda state: state.supervisor_pid != before)
    shell.write("go", "")
    assert client.wait(PATIENCE_S) == 4
    assert "401 for ***" in shell.state().end_reason
    assert PASSWORD not in shell.run.journal.read_text(encoding="utf-8")
    assert PASSWORD not in (shell.folder / "out").read_text(encoding="utf-8")


def test_an_engine_that_is_started_again_masks_as_the_first_one_did(
    shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every path that it names holds the secret."""
    secret = shell.folder.name
    monkeypatch.setenv("DB_PASSWORD", secret)
    config = TINY.replace("epochs = 2", "epochs = 40\npatience = 40")
    shell.write("run.toml", f"{config}\n[supervisor]\nrestart_after_s = 0.1\n")
    assert shell("run", "run.toml", "--detach").code == 0
    shell.until(lambda state: state.last is not None)
    layout = shell.run
    told = layout.engine_events.stat().st_size, layout.engine_log.stat().st_size
    assert send_signal(shell.engine().process, signal.SIGKILL)
    again = shell.until(lambda state: state.restarts == 1 and moves(state))
    shell.until(lambda state: state.best is not None and state.step > again.step + 100)
    assert shell("stop", "--wait").code == 0
    for path, begins in zip((layout.engine_events, layout.engine_log), told, strict=True):
        by_the_second = path.read_bytes()[begins:].decode()
        assert "/***/runs/" in by_the_second, path.name
        assert secret not in by_the_second, path.name
    assert secret not in layout.journal.read_text(encoding="utf-8")
