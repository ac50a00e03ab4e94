"""`policy` and `resume --for` on whole runs: command line, supervisor, engine, each a process."""

import msgspec
import pytest
from conftest import TINY, Shell, kill_supervisor

from timellm_ops.contract import events as ev
from timellm_ops.contract.state import RunState
from timellm_ops.journal import read_records
from timellm_ops.process.identity import is_alive

pytestmark = pytest.mark.slow

LONG = TINY.replace("epochs = 2", "epochs = 400").replace("[gpu]", "patience = 400\n\n[gpu]")
OVEN = LONG.replace(
    'probe = "none"',
    """probe = "simulated"
poll_s = 0.1

[gpu.simulated]
time_scale = 600.0
ambient_c = 80.0
load_power_w = 40.0

[host]
poll_s = 1.0

[policy.thermal]
min_dwell_s = 0.0
""",
)
"""A room in which no card can cool below 75 °C: a run that is paused for heat stays so."""


def begin(shell: Shell, text: str) -> None:
    shell.write("run.toml", text)
    done = shell("run", "run.toml", "--detach")
    assert done.code == 0, done


def moves(shell: Shell) -> list[tuple[str, str]]:
    events = [record.event for record in read_records(shell.run.journal)]
    return [(e.rule, e.action) for e in events if isinstance(e, ev.PolicyDecision)]


def held_by(state: RunState) -> list[str]:
    return [hold.rule for hold in state.holds]


def test_a_run_goes_on_against_a_rule_under_other_thresholds_and_another_supervisor(
    shell: Shell,
) -> None:
    begin(shell, OVEN)
    stood = shell.until(lambda state: state.standing and held_by(state) == ["thermal"])

    resumed = shell("resume", "--for", "45m")
    assert resumed.code == 0
    assert "overridden for 45 min: the thermal hold" in resumed.out
    moved = shell.until(lambda state: state.step > stood.step)
    assert moved.overrides[0].who == "cli"

    changed = shell("policy", "set", "policy.disk.margin_mib=1e9")
    assert changed.code == 0, changed
    assert "from here on: policy.disk.margin_mib=1e9" in changed.out
    full = shell.until(lambda state: state.standing and held_by(state) == ["disk"])
    assert "make room" in full.notices[-1].message

    kill_supervisor(shell)
    again = shell("policy", "set", shell.run.run_id, "policy.thermal.pause_above_c=140")
    assert again.code == 0, again
    state = shell.until(lambda state: state.supervisor_pid == shell.supervisor().process.pid)
    assert held_by(state) == ["disk"]
    assert state.policy_settings == (
        "policy.disk.margin_mib=1e9", "policy.thermal.pause_above_c=140",
    )  # fmt: skip

    told = msgspec.json.decode(shell("policy", "show", "--json").out)
    assert told["schema"] == "timellm-ops.policy/1"
    rules = {rule["rule"]: rule for rule in told["rules"]}
    assert rules["disk"]["standing"] == "holding"
    assert rules["thermal"]["standing"] == "overridden", "as the supervisor before was told"
    assert told["changed"] == list(state.policy_settings)

    assert shell("policy", "set", "policy.disk.margin_mib=0").code == 0
    shell.until(lambda state: not state.holds and state.step > full.step)
    assert moves(shell) == [
        ("thermal", "pause"), ("disk", "pause"), ("disk", "alert"), ("disk", "resume"),
    ]  # fmt: skip


DIVERGES = r"""
import time
for i in range(100, 100_000, 100):
    loss = 0.5 if i < 300 else float("nan")
    print(f"\titers: {i}, epoch: 1 | loss: {loss:.7f}")
    print("\tspeed: 0.0010s/iter; left time: 99.0000s", flush=True)
    time.sleep(0.1)
"""


def test_a_script_that_diverges_is_ended_and_the_run_has_failed(shell: Shell) -> None:
    shell.write("script.py", DIVERGES)
    done = shell("run", "--engine-command", "python3 script.py", "--gpu", "none", "--plain")
    assert done.code == 4, done
    state = shell.state()
    assert state.outcome == "failed"
    assert state.end_reason.startswith("the loss is nan in epoch 1")
    assert state.iteration < 10_000, "it was not left to go on"
    record = shell.engine()
    assert not is_alive(record.process)
