"""The rules of a run: as its config has them, with what was changed under it."""

import pytest

from timellm_ops.contract.config import GpuSection, PolicySection, ScheduleSection
from timellm_ops.supervisor.rules_in_force import policy_in_force

GPU = GpuSection()


def test_what_was_changed_under_the_run_is_in_force() -> None:
    found = policy_in_force(PolicySection(), GPU, ("policy.thermal.pause_above_c=83",))
    assert found.thermal.pause_above_c == 83.0


@pytest.mark.parametrize("setting", ["policy.thermal.of_another_version=3", "policy.battery=no"])
def test_what_is_not_right_any_more_leaves_the_config_in_force(setting: str) -> None:
    """A run must not end of a journal that another version of this program has written."""
    policy = PolicySection()
    settings = ("policy.thermal.pause_above_c=83", setting)
    assert policy_in_force(policy, GPU, settings, "UTC").thermal == policy.thermal


@pytest.mark.parametrize(
    ("given", "zone"), [("", "Asia/Shanghai"), ("Europe/Berlin", "Europe/Berlin")]
)
def test_a_schedule_without_a_time_zone_is_of_the_machines_own(given: str, zone: str) -> None:
    policy = PolicySection(schedule=ScheduleSection(timezone=given))
    assert policy_in_force(policy, GPU, (), "Asia/Shanghai").schedule.timezone == zone
