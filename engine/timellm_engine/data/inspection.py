"""The task that reads a series and reports everything of it, without torch.

It answers before there is a run: `timellm_ops.contract.datareport` has question and answer.
"""

import sys

from msgspec import Struct

from timellm_engine.data.notes import Notes
from timellm_engine.data.series import Series, examine
from timellm_engine.data.timeline import iso
from timellm_engine.errors import InputError
from timellm_engine.task import Tell, read_question, run_task
from timellm_ops.contract.config import DataSection
from timellm_ops.contract.datareport import DataQuestion, DataReport, SplitReport
from timellm_ops.contract.splits import forecast_columns
from timellm_ops.contract.validation import one_line


def report(section: DataSection, seed: int) -> DataReport:
    """What is known of the series, or why it cannot be trained on."""
    try:
        series, notes = examine(section, seed)
    except InputError as error:
        return DataReport(source=section.path or section.dataset, problems=(one_line(str(error)),))
    problems = tuple(one_line(str(problem)) for problem in notes.problems)
    if series is None:
        source = section.path or section.dataset
        return DataReport(
            source=source, findings=tuple(map(one_line, notes.findings)), problems=problems
        )
    return _of_series(series, section, notes, problems)


def _of_series(
    series: Series, section: DataSection, notes: Notes, problems: tuple[str, ...]
) -> DataReport:
    timestamps = series.timestamps
    return DataReport(
        source=series.source,
        rows=len(series.values),
        columns=series.columns,
        tested=tuple(series.columns[position] for position in series.tested),
        first=iso(timestamps[0]),
        last=iso(timestamps[-1]),
        frequency=series.frequency,
        splits=_splits(series, section),
        digest="" if problems else series.digest,
        findings=tuple(map(one_line, notes.findings)),
        problems=problems,
    )


def _splits(series: Series, section: DataSection) -> tuple[SplitReport, ...]:
    trained, tested = forecast_columns(section, len(series.columns))
    found = []
    for name, rows, own, columns in (
        ("train", series.splits.train, series.splits.train.begin, trained),
        ("vali", series.splits.vali, series.splits.fitted.end, tested),
        ("test", series.splits.test, series.splits.vali.end, tested),
    ):
        found.append(
            SplitReport(
                name=name,
                rows=rows.end - own,
                first=iso(series.timestamps[own]),
                last=iso(series.timestamps[rows.end - 1]),
                windows=rows.windows(section),
                columns=columns,
            )
        )
    return tuple(found)


def _work(tell: Tell) -> Struct:  # noqa: ARG001 - reading takes too short to tell anything
    question = read_question(DataQuestion)
    return report(question.section, question.seed)


if __name__ == "__main__":
    sys.exit(run_task(_work))
