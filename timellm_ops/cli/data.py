"""`data`: read a data set and say everything of it, before anything is trained on it."""

import sys
from pathlib import Path
from typing import Annotated, get_args

import msgspec
from cyclopts import Parameter
from msgspec import Struct
from rich.cells import cell_len

from timellm_dashboard.words.phrases import said_of_data
from timellm_ops.cli.data_texts import DATA, DataTexts
from timellm_ops.cli.errors import BAD_INPUT, UsageError
from timellm_ops.cli.options import Json, Lang, Language, Overrides, has_unicode, language
from timellm_ops.configfile import read_config
from timellm_ops.contract.config import Config, DataSection, Published
from timellm_ops.contract.counting import Count
from timellm_ops.contract.datareport import DataReport, SplitReport
from timellm_ops.contract.suggestion import meant
from timellm_ops.contract.validation import one_line
from timellm_ops.datasets import KNOWN, DataNotFound, Downloader, fetch_with_bar, locate
from timellm_ops.preflight import PreflightError, read_report

SCHEMA = "timellm-ops.data/1"
_NAMES = (*get_args(Published), "synthetic")
_NAME_CELLS = 11
_DATE_CELLS = 20
_ROWS_CELLS = 9


class DataAnswer(Struct, frozen=True, kw_only=True):
    """The whole of `data --json`."""

    dataset: str
    seq_len: int
    pred_len: int
    report: DataReport
    schema: str = SCHEMA


def data(
    what: Annotated[str, Parameter(help="A config file, or a data set: ETTh1, Weather, ...")],
    *,
    overrides: Overrides = (),
    get: Annotated[
        bool, Parameter(negative="", help="Download the data set where it is not here yet.")
    ] = False,
    lang: Lang = None,
    json: Json = False,
) -> int:
    """Check a data set: rows, columns, dates, frequency, splits, windows, and what is wrong."""
    config = _config(what, overrides)
    report = _report(config, fetch_with_bar if get else None)
    section = config.data
    if json:
        answer = DataAnswer(
            dataset=section.dataset,
            seq_len=section.seq_len,
            pred_len=section.pred_len,
            report=report,
        )
        sys.stdout.write(msgspec.json.encode(answer).decode() + "\n")
    else:
        chosen: Language = (lang or language()) if has_unicode() else "en"
        sys.stdout.write("\n".join(page(section, report, chosen)) + "\n")
    return BAD_INPUT if report.problems else 0


def _config(what: str, overrides: tuple[str, ...]) -> Config:
    """The config in a file, or one of defaults for a data set by its name."""
    if what not in _NAMES:
        path = Path(what)
        if not path.suffix and not path.exists():
            any_ = f"a config file, or one of {', '.join(_NAMES)}"
            raise UsageError(f"data: found {what}; expected {meant(what, _NAMES, otherwise=any_)}")
        return read_config(path, overrides)
    if overrides:
        raise UsageError("data: --set goes with a config file, not with the name of a data set")
    section = msgspec.convert({"dataset": what}, DataSection)
    if what == "ILI":
        # 966 weeks are too few for windows of the usual length; papers use these.
        section = msgspec.structs.replace(section, seq_len=104, pred_len=24)
    return Config(data=section)


def _report(config: Config, download: Downloader | None) -> DataReport:
    section = config.data
    if config.foreign.command:
        raise UsageError("data: the data of a foreign command is its own affair")
    if section.dataset != "synthetic":
        try:
            path = locate(section.dataset, section.path, download=download)
        except DataNotFound as error:
            known = KNOWN.get(section.dataset)
            can_be_had = download is None and known is not None and known.address
            hint = " --get downloads it." if can_be_had else ""
            raise PreflightError(f"{error}.{hint}") from error
        section = msgspec.structs.replace(section, path=str(path))
    return read_report(section, config.run.seed)


def page(section: DataSection, report: DataReport, lang: Language = "en") -> list[str]:
    """The report for people, line by line."""
    texts = DATA[lang]
    lines = [f"{section.dataset}: {said_of_data(report.source, lang)}"]
    if report.columns:
        every = texts.rows_every.format(rows=report.rows, frequency=report.frequency)
        columns = f"{len(report.columns)}: {_listed(report.columns, texts)}"
        lines += [
            f"  {_to(_NAME_CELLS, texts.rows)}{every}",
            f"  {_to(_NAME_CELLS, texts.first)}{report.first}",
            f"  {_to(_NAME_CELLS, texts.last)}{report.last}",
            f"  {_to(_NAME_CELLS, texts.columns)}{columns}",
        ]
        if report.tested != report.columns:
            tested = _listed(report.tested, texts)
            lines.append(f"  {_to(_NAME_CELLS, texts.tested)}{tested}")
    if report.splits:
        windows = texts.windows.format(seq_len=Count(section.seq_len), pred_len=section.pred_len)
        heading = (texts.split, texts.rows, texts.first, texts.last, windows)
        lines += ["", _split_row(*heading)]
        lines += [_split_line(split, texts) for split in report.splits]
    if report.digest:
        lines += ["", f"  {_to(_NAME_CELLS, texts.digest)}{report.digest[:16]}…"]
    if report.findings:
        lines += ["", *(f"--  {said_of_data(words, lang)}" for words in report.findings)]
    if report.problems:
        lines += ["", *(f"NO  {said_of_data(words, lang)}" for words in report.problems)]
    return [one_line(line) for line in lines]


def _split_line(split: SplitReport, texts: DataTexts) -> str:
    name = texts.splits[split.name]
    times = f" × {split.columns} = {split.samples:,}" if split.columns > 1 else ""
    windows = f"{split.windows:,}{times}"
    return _split_row(name, f"{split.rows:,}", split.first, split.last, windows)


def _split_row(name: str, rows: str, first: str, last: str, windows: str) -> str:
    rows = " " * (_ROWS_CELLS - cell_len(rows)) + rows
    dates = f"{_to(_DATE_CELLS, first)}{_to(_DATE_CELLS, last)}"
    return f"  {_to(_NAME_CELLS, name)}{rows}  {dates}{windows}"


def _to(cells: int, text: str) -> str:
    """`text` with blanks up to so many cells; a Chinese character takes two."""
    return text + " " * (cells - cell_len(text))


def _listed(names: tuple[str, ...], texts: DataTexts, most: int = 12) -> str:
    shown = ", ".join(names[:most])
    if len(names) <= most:
        return shown
    return texts.more.format(shown=shown, count=len(names) - most)
