"""The report as one HTML file that needs nothing else: no script, no font, nothing from elsewhere.

Plots are inline SVG; colours follow the reader's light or dark scheme.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from html import escape

from timellm_dashboard.reports.parts import Cell, Section
from timellm_dashboard.reports.report import Report
from timellm_dashboard.reports.svgplot import Band, Curve, Level, Plot, PlotTone, Spread, draw_plot
from timellm_dashboard.viewmodel.headline import Mood
from timellm_dashboard.words import format as fmt
from timellm_dashboard.words.report import ReportWords, report_words

_STYLE = """
:root { color-scheme: light dark; --paper: #fafbfc; --ink: #1b2128; --faint: #5d6875;
  --rule: #d5dbe2; --course: #0062a3; --spread: #9fc4df; --good: #00735a; --held: #8f5600;
  --bad: #b33a00; --third: #7d4488; --pause: #f0b42955; }
@media (prefers-color-scheme: dark) { :root { --paper: #11151a; --ink: #d7dce2; --faint: #8691a0;
  --rule: #2c3540; --course: #6cb8f0; --spread: #2f5675; --good: #2dbe91; --held: #f0b429;
  --bad: #ff7a45; --third: #c9a0dc; --pause: #f0b42933; } }
body { background: var(--paper); color: var(--ink); margin: 2rem auto; max-width: 62rem;
  padding: 0 1rem; font: 15px/1.5 system-ui, "Noto Sans", "Noto Sans CJK SC", sans-serif; }
h1 { font-size: 1.5rem; margin: 0; } h2 { font-size: 1rem; margin: 1.6rem 0 .4rem; }
.headline { font-weight: 600; margin: .2rem 0 1rem; } .faint { color: var(--faint); }
.note, .held { color: var(--held); } .good { color: var(--good); } .bad { color: var(--bad); }
.done { color: var(--course); } .busy { color: var(--third); } .muted { color: var(--faint); }
table { border-collapse: collapse; } td, th { padding: .15rem .9rem .15rem 0; text-align: left;
  vertical-align: top; } th { color: var(--faint); font-weight: 400; }
td.number, th.number { text-align: right; font-variant-numeric: tabular-nums; }
tr.best td { font-weight: 600; }
code, pre { font: 13px/1.45 ui-monospace, "DejaVu Sans Mono", monospace; }
pre { overflow-x: auto; border-left: 3px solid var(--rule); padding-left: .8rem; margin: .3rem 0; }
svg { width: 100%; height: auto; display: block; } svg text { fill: var(--faint); font-size: 12px; }
.frame { stroke: var(--rule); fill: none; }
.spread { fill: var(--spread); stroke: var(--spread); }
.curve { fill: none; stroke-width: 1.6; } .pause { fill: var(--pause); }
.level { stroke-dasharray: 5 4; }
"""


def report_html(report: Report) -> str:
    """The whole page. Every text in it is escaped."""
    words = report_words(report.lang)
    parts = [
        "<!DOCTYPE html>",
        f'<html lang="{"zh-CN" if report.lang == "zh" else "en"}">',
        '<head><meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<title>{escape(report.title)}</title>",
        f"<style>{_STYLE}</style></head><body>",
        f"<h1>{escape(report.title)}</h1>",
        f'<p class="faint">{escape(report.run_id)} · {escape(report.made_text)}</p>',
        f'<p class="headline {report.mood}">{escape(f"{report.glyph} {report.headline}")}</p>',
    ]
    if report.note:
        kind = "note" if report.beware else "faint"
        parts.append(f'<p class="{kind}">{escape(report.note)}</p>')
    for section in report.sections:
        parts.append(_section(section, report.mood))
        parts += [_figure(title, plot) for title, plot in _plots_after(section.id, report, words)]
    parts.append("</body></html>\n")
    return "\n".join(parts)


def _figure(title: str, plot: str) -> str:
    return f"<h2>{escape(title)}</h2>\n{plot}" if plot else ""


def _plots_after(section_id: str, report: Report, words: ReportWords) -> Iterator[tuple[str, str]]:
    match section_id:
        case "results":
            yield words.chart_loss, _loss(report, words)
        case "epochs":
            yield words.chart_epochs, _epochs(report, words)
        case "gpu":
            yield words.chart_temperature, _temperature(report, words)
        case _:
            pass


def _loss(report: Report, words: ReportWords) -> str:
    charts = report.charts
    course = [((p.start + p.end) / 2, (p.low + p.high) / 2) for p in charts.smoothed_loss]
    spread = [((p.start + p.end) / 2, p.low, p.high) for p in charts.loss]
    return draw_plot(
        Plot(
            spreads=(Spread(spread, words.batch),),
            curves=(Curve(course, "course", words.smoothed),),
            ticks=tuple((mark.step, f"{words.axis_epochs} {mark.epoch}") for mark in charts.epochs),
            axis=words.axis_steps,
            write=fmt.loss,
            write_x=fmt.count,
            trimmed=True,
        )
    )


def _epochs(report: Report, words: ReportWords) -> str:
    section = report.section("epochs")
    rows = () if section is None else section.rows
    tones: tuple[tuple[PlotTone, str, int], ...] = (
        ("course", words.train, 1),
        ("good", words.vali, 2),
        ("third", words.test, 3),
    )
    curves = []
    for tone, name, column in tones:
        points = [
            (float(epoch), float(value))
            for row in rows
            for epoch, value in ((row.cells[0].value, row.cells[column].value),)
            if isinstance(epoch, (int, float)) and isinstance(value, (int, float))
        ]
        if points:
            curves.append(Curve(points, tone, name, dots=True))
    return draw_plot(
        Plot(curves=tuple(curves), axis=words.axis_epochs, write=fmt.loss, write_x=fmt.count)
    )


def _temperature(report: Report, words: ReportWords) -> str:
    charts = report.charts
    hour = 3600.0
    course = [((p.start + p.end) / 2 / hour, (p.low + p.high) / 2) for p in charts.temperature]
    spread = [((p.start + p.end) / 2 / hour, p.low, p.high) for p in charts.temperature]
    highest = max((high for _, _, high in spread), default=0.0)
    shown = [(c, text) for c, text in charts.limits if c <= highest + 15.0]
    bands = [(s.start_s, s.end_s, f"{words.paused_band}: {s.rule}") for s in charts.pauses]
    bands += [(s.start_s, s.end_s, words.without_a_word) for s in charts.silences]
    return draw_plot(
        Plot(
            spreads=(Spread(spread, ""),),
            curves=(Curve(course, "course", ""),),
            levels=tuple(Level(c, "held", text) for c, text in shown),
            bands=tuple(
                Band(start_s / hour, (charts.end_s if end_s is None else end_s) / hour, name)
                for start_s, end_s, name in bands
            ),
            axis=words.axis_hours,
            write=fmt.number,
            write_x=lambda hours: f"{round(hours * 60) // 60}:{round(hours * 60) % 60:02d}",
        )
    )


def _section(section: Section, mood: Mood) -> str:
    parts = [f"<h2>{escape(section.title)}</h2>"]
    if section.rows:
        parts.append(f'<table id="{escape(section.id)}">')
        numbers = _numbers(section)
        if section.columns:
            cells = _cells("th", section.columns, numbers)
            parts.append(f"<tr>{cells}</tr>")
        for row in section.rows:
            texts = [cell.text for cell in row.cells]
            if not section.columns:
                texts = [texts[0], "  ".join(texts[1:])]
            best = ' class="best"' if row.cells[-1].value is True else ""
            command = section.id == "commands"
            kinds = {1: mood} if row.id in ("outcome", "state") else {}
            cells = _cells("td", texts, numbers, code=command, kinds=kinds)
            parts.append(f"<tr{best}>{cells}</tr>")
        parts.append("</table>")
    if section.lines:
        parts.append("<pre>" + "\n".join(escape(text) for text in section.lines) + "</pre>")
    return "\n".join(parts)


def _numbers(section: Section) -> set[int]:
    """Columns that stand to the right."""
    if not section.columns:
        return set()
    return {
        c
        for c in range(len(section.columns))
        if any(_is_number(row.cells[c]) for row in section.rows)
    }


def _is_number(cell: Cell) -> bool:
    return isinstance(cell.value, (int, float)) and not isinstance(cell.value, bool)


def _cells(
    tag: str,
    texts: Sequence[str],
    numbers: Iterable[int],
    *,
    code: bool = False,
    kinds: Mapping[int, str] | None = None,
) -> str:
    """`kinds`: by its column, what a cell is to the eye."""
    classes = {**dict.fromkeys(numbers, "number"), **(kinds or {})}
    cells = []
    for column, text in enumerate(texts):
        kind = f' class="{classes[column]}"' if column in classes else ""
        shown = f"<code>{escape(text)}</code>" if code and column else escape(text)
        cells.append(f"<{tag}{kind}>{shown}</{tag}>")
    return "".join(cells)
