"""What the engine says of a series, and what the checks before a start say, is said in Chinese."""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec
import pytest
from test_languages import CHINESE

from timellm_dashboard.words.phrases import said, said_of_data
from timellm_engine.data.inspection import report
from timellm_ops.contract.config import DataSection

_HOURS = [f"2020-01-{1 + hour // 24:02} {hour % 24:02}:00:00" for hour in range(240)]
_KEPT = re.compile(
    r'data\.\w+|"[^"]*"|“[^”]*”|CSV|Parquet|UTF-8|UTC|ETTh1|/\S+\.csv|NaN|level|OT|date, '
)
"""Keys, values, names and paths stay as they are."""


def rows_of(stamps: Sequence[str], cell: str = "") -> str:
    lines = ["date,level,OT", *(f"{at},{n % 7}.5,{n % 5}" for n, at in enumerate(stamps))]
    if cell:
        for place in (20, 30):
            lines[place] = f"{stamps[place - 1]},{cell},1"
    return "\n".join(lines) + "\n"


def section(path: Path, **keys: object) -> DataSection:
    base = {"dataset": "custom", "path": str(path), "seq_len": 24, "pred_len": 8, **keys}
    return msgspec.convert(base, DataSection)


_TWICE = [*_HOURS[:50], _HOURS[49], *_HOURS[50:]]
_BACK = [*_HOURS[:50], _HOURS[10], *_HOURS[51:]]
_SKIPPED = [*_HOURS[:50], *_HOURS[53:]]
_ODD = [*_HOURS[:50], "2020-01-03 02:17:00", *_HOURS[51:]]
_DAY_FIRST = [f"{13 + n % 15:02}/{1 + n // 15:02}/2020" for n in range(150)]
_CASES: dict[str, tuple[str, dict[str, object]]] = {
    "empty cells": (rows_of(_HOURS, "  "), {}),
    "a text, filled": (rows_of(_HOURS, "bad"), {"missing": "previous"}),
    "cells on a line": (rows_of(_HOURS, "NaN"), {"missing": "interpolate"}),
    "twice": (rows_of(_TWICE), {}),
    "twice, first": (rows_of(_TWICE), {"duplicates": "first"}),
    "twice, last": (rows_of(_TWICE), {"duplicates": "last"}),
    "twice, mean": (rows_of(_TWICE), {"duplicates": "mean"}),
    "back": (rows_of(_BACK), {"duplicates": "first"}),
    "back, sorted": (rows_of(_BACK), {"unordered": "sort", "duplicates": "first"}),
    "skipped": (rows_of(_SKIPPED), {}),
    "skipped, refused": (rows_of(_SKIPPED), {"gaps": "error"}),
    "skipped, filled": (rows_of(_SKIPPED), {"gaps": "fill", "missing": "previous"}),
    "far apart": (rows_of([*_HOURS, "2022-01-01 00:00:00"]), {"gaps": "fill"}),
    "odd": (rows_of(_ODD), {}),
    "odd, refused": (rows_of(_ODD), {"gaps": "error"}),
    "day first": (rows_of(_DAY_FIRST), {"gaps": "report", "unordered": "sort"}),
    "offsets": (rows_of([f"{at}+08:00" for at in _HOURS]), {}),
    "no dates": (rows_of(["someday", *_HOURS[1:]]), {}),
    "too short": (rows_of(_HOURS[:40]), {}),
    "too short, few": (rows_of(_HOURS[:60]), {"percent": 10}),
    "published, too short": (rows_of(_HOURS), {"dataset": "ETTh1"}),
    "one row": (rows_of(_HOURS[:1]), {}),
    "other step": (rows_of(_HOURS), {"frequency": "15min"}),
    "level": (re.sub(r",\d\.5,", ",3,", rows_of(_HOURS)), {}),
    "level, refused": (re.sub(r",\d\.5,", ",3,", rows_of(_HOURS)), {"constant": "error"}),
    "level, dropped": (re.sub(r",\d\.5,", ",3,", rows_of(_HOURS)), {"constant": "drop"}),
    "level target": (re.sub(r",\d\n", ",3\n", rows_of(_HOURS)), {"constant": "drop"}),
    "immense": (rows_of(_HOURS).replace("3.5", "1e200"), {}),
    "no target": (rows_of(_HOURS), {"target": "nobody"}),
    "no date column": (rows_of(_HOURS), {"date_column": "when"}),
    "same name": (rows_of(_HOURS).replace("level,OT", "OT,OT"), {}),
    "long row": (rows_of(_HOURS) + "2020-01-11 00:00:00,1,2,3\n", {}),
    "split dates": (rows_of(_HOURS), {"train_end": "x", "vali_end": "2020-01-09"}),
    "split in the past": (rows_of(_HOURS), {"train_end": "2019-01-01", "vali_end": "2020-01-09"}),
    "split to come": (rows_of(_HOURS), {"train_end": "2020-01-08", "vali_end": "2021-01-09"}),
    "gone": ("", {}),
}


