"""The report: what is left of a run, or what there is of it so far. Text, HTML and JSON draw this
one value. Pure: the same view, state and history give the same report."""

from datetime import datetime

import msgspec
from msgspec import Struct

from timellm_dashboard.folds.history import EpochMark, History
from timellm_dashboard.folds.series import Point
from timellm_dashboard.folds.silence import SilentStretch
from timellm_dashboard.folds.standing import Stretch
from timellm_dashboard.reports.parts import Extras, Section
from timellm_dashboard.reports.sections import SectionMaker
from timellm_dashboard.viewmodel.headline import Mood
from timellm_dashboard.viewmodel.look import Look
from timellm_dashboard.viewmodel.view import View
from timellm_dashboard.words import format as fmt
from timellm_dashboard.words.ascii import texts_in_ascii
from timellm_dashboard.words.text import Lang
from timellm_ops.contract.state import RunState

SCHEMA = "timellm-ops.report/1"


class ReportCharts(Struct, frozen=True, kw_only=True):
    """Series for plots: losses over steps, temperature over seconds under supervision."""

    loss: tuple[Point, ...] = ()
    smoothed_loss: tuple[Point, ...] = ()
    epochs: tuple[EpochMark, ...] = ()
    temperature: tuple[Point, ...] = ()
    limits: tuple[tuple[float, str], ...] = ()
    """(°C, what happens there)."""
    pauses: tuple[Stretch, ...] = ()
    silences: tuple[SilentStretch, ...] = ()
    end_s: float = 0.0


class Report(Struct, frozen=True, kw_only=True):
    """All that is told of a run."""

    lang: Lang
    run_id: str
    title: str
    headline: str
    """`FINISHED · training finished; test MSE 0.3697`."""
    glyph: str
    """The sign of the state."""
    mood: Mood
    """What the state means to the eye."""
    note: str
    """What to beware of: that nobody supervises the run, that there is nothing yet; or empty."""
    beware: bool
    """The note is a warning: the numbers are not those of a run that is watched and moves."""
    ended: bool
    outcome: str | None
    exit_code: int | None
    made_at: datetime
    made_text: str
    sections: tuple[Section, ...]
    charts: ReportCharts

    def section(self, section_id: str) -> Section | None:
        """The section of that id, where the report has it."""
        return next((s for s in self.sections if s.id == section_id), None)


def build_report(
    view: View, state: RunState, history: History, look: Look, extras: Extras | None = None
) -> Report:
    """The report of a run that looks like `view`."""
    maker = SectionMaker(view, state, history, look, extras or Extras())
    words = maker.texts
    name = view.run.name or view.run.run_id
    title = words.title if view.outcome is not None else words.title_so_far
    if not name:
        title = words.title_of_none
    when = fmt.day_and_time(view.at, view.at, look.zone, look.words)
    at = view.at.astimezone(look.zone)
    report = Report(
        lang=view.lang,
        run_id=view.run.run_id,
        title=title.format(name=name),
        headline=view.headline.line,
        glyph=view.headline.glyph,
        mood=view.headline.mood,
        note=maker.note(),
        beware=view.headline.state in ("unsupervised", "silent"),
        ended=view.outcome is not None,
        outcome=None if view.outcome is None else view.outcome.outcome,
        exit_code=None if view.outcome is None else view.outcome.exit_code,
        made_at=view.at,
        made_text=words.made_at.format(when=f"{at:%Y-%m-%d} {when}"),
        sections=tuple(s for s in maker.sections() if s.rows or s.lines),
        charts=ReportCharts(
            loss=view.charts.loss,
            smoothed_loss=view.charts.smoothed_loss,
            epochs=view.charts.epochs,
            temperature=view.charts.temperature,
            limits=tuple((mark.celsius, mark.text) for mark in view.gpu.marks),
            pauses=history.ledger.standing.stretches,
            silences=history.silence.stretches,
            end_s=state.active_s,
        ),
    )
    return texts_in_ascii(report, but="charts") if look.ascii_only else report


def report_json(report: Report) -> bytes:
    """The report as one JSON object without a line end."""
    return msgspec.json.encode({"schema": SCHEMA, **msgspec.structs.asdict(report)})
