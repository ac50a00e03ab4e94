"""Real journals, at several moments: the screen, plain text, JSON and both reports say the same."""

import html
import json
import re
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from sample_journals import ZONE, Limits
from screen_text import REFRESH_S, rows_of, running

from timellm_dashboard.app import Dashboard
from timellm_dashboard.jsonl import view_json
from timellm_dashboard.moment import Moment
from timellm_dashboard.panels.report import report_page
from timellm_dashboard.plain import page
from timellm_dashboard.replay.screenshot import Recording
from timellm_dashboard.reports.html import report_html
from timellm_dashboard.reports.report import build_report, report_json
from timellm_dashboard.viewmodel.look import Look
from timellm_dashboard.viewmodel.view import Recorder, View
from timellm_dashboard.words.text import Lang
from timellm_ops.contract.events import JournalRecord
from timellm_ops.journal import read_records

JOURNALS = sorted((Path(__file__).parents[1] / "fixtures" / "journals").glob("*.jsonl"))
SHARES = (0.2, 0.5, 0.7, 1.0)
CASES = [(path, share) for path in JOURNALS for share in SHARES]
NAMES = [f"{path.stem}-{share}" for path, share in CASES]


class Moments:
    """A recorded run, at the moment in which a share of its records was written."""

    def __init__(self, path: Path, share: float, lang: Lang = "en") -> None:
        every = list(read_records(path))
        self.records: list[JournalRecord] = every[: max(1, round(share * len(every)))]
        self.recorder = Recorder()
        self.recorder.take(self.records)
        self.supervised = not self.recorder.state.ended
        self.look = Look(lang=lang, zone=ZONE, limits=lambda _: Limits())
        self.t = self.recorder.state.t or 0.0
        at = self.recorder.state.updated_at
        assert at is not None
        self.at: datetime = at

    @property
    def view(self) -> View:
        moment = Moment(t=self.t, wall=self.at, supervised=self.supervised)
        return self.recorder.view(moment, self.look)

    async def screen(self) -> str:
        app = Dashboard(
            Recording(self.records, supervised=self.supervised),
            self.look,
            now=lambda: self.at,
            monotonic=lambda: self.t,
            refresh_s=REFRESH_S,
        )
        async with running(app, (200, 50)):
            return "\n".join(rows_of(app))

    def reports(self) -> dict[str, str]:
        report = build_report(self.view, self.recorder.state, self.recorder.history, self.look)
        text = re.sub(r"<[^>]+>", " ", report_html(report))
        return {
            "report as text": report_page(report, 120),
            "report as HTML": html.unescape(text),
            "report as JSON": _unescaped(report_json(report)),
        }


def _unescaped(document: bytes) -> str:
    return " ".join(_texts(json.loads(document)))


def _texts(value: Any) -> list[str]:
    if isinstance(value, dict):
        return [text for item in value.values() for text in _texts(item)]
    if isinstance(value, list):
        return [text for item in value for text in _texts(item)]
    return [value] if isinstance(value, str) else []


def told_by_all(view: View) -> list[str]:
    """What every form tells, reports included."""
    found = [view.headline.word]
    for row in view.results.rows:
        found += [row.vali_mse.text, row.test_mse.text, row.test_mae.text]
    if view.gpu.peak.value is not None:
        found.append(view.gpu.peak.text)
    return found


def told_of_a_run(view: View) -> list[str]:
    """What every form tells that shows a run as it is."""
    found = [*told_by_all(view), view.checkpoints.safe.word, view.progress.whole.label]
    if view.loss.raw.value is not None:
        found += [view.loss.raw.text, view.loss.smoothed.text]
    if view.left.seconds is not None:
        found.append(view.left.text)
    for saved in (view.checkpoints.best, view.checkpoints.last):
        if saved is not None:
            found.append(saved.parts[0])
    return found


@pytest.mark.parametrize("lang", ["en", "zh"])
@pytest.mark.parametrize(("path", "share"), CASES, ids=NAMES)
async def test_all_forms_say_the_same(path: Path, share: float, lang: Lang) -> None:
    moments = Moments(path, share, lang)
    view = moments.view
    shown = {
        "screen": await moments.screen(),
        "page": page(view),
        "JSON": _unescaped(view_json(view)),
    }
    for form, text in shown.items():
        for told in told_of_a_run(view):
            assert told in text, (form, told)
    for form, text in moments.reports().items():
        for told in told_by_all(view):
            assert told in " ".join(text.split()), (form, told)


def test_the_journals_are_of_runs_to_which_something_happened() -> None:
    ends = {path.stem: Moments(path, 1.0).recorder.state for path in JOURNALS}
    assert {name: state.outcome for name, state in ends.items()} == {
        "paused": "finished",
        "killed_stopped_resumed": "finished",
        "paused_by_a_real_card": "stopped",
    }
    assert ends["paused"].pauses == 3
    assert ends["paused_by_a_real_card"].pauses == 5
    assert ends["killed_stopped_resumed"].restarts == 1
    assert ends["killed_stopped_resumed"].resumed
