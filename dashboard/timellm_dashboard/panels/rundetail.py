"""The picked run of the list in full: how it is or ended, what came out, epoch by epoch."""

from timellm_dashboard.answers.answer import Table
from timellm_dashboard.answers.draw import table_lines
from timellm_dashboard.lines import Line, Span, line, wrap, wrap_line
from timellm_dashboard.runs.runlist import RunRow
from timellm_dashboard.viewmodel.figure import figure
from timellm_dashboard.viewmodel.headline import mark_of, resume_command
from timellm_dashboard.words import format as fmt
from timellm_dashboard.words.ascii import to_ascii
from timellm_dashboard.words.names import backbone_name
from timellm_dashboard.words.phrases import clean, said, without_command
from timellm_dashboard.words.runs import runs_words
from timellm_dashboard.words.text import Lang, Words, words
from timellm_ops.contract.state import RunState


def draw_run_detail(
    row: RunRow, width: int, height: int, *, lang: Lang, ascii_only: bool
) -> list[Line]:
    """What the list has no room for, in at most `height` rows: of the epochs the latest ones."""
    shown: Lang = "en" if ascii_only else lang
    texts = words(shown)
    state, none = row.whole, "—"
    glyph, mood = mark_of(row.state)
    word: str = getattr(texts, row.state)
    reason = said(without_command(state.end_reason), lang) if state.ended else ""
    head = [Span(f"{glyph} {word}", mood), *([Span(f" · {reason}")] if reason else [])]
    rows: list[Line] = wrap_line(head, width, indent=2)
    if state.backbone:
        backbone = backbone_name(clean(state.backbone), shown)
        rows.append(line(Span(f"  {backbone}", "muted")))
    if command := resume_command(state):
        told = texts.go_on_with.format(command=command)
        rows += [line(Span(text, "strong")) for text in wrap(told, width)]
    pairs = [pair for pair in _pairs(row, texts, lang, ascii_only=ascii_only) if pair[1] != none]
    rows += [(), *table_lines(Table(rows=tuple(pairs)), width, labels="muted"), ()]
    rows += _epochs(state, texts, width, height - len(rows))
    return [_plain(found) for found in rows[:height]] if ascii_only else rows[:height]


def _pairs(row: RunRow, texts: Words, lang: Lang, *, ascii_only: bool) -> list[tuple[str, str]]:
    say, state, none = runs_words(lang, ascii_only=ascii_only), row.whole, "—"
    steps = fmt.count(state.step) if state.step else none
    if state.step and state.total_steps is not None:
        total = fmt.count(state.total_steps)
        steps = texts.step_of.format(step=fmt.count(state.step), total=total)
    timed = state.t is not None

    def time(seconds: float) -> str:
        return fmt.duration(seconds, texts) if timed else none

    return [
        (say.column_started, row.started_text or none),
        (say.steps, steps),
        (say.best_epoch, figure(state.best_epoch, fmt.count, none).text),
        (say.best_vali, figure(row.best_vali_mse, fmt.loss, none).text),
        (say.test_mse, figure(row.test_mse, fmt.loss, none).text),
        (say.test_mae, figure(row.test_mae, fmt.loss, none).text),
        (say.total_time, time(state.active_s)),
        (say.paused_time, time(state.paused_s)),
        (say.peak, figure(state.peak_temperature_c, fmt.celsius, none).text),
    ]


def _epochs(state: RunState, texts: Words, width: int, room: int) -> list[Line]:
    """The latest epochs, one a row, with a star at the best."""
    rows = state.rows
    if not rows or room < 2:
        return []
    heads = (
        texts.column_epoch, texts.column_train, texts.column_vali, texts.column_test,
        texts.column_mae, texts.column_time, "",
    )  # fmt: skip
    shown = [
        (
            str(row.epoch), fmt.loss(row.train_mse), fmt.loss(row.vali_mse),
            figure(row.test_mse, fmt.loss, "—").text, figure(row.test_mae, fmt.loss, "—").text,
            figure(row.seconds, fmt.brief_duration, "—").text,
            "★" if row.epoch == state.best_epoch else "",
        )
        for row in rows[-(room - 1) :]
    ]  # fmt: skip
    right = tuple(range(len(heads)))
    return table_lines(Table(rows=(heads, *shown), right=right, titled=True), width)


def _plain(row: Line) -> Line:
    return tuple(Span(to_ascii(span.text), span.tone) for span in row)
