"""The words of `policy` and `resume`, in this process: what is shown, and what is refused."""

from pathlib import Path

import msgspec
import pytest

from timellm_ops.cli.commands import run_command
from timellm_ops.cli.control import override_s
from timellm_ops.configfile import foreign_config, write_config
from timellm_ops.contract import events as ev
from timellm_ops.contract.layout import RunLayout
from timellm_ops.contract.telemetry import GpuSample, HostSample
from timellm_ops.journal import Journal

RUN = "20260131-214503-t-0000"


@pytest.fixture
def runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TIMELLM_RUNS_DIR", str(tmp_path / "runs"))
    return tmp_path / "runs"


@pytest.fixture
def layout(runs: Path) -> RunLayout:
    """A run whose supervisor is gone: hot, on battery, and overridden."""
    layout = RunLayout(runs / RUN)
    layout.root.mkdir(parents=True)
    layout.config.write_bytes(write_config(foreign_config("true", workdir=runs)))
    journal = Journal.open(layout.journal)
    happened: tuple[ev.Event, ...] = (
        ev.RunStarted(run_id=RUN, name="t", engine="foreign", gpu="nvml"),
        ev.EngineStarted(pid=7),
        ev.Telemetry(sample=GpuSample(source="nvml", temperature_c=86.0)),
        ev.HostTelemetry(sample=HostSample(on_battery=True, battery_pct=30.0)),
        ev.PolicyDecision(
            action="pause", rule="battery", reason="on battery", until="resumes on mains power"
        ),
        ev.RulesOverridden(who="dashboard", rules=("thermal",), for_s=60.0),
        ev.PolicyChanged(who="cli", settings=("policy.thermal.pause_above_c=83",)),
    )
    for i, event in enumerate(happened):
        journal.append(msgspec.structs.replace(event, t=float(i)))
    journal.close()
    return layout


def test_each_rule_is_shown_with_its_value_its_threshold_and_what_it_does_next(
    layout: RunLayout, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_command(["policy", "show"]) == 0
    shown = capsys.readouterr().out
    lines = [" ".join(line.split()) for line in reversed(shown.splitlines())]
    rows = {line.split()[0]: line for line in lines}
    assert "nobody supervises it now" in rows[f"{RUN}:"]
    assert rows["rule"] == "rule now threshold next"
    assert rows["thermal"].startswith("thermal overridden 86 °C 83 °C may not hold the run")
    assert rows["battery"] == "battery holding 30 % 50 % resumes on mains power"
    assert rows["power"] == "power off - - policy.power.limit_w is not set"
    assert "thermal hold overridden by the dashboard" in shown
    assert "changed under the run: policy.thermal.pause_above_c=83" in shown


def test_the_same_as_json(layout: RunLayout, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(["policy", "show", RUN, "--json"]) == 0
    page = msgspec.json.decode(capsys.readouterr().out)
    assert (page["schema"], page["run_id"], page["supervised"]) == (
        "timellm-ops.policy/1", RUN, False,
    )  # fmt: skip
    (thermal, *_) = page["rules"]
    assert (thermal["rule"], thermal["standing"]) == ("thermal", "overridden")
    assert (thermal["value"], thermal["threshold"]) == (86.0, 83.0)
    assert page["overrides"] == [{"rule": "thermal", "who": "dashboard", "until": None}]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["policy", "set"], "timellm-ops: KEY=VALUE: found nothing; expected a setting such as"),
        (["policy", "set", "latest"], "timellm-ops: KEY=VALUE: found nothing; expected"),
        (
            ["policy", "set", "policy.vram.enabled", "false"],
            "timellm-ops: policy.vram.enabled: found no value; expected policy.vram.enabled=VALUE",
        ),
        (["policy", "set", "policy.vram.enabled=false"], "no run"),
        (
            ["policy", "set", "latest", "x=1", "vram"],
            "found x, which is no key of a rule; expected",
        ),
        (["policy", "set", "policy.vram.enabled=1", "vram"], 'KEY=VALUE: found "vram"; expected'),
        (
            ["policy", "set", "pause_above_c=80"],
            'which is no key of a rule; expected "policy.thermal.pause_above_c" (did you mean it?)',
        ),
        (
            ["policy", "set", "governor.enabled=true"],
            'which is no key of a rule; expected "policy.governor.enabled" (did you mean it?)',
        ),
        (
            ["policy", "set", "policy.thermal.pause_abov_c=80"],
            'expected "policy.thermal.pause_above_c" (did you mean it?)',
        ),
        (["policy", "set", "policy.vram=80"], "a whole rule; expected one of its keys: enabled,"),
        (["policy", "set", "policy.heat.x=80"], "one of the rules thermal, power, vram, sharing,"),
        (["policy", "set", "train.epochs=80"], "train.epochs, which is fixed while the run lasts"),
        (["policy", "show"], "no run"),
        (["policy", "shwo"], "shwo"),
        (["resume", "--for", "soon"], "no run"),
    ],
)
def test_what_cannot_be_done_is_one_line(
    runs: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], words: str
) -> None:
    assert run_command(arguments) == 2
    error = capsys.readouterr().err
    assert words in error
    assert len(error.splitlines()) == 1


def test_rules_of_a_run_that_does_not_go_on_cannot_be_changed(
    layout: RunLayout, capsys: pytest.CaptureFixture[str]
) -> None:
    journal = Journal.open(layout.journal)
    journal.append(ev.RunEnded(outcome="stopped", exit_code=0, reason="as asked"))
    journal.close()
    assert run_command(["policy", "set", "latest", "policy.thermal.pause_above_c=80"]) == 2
    assert capsys.readouterr().err == (
        f"timellm-ops: {RUN} is not running, so its rules cannot be changed; in the next run:"
        " timellm-ops run CONFIG --set policy.thermal.pause_above_c=80\n"
    )


@pytest.mark.parametrize("text", ["soon", "25h", "0m", "45", "-5m", "2d", "m", "5m later"])
def test_a_time_that_is_none_is_refused_before_anybody_is_asked(
    layout: RunLayout, capsys: pytest.CaptureFixture[str], text: str
) -> None:
    assert run_command(["resume", f"--for={text}"]) == 2
    assert f'--for: found "{text}"; expected a time of at most 24h' in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("45m", 2700), ("2h", 7200), ("1h30m", 5400), ("90s", 90), ("1.5 h", 5400)],
)
def test_a_time_is_read_as_people_write_it(text: str, seconds: float) -> None:
    assert override_s(text) == seconds