def sentences(tmp_path: Path, name: str) -> Iterator[str]:
    text, keys = _CASES[name]
    path = tmp_path / "series.csv"
    if text:
        path.write_text(text, encoding="utf-8")
    found = report(section(path, **keys), seed=1)
    yield from (*found.findings, *found.problems)


@pytest.mark.parametrize("name", sorted(_CASES))
def test_what_is_found_in_a_file_is_said_in_chinese(tmp_path: Path, name: str) -> None:
    told = list(sentences(tmp_path, name))
    assert told
    for sentence in told:
        chinese = said_of_data(sentence, "zh")
        left = re.findall(r"[A-Za-z]{2,}", _KEPT.sub("", chinese))
        assert not set(left) - {"min", "No", "such", "file", "or", "directory"}, chinese
        assert CHINESE.search(chinese)
        assert set(re.findall(r"\d+", sentence)) <= set(re.findall(r"\d+", chinese)), chinese
        assert said_of_data(sentence, "en") == " ".join(sentence.split())


_IN_FULL = {
    'f.csv, column "OT", row 5 (line 6): found "x", one of 2 such cells of the column; expected a'
    ' finite number, or data.missing = "previous" or "interpolate"': (
        'f.csv，列“OT”第 5 行，文件第 6 行：实际为"x"（这一列共有 2 个这样的格）；应为有限的数，'
        '或 data.missing = "previous" 或 "interpolate"'
    ),
    "2 timestamps are skipped in 1 place, the first after 2020-01-03 01:00:00; forecasts take every"
    " row for one step of 1h.": (
        "跳过了 2 个时间戳，在 1 处，第一处在 2020-01-03 01:00:00 之后；"
        "预测时每一行都算一步（1h）。"
    ),
    "20 rows and 8 columns: the usual file of ETTh1 has 17420 and 7, so results do not compare with"
    " published ones.": (
        "20 行 8 列：ETTh1 通常的文件有 17420 行 7 列，因此结果不能与已发表的相比。"
    ),
    "Data: /d/ETTh1.csv, 17,420 rows, sha256 a3eb52f6a367…": (
        "数据：/d/ETTh1.csv，17,420 行，sha256 a3eb52f6a367…。"
    ),
    "Disk: 81.2 GiB free in /r, about 300 MiB needed.": (
        "磁盘：/r 中有 81.2 GiB 可用，大约需要 300 MiB。"
    ),
    "Memory: 5.61 of 6.00 GiB are available.": "内存：共 6.00 GiB，可用 5.61。",
    "Backbone: embedded, nothing to fetch.": "骨干：内置，无需下载。",
}


@pytest.mark.parametrize(("sentence", "chinese"), _IN_FULL.items())
def test_a_sentence_in_full(sentence: str, chinese: str) -> None:
    assert said_of_data(sentence, "zh") == chinese


def test_a_sentence_that_has_no_chinese_keeps_its_own_punctuation() -> None:
    refused = "policy.thermal.resume_below_c: found 75; expected below 74"
    assert said(refused, "zh") == refused
