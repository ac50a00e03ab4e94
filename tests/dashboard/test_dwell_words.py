"""Where a pause is told of, the time that it lasts at least is told with it, while it matters."""

import pytest
from sample_journals import Journal, in_second_epoch, sample
from test_view import view

from timellm_dashboard.words.phrases import said
from timellm_ops.contract import events as ev


def paused(expected_s: float | None = None) -> Journal:
    journal = in_second_epoch()
    journal.add(
        ev.PolicyDecision(
            action="pause", rule="thermal", reason="86 °C > 85 °C in 3 of the last 5 readings",
            until="resumes below 75 °C", expected_s=expected_s, least_s=30.0,
        )
    )  # fmt: skip
    return journal.add(ev.Paused(), 0.4)


@pytest.mark.parametrize("expected_s", [None, 30.0])
def test_the_headline_counts_it_down_and_drops_it(expected_s: float | None) -> None:
    line = view(paused(expected_s), 3.0).headline.line
    assert line.endswith("resumes below 75 °C, in 27 s at the earliest")
    assert view(paused(expected_s), 31.0).headline.line.endswith("resumes below 75 °C")


def test_a_pause_that_is_expected_to_last_longer_says_that_instead() -> None:
    hot = ev.Telemetry(sample=sample(84.0))
    line = view(paused(200.0).add(hot), 3.0).headline.line
    assert line.endswith("resumes below 75 °C, about 3 min")


def test_the_rules_and_the_feed_say_it_too() -> None:
    shown = view(paused(), 3.0)
    assert [hold.until for hold in shown.rules.holds] == [
        "resumes below 75 °C, in 27 s at the earliest"
    ]
    assert any("resumes below 75 °C, in 30 s at the earliest" in line.text for line in shown.feed)


def test_it_is_said_in_chinese() -> None:
    assert (
        said("resumes below 75 °C, in 27 s at the earliest", "zh")
        == "低于 75 °C 时恢复，最早 27 秒后"
    )
    blind = "resumes when the temperature is known and below 75 °C, in 3 s at the earliest"
    assert said(blind, "zh") == "温度已知且低于 75 °C 时恢复，最早 3 秒后"
    assert (
        said("resumes below 90 W, in 3 s at the earliest", "zh") == "低于 90 W 时恢复，最早 3 秒后"
    )
