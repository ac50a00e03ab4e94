"""`data` as a user has it: everything of a data set, or what is wrong with it."""

import json
import re
from pathlib import Path

import msgspec
import pytest
from conftest import Shell
from rich.cells import cell_len

from timellm_ops.cli.data import page
from timellm_ops.cli.predicting import prediction_page
from timellm_ops.contract.config import DataSection
from timellm_ops.contract.datareport import DataReport, SplitReport
from timellm_ops.contract.prediction import Prediction, VariableForecast

CONFIG = """
[data]
dataset = "custom"
path = "load.csv"
target = "b"
features = "MS"
seq_len = 24
pred_len = 8
train_end = "2026-01-15"
vali_end = "2026-01-18"
"""


def series(folder: Path, *, bad: str = "") -> None:
    hours = [f"2026-01-{hour // 24 + 1:02} {hour % 24:02}:00" for hour in range(480)]
    rows = [f"{when},{number},{number % 24}" for number, when in enumerate(hours)]
    rows[100] = rows[100].rpartition(",")[0] + f",{bad or 4}"
    (folder / "load.csv").write_text("\n".join(["date,a,b", *rows]))
    (folder / "load.toml").write_text(CONFIG)


def test_a_data_set_on_one_page_and_as_json(shell: Shell) -> None:
    series(shell.folder)
    done = shell("data", "load.toml")
    assert done.code == 0
    assert "480, every 1h" in done.out
    assert "2: a, b" in done.out
    assert "2026-01-15 00:00:00 2026-01-17 23:00:00" in done.out
    assert "305 × 2 = 610" in done.out
    done = shell("data", "load.toml", "--json", "--set", "data.features=S")
    answer = json.loads(done.out)
    assert answer["schema"] == "timellm-ops.data/1"
    assert answer["report"]["columns"] == ["b"]
    assert [split["windows"] for split in answer["report"]["splits"]] == [305, 65, 65]
    assert not shell.store.root.exists()


def test_bad_cells_are_refused_before_there_is_a_run(shell: Shell) -> None:
    series(shell.folder, bad="broken")
    words = 'column "b", row 101 (line 102): found "broken"; expected a finite number'
    listed = shell("data", "load.toml")
    assert listed.code == 2
    assert words in listed.out
    refused = shell("run", "load.toml", "--plain")
    assert (refused.code, refused.out) == (2, "")
    assert words in refused.err
    assert len(refused.err.splitlines()) == 1
    assert not shell.store.root.exists()


def test_doctor_says_which_data_sets_are_here_and_what_is_wrong_with_a_configs(
    shell: Shell,
) -> None:
    series(shell.folder, bad="broken")
    cached = shell.folder / "cache" / "timellm-ops" / "weather.csv"
    cached.parent.mkdir(parents=True)
    cached.write_text("date,OT\n")
    done = shell("doctor", "load.toml")
    assert done.code == 3
    assert f"ok  Weather: {cached.resolve()}" in done.out
    assert "--  ETTm2: not on this machine; the first run that needs it downloads it" in done.out
    assert "Traffic (traffic.csv)" in done.out
    assert "NO  load.toml: " in done.out
    assert 'found "broken"; expected a finite number' in done.out


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["Wether"], 2, 'data: found Wether; expected "Weather" (did you mean it?)'),
        (["mine"], 2, "data: found mine; expected a config file, or one of ETTh1, "),
        (["none.toml"], 2, "none.toml: found no such file"),
        (["ETTh1", "--set", "data.seq_len=96"], 2, "--set goes with a config file"),
        (["Weather"], 3, "get weather.csv from"),
    ],
)
def test_what_cannot_be_read_is_one_line(
    shell: Shell, arguments: list[str], code: int, words: str
) -> None:
    done = shell("data", *arguments)
    assert (done.code, done.out) == (code, "")
    assert words in done.err
    assert len(done.err.splitlines()) == 1


def test_a_page_says_what_is_tested_and_what_was_found() -> None:
    split = SplitReport(name="vali", rows=1234, first="a", last="b", windows=1000, columns=21)
    columns = tuple(f"c{number}" for number in range(21))
    report = DataReport(
        source="w.csv", rows=52696, columns=columns, tested=("c3",), first="a", last="b",
        frequency="10min", splits=(split,), findings=("Mind the gap.",), problems=("no\ngood",),
    )  # fmt: skip
    text = "\n".join(page(DataSection(dataset="Weather"), report))
    for words in (
        "52,696, every 10min", "c10, c11 and 9 more", "tested     c3", "1,000 × 21 = 21,000",
        "--  Mind the gap.", "NO  no good", "windows of 512 steps to 96",
    ):  # fmt: skip
        assert words in text


def test_the_page_is_the_same_in_chinese_and_its_columns_line_up() -> None:
    split = SplitReport(
        name="vali", rows=1234, first="2016-07-01 00:00:00", last="2016-08-01 00:00:00",
        windows=1000, columns=7,
    )  # fmt: skip
    report = DataReport(
        source="w.csv", rows=52696, columns=("a", "b"), tested=("a",), first="x", last="y",
        frequency="10min", splits=(split, msgspec.structs.replace(split, name="train")),
        digest="0123456789abcdef0123",
    )  # fmt: skip
    section = DataSection(dataset="Weather")
    pages = [page(section, report, lang) for lang in ("en", "zh")]
    numbers = [re.findall(r"\d[\d,:-]*\d", "\n".join(lines)) for lines in pages]
    assert numbers[0] == numbers[1]
    for lines in pages:
        begin = next(i for i, line in enumerate(lines) if "512" in line)
        heading, *rows = lines[begin : begin + 3]
        place = cell_len(heading.split("windows of")[0].split("窗口")[0])
        assert {cell_len(row[: row.index("1,000")]) for row in rows} == {place}


def test_a_forecast_is_told_with_the_same_numbers_in_both_languages() -> None:
    variables = tuple(
        VariableForecast(name=f"v{n}", forecast=(1.5, 2.5), truth=(1.0,)) for n in range(9)
    )
    found = Prediction(
        run_id="r", checkpoint="best", epoch=3, source="the synthetic series", frequency="1h",
        history_from="a", history_to="b", timestamps=("2020-01-01", "2020-01-02"),
        variables=variables, digest="d1", findings=(), files=("f.csv",),
    )  # fmt: skip
    english, chinese = ("\n".join(prediction_page(found, lang)) for lang in ("en", "zh"))
    assert "v0: mean absolute error 0.5 over 1 known step\n" in english
    assert "variables besides: 2, in the file below" in english
    assert "合成序列" in chinese
    numbers = [sorted(re.findall(r"\d[\d.-]*", text)) for text in (english, chinese)]
    assert numbers[0] == numbers[1]
