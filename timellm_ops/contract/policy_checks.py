"""What must hold across the keys of `[policy]`, besides what each key says of itself."""

from collections.abc import Iterator

from timellm_ops.contract.config import GovernorSection, GpuSection, PolicySection
from timellm_ops.contract.localtime import moment_of, zone_of
from timellm_ops.contract.policy_sections import (
    BatterySection,
    HealthSection,
    PowerSection,
    ScheduleSection,
)

SET_POINT_MARGIN_C = 2.0
"""The least distance, in °C, of a set point from the temperature that pauses."""
KEPT_READINGS = 600
"""Readings of the GPU that are kept for the rules; at one a second, ten minutes."""

Broken = tuple[str, str, str]
"""The key, what was found, and what was expected."""


def policy_checks(policy: PolicySection, gpu: GpuSection) -> Iterator[Broken]:
    """Every rule that is broken."""
    yield from _governor(policy.governor, policy.thermal.pause_above_c)
    yield from _power(policy.power, gpu)
    yield from _health(policy.health)
    yield from _battery(policy.battery)
    yield from _schedule(policy.schedule)


def _governor(governor: GovernorSection, pause_c: float) -> Iterator[Broken]:
    """What is held by pace must be below what pauses."""
    set_point_c = governor.set_point_c
    if set_point_c is not None and set_point_c > pause_c - SET_POINT_MARGIN_C:
        yield (
            "policy.governor.set_point_c",
            f"{set_point_c:g}",
            (
                f"at most {pause_c - SET_POINT_MARGIN_C:g}, {SET_POINT_MARGIN_C:g} °C below"
                " policy.thermal.pause_above_c, or readings of whole degrees would pause the run"
            ),
        )


def _power(power: PowerSection, gpu: GpuSection) -> Iterator[Broken]:
    longest_s = KEPT_READINGS * gpu.poll_s
    if power.limit_w is not None and power.mean_over_s > longest_s:
        yield (
            "policy.power.mean_over_s",
            f"{power.mean_over_s:g}",
            f"at most {longest_s:g}, which is {KEPT_READINGS} readings at gpu.poll_s",
        )
    if power.limit_w is not None and power.mean_over_s < 2 * gpu.poll_s:
        yield (
            "policy.power.mean_over_s",
            f"{power.mean_over_s:g}",
            f"at least {2 * gpu.poll_s:g}, which is two readings at gpu.poll_s",
        )


def _health(health: HealthSection) -> Iterator[Broken]:
    if health.stall_stop_after_s < health.stall_min_s:
        yield (
            "policy.health.stall_stop_after_s",
            f"{health.stall_stop_after_s:g}",
            f"at least policy.health.stall_min_s ({health.stall_min_s:g})",
        )


def _battery(battery: BatterySection) -> Iterator[Broken]:
    if battery.resume_above_pct < battery.pause_below_pct:
        yield (
            "policy.battery.resume_above_pct",
            f"{battery.resume_above_pct:g}",
            f"at least policy.battery.pause_below_pct ({battery.pause_below_pct:g})",
        )


def _schedule(schedule: ScheduleSection) -> Iterator[Broken]:
    begins, ends = schedule.quiet_from, schedule.quiet_until
    if bool(begins) != bool(ends):
        missing, given = ("from", "until") if ends else ("until", "from")
        yield (
            f"policy.schedule.quiet_{missing}",
            "nothing",
            f"a time such as 22:30, since policy.schedule.quiet_{given} is given",
        )
    elif begins and begins == ends:
        yield (
            "policy.schedule.quiet_until",
            f'"{ends}"',
            "another time than policy.schedule.quiet_from, or the run would never move",
        )
    if schedule.timezone and zone_of(schedule.timezone) is None:
        yield (
            "policy.schedule.timezone",
            f'"{schedule.timezone}"',
            'the name of a time zone, such as "Europe/Berlin" or "Asia/Shanghai"; or ""',
        )
    elif schedule.deadline and moment_of(schedule.deadline, schedule.timezone) is None:
        yield (
            "policy.schedule.deadline",
            f'"{schedule.deadline}"',
            'a day and a time, such as "2026-02-01 07:00"; or ""',
        )
