"""Keys of [policy] that do not go together: one line says which, and what would be right."""

from typing import Any

import pytest

from timellm_ops.contract.validation import ConfigError, parse_config


def parse(section: str, gpu: dict[str, Any] | None = None, **keys: object) -> None:
    tables = {"data": {"dataset": "ETTh1"}, "gpu": gpu or {}, "policy": {section: keys}}
    parse_config(tables, "my.toml")


@pytest.mark.parametrize(
    ("section", "keys", "message"),
    [
        ("power", {"limit_w": 0}, "policy.power.limit_w: found 0; expected a number above 0"),
        (
            "power",
            {"limit_w": 90, "mean_over_s": 601},
            "mean_over_s: found 601; expected at most 600",
        ),
        ("power", {"limit_w": 90, "mean_over_s": 1}, "mean_over_s: found 1; expected at least 2"),
        ("vram", {"alert_above_pct": 101}, "expected a number above 0 and of at most 100"),
        ("sharing", {"action": "kill"}, 'expected one of "off", "alert", "pause"'),
        ("health", {"stall_stop_after_s": 60}, "at least policy.health.stall_min_s (180)"),
        ("battery", {"resume_above_pct": 40}, "at least policy.battery.pause_below_pct (50)"),
        ("schedule", {"quiet_from": "22:30"}, "quiet_until: found nothing; expected a time"),
        ("schedule", {"quiet_until": "22:30"}, "quiet_from: found nothing; expected a time"),
        ("schedule", {"quiet_from": "7:00"}, 'found "7:00"; expected a text of the form 22:30'),
        ("schedule", {"quiet_from": "07:00", "quiet_until": "07:00"}, "another time than"),
        ("schedule", {"timezone": "Berlin"}, 'such as "Europe/Berlin"'),
        ("schedule", {"deadline": "tomorrow"}, 'such as "2026-02-01 07:00"'),
        ("disk", {"margin_mib": -1}, "policy.disk.margin_mib: found -1; expected a number of at"),
    ],
)
def test_what_does_not_go_together_is_refused(
    section: str, keys: dict[str, object], message: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        parse(section, **keys)
    assert message in str(caught.value)
    assert str(caught.value).startswith(f"my.toml: policy.{section}.")
    assert str(caught.value).isprintable()


def test_what_goes_together_is_taken() -> None:
    parse("power", {"poll_s": 2.0}, limit_w=90, mean_over_s=1200)
    parse("power", mean_over_s=5000)
    parse("battery", pause_below_pct=40, resume_above_pct=40)
    parse("schedule", quiet_from="22:30", quiet_until="07:00", timezone="Asia/Shanghai")
    parse("schedule", deadline="2026-02-01 07:00")
