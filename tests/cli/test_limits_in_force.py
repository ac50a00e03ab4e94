"""What is done about heat in a run, as its screens are told: by its config and by its card."""

from collections.abc import Sequence

import pytest
from conftest import TINY, Shell
from msgspec.structs import replace
from written_runs import own_run, script_run

from timellm_dashboard.viewmodel.look import ThermalLimits
from timellm_ops.cli.thermal import limits_of
from timellm_ops.contract.layout import RunLayout
from timellm_ops.contract.state import PowerControl, RunState
from timellm_ops.contract.telemetry import GpuSample

LIMITED = PowerControl(found_w=115.0, limit_w=115.0, lowest_w=60.0, highest_w=130.0)


def in_force(layout: RunLayout, state: RunState | None = None) -> ThermalLimits:
    limits = limits_of(layout)
    assert limits is not None
    found = limits(RunState() if state is None else state)
    assert found is not None
    return found


def configured(shell: Shell, *lines: str) -> RunLayout:
    return own_run(shell.store, shell.write("run.toml", "\n".join((TINY, *lines))))


def test_by_default_rests_hold_the_card_below_the_pause(shell: Shell) -> None:
    found = in_force(configured(shell))
    assert (found.held_c, found.pause_above_c, found.resume_below_c) == (82.0, 85.0, 75.0)
    assert (found.least_pause_s, found.lowest_pace) == (30.0, 0.2)


def test_a_card_of_lower_limits_is_held_lower(shell: Shell) -> None:
    state = RunState(sample=GpuSample(source="nvml", slowdown_c=83.0))
    found = in_force(configured(shell), state)
    assert (found.held_c, found.pause_above_c) == (75.0, 78.0)


@pytest.mark.parametrize(
    ("lines", "power", "held_c"),
    [
        (("enabled = false",), None, None),
        (('actuator = "power"',), LIMITED, None),
        (('actuator = "power"',), replace(LIMITED, refused=True), 82.0),
        (('actuator = "auto"',), None, 82.0),
        (("set_point_c = 70.0",), LIMITED, 70.0),
    ],
    ids=["off", "power", "power_refused", "no_power_limit", "set_point"],
)
def test_only_rests_hold_it_by_rests(
    shell: Shell, lines: Sequence[str], power: PowerControl | None, held_c: float | None
) -> None:
    layout = configured(shell, "[policy.governor]", *lines)
    assert in_force(layout, RunState(power=power)).held_c == held_c


def test_what_is_changed_under_the_run_counts(shell: Shell) -> None:
    state = RunState(policy_settings=("policy.governor.enabled=false",))
    assert in_force(configured(shell), state).held_c is None


def test_a_script_that_may_not_be_stopped_for_moments_is_held_by_nothing(shell: Shell) -> None:
    layout = script_run(shell.store, shell.folder)
    assert in_force(layout, RunState(engine="foreign")).held_c is None
