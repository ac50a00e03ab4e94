"""What a colour says: the same as the word beside it, in every state."""

from datetime import timedelta

import pytest
from rare_journals import RARE
from sample_journals import STATES, ZONE, Journal, Limits

from timellm_dashboard.lines import Line, Tone, clip, text_of
from timellm_dashboard.panels.epochs import draw_epochs
from timellm_dashboard.panels.gpu import draw_gpu, gpu_title
from timellm_dashboard.panels.header import draw_headline
from timellm_dashboard.panels.ledger import draw_ledger_line
from timellm_dashboard.panels.progress import draw_progress
from timellm_dashboard.panels.report import draw_report
from timellm_dashboard.panels.rules import draw_holds, draw_rules
from timellm_dashboard.reports.html import report_html
from timellm_dashboard.reports.report import build_report
from timellm_dashboard.viewmodel.look import Look
from timellm_dashboard.viewmodel.view import Recorder, View, view_of
from timellm_dashboard.words import format as fmt
from timellm_ops.cli.rules_shown import rules_under
from timellm_ops.contract import events as ev
from timellm_ops.contract.config import GpuSection, PolicySection

UNDER = rules_under(PolicySection(), GpuSection(), "UTC")
ENDED = ("finished", "failed", "stopped", "stopped_for_hardware", "refused")


def view(state: str, later_s: float = 2.0, *, supervised: bool | None = None) -> View:
    return view_after(
        {**STATES, **RARE}[state](), later_s, supervised=state not in ENDED, given=supervised
    )


def view_after(
    journal: Journal, later_s: float = 2.0, *, supervised: bool = True, given: bool | None = None
) -> View:
    return view_of(
        journal.records,
        now_t=journal.t + later_s,
        wall_now=journal.wall + timedelta(seconds=later_s),
        supervised=supervised if given is None else given,
        zone=ZONE,
        limits=lambda _: Limits(),
        rules=UNDER,
    )


def tones(rows: list[Line], of: str) -> set[Tone]:
    """Those of the pieces that have `of` in them."""
    found = {span.tone for row in rows for span in row if of in span.text}
    assert found, of
    return found


@pytest.mark.parametrize(
    ("state", "tone"),
    [("finished", "done"), ("stopped", "held"), ("failed", "bad"), ("stopped_for_hardware", "bad")],
)
def test_the_bar_of_a_run_that_has_ended_says_how_it_ended(state: str, tone: Tone) -> None:
    assert tones(draw_progress(view(state), 80), "━━") == {tone}


def test_the_ways_to_end_look_unlike_each_other_wherever_they_are_told() -> None:
    states = ("finished", "stopped", "stopped_for_hardware", "failed")
    seen = [view(state) for state in states]
    assert len({shown.headline.word for shown in seen}) == len(states)
    seen = [view(state) for state in states if state != "stopped_for_hardware"]
    for looks in (
        {shown.headline.word for shown in seen},
        {shown.headline.glyph for shown in seen},
        {shown.headline.mood for shown in seen},
        {draw_headline(shown, 80)[0][0].tone for shown in seen},
        {tuple(tones(draw_progress(shown, 80), "━━")) for shown in seen},
    ):
        assert len(looks) == len(seen)


@pytest.mark.parametrize("state", ["finished", "stopped", "failed", "stopped_for_hardware"])
def test_a_report_has_the_tone_of_how_the_run_ended(state: str) -> None:
    journal = {**STATES, **RARE}[state]()
    recorder = Recorder()
    recorder.take(journal.records)
    shown = view(state)
    made = build_report(shown, recorder.state, recorder.history, Look(zone=ZONE))
    told = f"{shown.headline.glyph} {shown.headline.word}"
    rows = draw_report(made, 80, titled=False)
    assert tones(rows, told) == {shown.headline.mood}
    assert tones(draw_report(made, 80), told) == {shown.headline.mood}
    page = report_html(made)
    assert f'<td class="{shown.headline.mood}">{told}</td>' in page
    assert f'<p class="headline {shown.headline.mood}">{told}' in page


@pytest.mark.parametrize("width", [36, 50, 80])
def test_that_a_card_is_simulated_is_said_once(width: int) -> None:
    shown = view("simulated")
    told = clip(gpu_title(shown, width), width) + "".join(map(text_of, draw_gpu(shown, width, 20)))
    assert told.count("simulated") == 1


@pytest.mark.parametrize(
    ("state", "supervised", "live"),
    [("training", True, True), ("training", False, False), ("finished", False, False)],
)
def test_an_age_that_no_longer_grows_is_not_shown(state: str, supervised: bool, live: bool) -> None:
    shown = view(state, supervised=supervised)
    ages = [row.value for row in shown.rules.rows if row.rule in ("telemetry", "health")]
    assert any(age is not None for age in ages) == live
    drawn = "\n".join(map(text_of, draw_rules(shown, 120)))
    assert ("watching" in drawn, "was on" in drawn) == (live, not live)
    assert ("last value" in drawn) != live


