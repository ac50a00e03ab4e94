"""What is typed where a key of the chosen rule is asked for."""

import pytest

from timellm_dashboard.viewmodel.rules import setting_of

THERMAL = ("policy.thermal.pause_above_c=85", "policy.thermal.resume_below_c=75")


@pytest.mark.parametrize(
    ("typed", "settings", "meant"),
    [
        ("pause_above_c=83", THERMAL, "policy.thermal.pause_above_c=83"),
        (" resume_below_c = 70 ", THERMAL, "policy.thermal.resume_below_c = 70"),
        ("policy.disk.enabled=false", THERMAL, "policy.disk.enabled=false"),
        ("pause_above_c=83.5", THERMAL, "policy.thermal.pause_above_c=83.5"),
        ("pause_above_c", THERMAL, "pause_above_c"),
        ("pause_above_c=83", (), "pause_above_c=83"),
    ],
)
def test_a_key_by_itself_is_one_of_the_chosen_rule(
    typed: str, settings: tuple[str, ...], meant: str
) -> None:
    assert setting_of(typed, settings) == meant
