"""The report: the same in text, HTML and JSON; complete, escaped, and dependent on nothing."""

import json
import math
import re
from datetime import timedelta
from html.parser import HTMLParser

import msgspec
import pytest
from sample_journals import (
    BOOT_T,
    EPOCHS,
    START,
    STATES,
    STEPS,
    ZONE,
    Journal,
    Limits,
    in_second_epoch,
    paused_thermal,
    sample,
    train,
    training,
)

from timellm_dashboard.lines import text_of, width_of
from timellm_dashboard.moment import Moment
from timellm_dashboard.panels.report import draw_report, draw_report_to_fit, report_page
from timellm_dashboard.reports.html import report_html
from timellm_dashboard.reports.parts import Extras
from timellm_dashboard.reports.report import Report, build_report, report_json
from timellm_dashboard.viewmodel.look import Look
from timellm_dashboard.viewmodel.view import Recorder
from timellm_dashboard.words.report import EN, ZH, ReportWords
from timellm_dashboard.words.text import Lang
from timellm_ops.contract import events as ev
from timellm_ops.contract.evaluation import BaselineScore, Computed, Evaluation, Recorded

ENDED = ("finished", "failed", "stopped", "imported")
EVALUATION = Evaluation(
    run_id="r", split="test", checkpoint="best", epoch=2, iteration=STEPS, whole_epoch=True,
    seq_len=512, pred_len=96, windows=19_495, mse=0.3697, mae=0.3982, variables=(), by_step=(),
    baselines=(
        BaselineScore(name="last value", detail="", mse=1.294, mae=0.713),
        BaselineScore(name="seasonal", detail="no season is known"),
    ),
    digest="ab", computed=Computed(batch_size=256, device="cuda", threads=2, torch="2.13"),
    seconds=4.0, best_baseline="last value", skill=0.71,
    recorded=Recorded(mse=0.3697, mae=0.3982, agrees=True),
)  # fmt: skip


def report_of(
    journal: Journal,
    *,
    lang: Lang = "en",
    ascii_only: bool = False,
    supervised: bool = True,
    extras: Extras | None = None,
) -> Report:
    recorder = Recorder()
    recorder.take(journal.records)
    look = Look(lang=lang, zone=ZONE, ascii_only=ascii_only, limits=lambda _: Limits())
    moment = Moment(t=journal.t + 2.0, wall=journal.wall + timedelta(seconds=2.0),
                    supervised=supervised)  # fmt: skip
    view = recorder.view(moment, look)
    return build_report(view, recorder.state, recorder.history, look, extras)


def report(state: str, **kind: object) -> Report:
    return report_of(STATES[state](), supervised=state not in ENDED, **kind)  # type: ignore[arg-type]


def value(made: Report, section: str, row: str, cell: int = 1) -> object:
    found = made.section(section)
    assert found is not None, section
    return next(r for r in found.rows if r.id == row).cells[cell].value


