"""Lines of the journal that nobody can read are told of, once in every form."""

from datetime import timedelta
from pathlib import Path

import pytest
from sample_journals import ZONE, FakeRun, finished, in_second_epoch
from screen_text import check_snapshot, dashboard, rows_of, running
from test_follow import Night, leave

from timellm_dashboard.jsonl import view_json
from timellm_dashboard.moment import Moment
from timellm_dashboard.plain import follow_plain, page
from timellm_dashboard.replay.replay import Replay
from timellm_dashboard.reports.report import build_report
from timellm_dashboard.viewmodel.look import Look
from timellm_dashboard.viewmodel.view import Recorder, View, view_of
from timellm_dashboard.words.text import Lang
from timellm_ops.client import RunClient
from timellm_ops.contract.events import encode_record
from timellm_ops.contract.layout import RunLayout

TOLD: dict[Lang, str] = {
    "en": "2 lines of the journal damaged and skipped",
    "zh": "运行日志有 2 行损坏，已跳过",
}


def client(folder: Path, damage: bytes = b"torn{\nno record\n") -> RunClient:
    """A finished run whose journal has `damage` in the middle."""
    lines = [encode_record(record) for record in finished().records]
    layout = RunLayout(folder)
    layout.journal.write_bytes(b"".join([*lines[:50], damage, *lines[50:]]))
    return RunClient(layout)


def seen(found: RunClient, lang: Lang = "en") -> View:
    journal = finished()
    return view_of(
        found.all(),
        now_t=journal.t,
        wall_now=journal.wall,
        supervised=False,
        lang=lang,
        zone=ZONE,
        damaged=found.damaged,
    )


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_the_page_and_the_document_tell_how_many(tmp_path: Path, lang: Lang) -> None:
    view = seen(client(tmp_path), lang)
    assert (view.damaged_lines.value, view.damaged_lines.text) == (2, TOLD[lang])
    assert page(view).count(TOLD[lang]) == 1
    assert b'"damaged_lines":{"value":2' in view_json(view)
    assert view.outcome is not None


def test_of_a_whole_journal_nothing_is_said(tmp_path: Path) -> None:
    view = seen(client(tmp_path, b""))
    assert (view.damaged_lines.value, view.damaged_lines.text) == (0, "")
    assert "damaged" not in page(view)


def test_the_report_tells_it_among_its_warnings(tmp_path: Path) -> None:
    recorder, found, journal = Recorder(), client(tmp_path), finished()
    recorder.take(found.all())
    recorder.damaged = found.damaged()
    moment = Moment(t=journal.t, wall=journal.wall + timedelta(seconds=2.0))
    report = build_report(recorder.view(moment, Look()), recorder.state, recorder.seen, Look())
    warnings = report.section("warnings")
    assert warnings is not None
    assert warnings.lines[0] == TOLD["en"]


def test_plain_lines_tell_it_when_it_is_found_and_not_again() -> None:
    def more(night: Night) -> None:
        night.source.damaged_lines = 2

    night = Night(in_second_epoch(), [lambda _: None, more, lambda _: None, leave])
    night.follow(follow_plain)
    assert [line for line in night.lines if "damaged" in line] == [TOLD["en"]]


async def test_the_screen_tells_it_in_the_title_of_the_events() -> None:
    journal = in_second_epoch()
    source = FakeRun(journal)
    source.damaged_lines = 2
    app = dashboard(journal, source)
    async with running(app):
        rows = rows_of(app)
    assert f"events · {TOLD['en']}" in "\n".join(rows)
    check_snapshot("damaged-lines-80x24", rows)


def test_a_replay_tells_of_the_whole_journal() -> None:
    replay = Replay(finished().records, monotonic=lambda: 0.0, damaged=3)
    assert replay.damaged() == 3