@pytest.mark.parametrize(
    ("state", "tone"),
    [("training", "good"), ("paused_thermal", "plain"), ("pausing", "held"), ("finished", "muted")],
)
def test_the_gauge_has_the_tone_of_the_temperature_above_it(state: str, tone: Tone) -> None:
    first, gauge, *_ = draw_gpu(view(state), 60, 12)
    assert first[0].tone == tone
    assert tones([gauge], "━━") == {tone}


def test_before_a_run_is_on_record_nothing_is_said_of_its_card() -> None:
    nothing = view_after(Journal())
    assert nothing.headline.state == "waiting"
    assert nothing.gpu.telemetry == "waiting"
    rows = draw_gpu(nothing, 60, 12)
    assert "no GPU" not in "\n".join(map(text_of, rows))
    assert tones(rows, "no reading yet") == {"muted"}
    assert tones(rows, "unknown") == {"muted"}


def test_an_old_reading_is_a_warning_only_while_the_run_goes_on() -> None:
    assert tones(draw_gpu(view("finished"), 60, 12), "last reading") == {"muted"}
    alone = draw_gpu(view("training", supervised=False), 60, 12)
    assert tones(alone, "last reading") == {"held"}


def test_the_chart_of_the_temperature_shows_its_peak() -> None:
    rows = draw_gpu(view("stopped_for_hardware"), 66, 20)
    top = next(row for row in rows if text_of(row).strip().startswith("97│"))
    assert tones([top], top[-1].text) == {"accent"}


def test_a_rule_that_has_told_you_of_what_is_so_now_is_not_said_to_be_well() -> None:
    journal = STATES["training"]()
    rows = draw_rules(view_after(journal, 600.0), 120)
    assert tones(rows, "! told you") == {"held"}
    assert tones(draw_rules(view_after(journal, 2.0), 120), "✓ watching") == {"good"}


@pytest.mark.parametrize(("state", "supervised"), [("finished", False), ("training", False)])
def test_where_no_rule_acts_none_is_green(state: str, supervised: bool) -> None:
    rows = draw_rules(view(state, supervised=supervised), 120)
    assert "good" not in {span.tone for row in rows for span in row}


def test_that_nothing_holds_a_silent_run_is_no_good_news() -> None:
    silent = view_after(STATES["training"](), 600.0)
    assert silent.headline.state == "silent"
    assert tones(draw_holds(silent, 80, 3), "Nothing holds") == {"strong"}
    assert tones(draw_holds(view("training"), 80, 3), "Nothing holds") == {"good"}


def test_without_a_temperature_no_rule_claims_to_know_one() -> None:
    shown = view("telemetry_unknown")
    assert shown.gpu.temperature.value is None
    known = {row.rule: row.value_text for row in shown.rules.rows}
    assert {known[rule] for rule in ("thermal", "governor", "vram")} == {"—"}


def test_a_small_loss_of_time_is_told_without_a_warning() -> None:
    (little,) = draw_ledger_line(view("paused_thermal"), 80)
    assert little.tone == "plain"
    journal = STATES["paused_thermal"]()
    journal.add(ev.Resumed(), 600.0)
    (much,) = draw_ledger_line(view_after(journal), 80)
    assert much.tone == "held"


@pytest.mark.parametrize(("state", "supervised"), [("starting", True), ("training", False)])
def test_the_note_of_a_report_warns_only_of_what_is_wrong(state: str, supervised: bool) -> None:
    journal = STATES[state]()
    recorder = Recorder()
    recorder.take(journal.records)
    shown = view_after(journal, supervised=supervised)
    made = build_report(shown, recorder.state, recorder.history, Look(zone=ZONE))
    (first, *_), *_ = draw_report(made, 80, titled=False)
    assert first.text.startswith(made.note[:20])
    assert first.tone == ("muted" if supervised else "held")


def test_a_share_that_is_not_nothing_is_not_written_as_nothing() -> None:
    assert [fmt.portion(share) for share in (0.0, 0.001, 0.01, 0.5)] == [
        "0 %", "<1 %", "1 %", "50 %",
    ]  # fmt: skip


def test_a_share_is_the_same_with_a_decimal_and_without_and_all_of_it_is_all() -> None:
    shares = (0.0497, 0.145, 0.994, 0.996, 1.0)
    assert [fmt.portion(share) for share in shares] == ["5 %", "14 %", "99 %", "99 %", "100 %"]


def test_a_run_that_has_ended_is_told_of_without_a_yet() -> None:
    over, going = view("refused"), view("starting")
    assert over.loss.absent == "no loss reported"
    assert going.loss.absent == "no loss yet"
    assert text_of(draw_epochs(over, 40, 5)[0]) == "no epoch ended"
    assert text_of(draw_epochs(going, 40, 5)[0]) == "no epoch has ended yet"