class Page(HTMLParser):
    """Collects what a page has: tags, texts, attributes; checks that tags are closed in order."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.texts: list[str] = []
        self.attributes: list[str] = []
        self._open: list[str] = []
        self.feed(text)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [content or "" for _, content in attrs]
        if tag != "meta":
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [content or "" for _, content in attrs]

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


def test_a_finished_run_in_numbers() -> None:
    made = report("finished", extras=Extras(evaluations=(EVALUATION,)))
    assert (made.outcome, made.exit_code, made.ended) == ("finished", 0, True)
    assert value(made, "outcome", "epochs") == 3
    assert value(made, "outcome", "steps") == EPOCHS * STEPS
    assert value(made, "results", "best_epoch") == 2
    assert value(made, "results", "final_test") == 0.3697
    assert value(made, "gpu", "peak_temperature_c") == 73.0
    assert value(made, "gpu", "energy_kwh") == pytest.approx(
        42_000 * EPOCHS * STEPS / 3.6e9, rel=0.01
    )
    assert value(made, "evaluations", "evaluation_1_last value", 2) == 1.294
    assert value(made, "evaluations", "evaluation_1_recorded", 2) == 0.3697
    baselines = made.section("evaluations")
    assert baselines is not None
    assert len(baselines.rows) == 3, "a baseline that cannot forecast has no numbers"
    chinese = report("finished", extras=Extras(evaluations=(EVALUATION,)), lang="zh")
    assert "最后一个值" in [row.cells[1].text for row in chinese.section("evaluations").rows]


def test_pauses_are_counted_by_rule_with_their_time() -> None:
    journal = paused_thermal().add(ev.Resumed(), 100.0)
    train(journal, 2, 1_220, 1_300)
    journal.add(ev.Command(who="dashboard", what="pause"), 1.0)
    journal.add(ev.Command(who="dashboard", what="resume"))
    made = report_of(journal)
    assert value(made, "pauses", "pauses_thermal") == 1
    assert value(made, "pauses", "pauses_thermal", 2) == 120.0
    assert made.charts.pauses[0].rule == "thermal"
    assert made.charts.pauses[0].end_s is not None
    length = made.charts.pauses[0].end_s - made.charts.pauses[0].start_s
    assert length == pytest.approx(120.0)


def test_two_rules_each_have_their_own_row() -> None:
    journal = in_second_epoch()
    for rule, seconds in (("thermal", 60.0), ("disk", 30.0), ("thermal", 15.0)):
        journal.add(ev.PolicyDecision(action="pause", rule=rule, reason="x"), 5.0)
        journal.add(ev.Paused())
        journal.add(ev.PolicyDecision(action="resume", rule=rule, reason="y"), seconds)
        journal.add(ev.Resumed())
    made = report_of(journal)
    assert [value(made, "pauses", f"pauses_{r}", 2) for r in ("thermal", "disk")] == [75.0, 30.0]
    assert value(made, "pauses", "pauses_thermal") == 2


def test_time_slowed_by_heat_is_counted_and_never_made_up() -> None:
    hot = sample(88.0, throttle_reasons=("sw_thermal_slowdown",))
    journal = training().add(ev.Telemetry(sample=hot), 10.0)
    journal.add(ev.Telemetry(sample=sample(70.0)), 45.0).add(ev.Telemetry(sample=sample(70.0)), 9.0)
    assert value(report_of(journal), "gpu", "throttled_s") == 45.0
    silent = Journal()
    for record in training().records:
        if not isinstance(record.event, ev.Telemetry):
            silent.records.append(record)
    silent.add(ev.Telemetry(sample=sample(70.0, throttle_reasons=None)), 1.0)
    made = report_of(silent)
    assert value(made, "gpu", "throttled_s") is None
    assert "slowed by heat    unknown" in report_page(made, 90)


def test_a_failed_run_shows_its_last_lines_and_how_to_go_on() -> None:
    extras = Extras(
        last_lines=("Traceback (most recent call last):", "torch: out of memory\x1b[0m")
    )
    made = report("failed", extras=extras)
    text = report_page(made, 90)
    assert "torch: out of memory" in text
    assert "\x1b" not in text
    assert "timellm-ops run --resume 20260131-214503-etth1-7f3a" in text
    assert report("finished", extras=extras).section("last_lines") is None


def test_what_has_slowed_it_down_is_the_ledger_of_the_view() -> None:
    journal = STATES["paused_thermal"]()
    recorder = Recorder()
    recorder.take(journal.records)
    moment = Moment(t=journal.t, wall=journal.wall, supervised=True)
    rows = recorder.view(moment, Look()).ledger.rows
    section = report("paused_thermal").section("ledger")
    assert section is not None
    assert [row.id for row in section.rows] == [f"ledger_{row.cause}" for row in rows]
    assert report("first_steps").section("ledger") is None


def test_a_run_that_never_paused_says_so() -> None:
    assert "never paused" in report_page(report("training"), 90)


@pytest.mark.parametrize("state", ["training", "starting"])
def test_of_a_run_under_way_there_is_what_there_is_so_far(state: str) -> None:
    made = report(state)
    assert made.title == "Report of etth1, so far"
    assert not made.ended
    assert "timellm-ops attach" in report_page(made, 90)
    assert (state == "starting") == ("no epoch has ended yet" in made.note)


def cells(made: Report) -> list[str]:
    rows = [cell.text for section in made.sections for row in section.rows for cell in row.cells]
    return rows + [text for section in made.sections for text in (section.title, *section.lines)]


@pytest.mark.parametrize("state", sorted(STATES))
def test_text_html_and_json_say_the_same(state: str) -> None:
    made = report(state, extras=Extras(evaluations=(EVALUATION,), last_lines=("bye",)))
    document = json.loads(report_json(made))
    page = Page(report_html(made))
    shown = "\n".join(page.texts)
    text = " ".join(report_page(made, 400).split())
    for cell in cells(made):
        flat = " ".join(cell.split())
        assert flat in text
        assert flat in " ".join(shown.split())
    assert msgspec.convert({k: v for k, v in document.items() if k != "schema"}, Report) == (
        msgspec.convert(json.loads(msgspec.json.encode(made)), Report)
    )


@pytest.mark.parametrize("state", sorted(STATES))
@pytest.mark.parametrize("lang", ["en", "zh"])
def test_the_page_needs_nothing_from_anywhere(state: str, lang: Lang) -> None:
    text = report_html(report(state, lang=lang))
    page = Page(text)
    assert not {"script", "link", "img", "iframe", "object"} & set(page.tags)
    assert not re.search(r"https?:|//|url\(|@import|javascript:", text.replace("</", "<"))
    assert "prefers-color-scheme: dark" in text
    assert not any("nan" in a.lower() or "inf" in a.lower() for a in page.attributes if "," in a)


def test_the_page_of_a_run_has_its_three_plots_with_limits_and_pauses() -> None:
    made = report_of(paused_thermal())
    text = report_html(made)
    assert text.count("<svg") == 3
    assert "paused: thermal" in text
    assert "85 pauses" in text
    assert "epoch 1" in text


def test_a_loss_that_diverged_still_has_a_page() -> None:
    journal = training()
    for iteration, loss in ((20, math.nan), (40, math.inf), (60, 0.5)):
        journal.add(ev.Progress(iteration=iteration, epoch=1, loss=loss), 10.0)
    Page(report_html(report_of(journal)))


HOSTILE = '<script>alert("x")</script>&'


def test_what_others_wrote_is_escaped() -> None:
    journal = training(name=HOSTILE)
    journal.add(ev.Alert(level="error", message=HOSTILE))
    journal.add(ev.EngineExited(code=4))
    journal.add(ev.RunEnded(outcome="failed", exit_code=4, reason=HOSTILE))
    made = report_of(journal, supervised=False, extras=Extras(last_lines=(HOSTILE,)))
    page = Page(report_html(made))
    assert "script" not in page.tags
    assert sum(HOSTILE in text for text in page.texts) >= 4


@pytest.mark.parametrize("state", sorted(STATES))
def test_rows_of_the_text_fit_and_ascii_is_ascii(state: str) -> None:
    for width in (78, 118):
        for row in draw_report(report(state, ascii_only=True), width):
            text = "".join(span.text for span in row)
            assert text.isascii()
            assert len(text) <= width


@pytest.mark.parametrize("state", ["finished", "failed", "paused_thermal", "starting"])
@pytest.mark.parametrize("lang", ["en", "zh"])
def test_two_columns_hold_all_that_one_does(state: str, lang: Lang) -> None:
    found = report(state, lang=lang)
    one = draw_report(found, 196, titled=False)
    two = draw_report_to_fit(found, 196, 24)
    assert len(two) < len(one)
    assert all(width_of(row) <= 196 for row in two)
    words = " ".join(map(text_of, two)).split()
    assert sorted(words) == sorted(" ".join(map(text_of, one)).split())
    assert draw_report_to_fit(found, 196, len(one)) == one
    assert draw_report_to_fit(found, 116, 24) == draw_report(found, 116, titled=False)


def test_both_languages_have_every_word() -> None:
    for name in ReportWords.__struct_fields__:
        english, chinese = getattr(EN, name), getattr(ZH, name)
        assert english
        assert chinese
        texts = (
            [(english, chinese)] if isinstance(english, str) else zip(english, chinese, strict=True)
        )
        for first, second in texts:
            assert set(re.findall(r"\{\w+\}", first)) == set(re.findall(r"\{\w+\}", second))


def test_a_run_under_way_counts_from_its_beginning() -> None:
    made = report("training")
    assert value(made, "outcome", "duration_s") == pytest.approx(
        STATES["training"]().t - BOOT_T + 2.0, abs=0.1
    )


def test_before_anything_is_read_the_report_says_so() -> None:
    recorder, look = Recorder(), Look(zone=ZONE)
    moment = Moment(t=0.0, wall=START)
    for loading, words in ((True, "reading the run's journal"), (False, "no epoch has ended yet")):
        view = recorder.view(moment, look, loading=loading)
        made = build_report(view, recorder.state, recorder.history, look)
        assert words in report_page(made, 80)
        Page(report_html(made))
