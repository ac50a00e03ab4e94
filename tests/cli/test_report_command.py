"""`report` and `replay` as a user has them."""

import json

import pytest
from conftest import TINY, Shell
from small_disk import fill, small_disk
from written_runs import own_run, script_run, written_run

from timellm_ops.configfile import read_config
from timellm_ops.contract.layout import RunLayout


@pytest.fixture
def night(shell: Shell) -> RunLayout:
    return own_run(shell.store, shell.write("tiny.toml", TINY))


def test_a_report_says_the_same_as_text_as_page_and_as_json(shell: Shell, night: RunLayout) -> None:
    text = shell("report")
    assert text.code == 0, text.err
    for words in ("FINISHED", "best epoch", "0.2000", "thermal", "82 °C", "1 min 00 s"):
        assert words in text.out
    done = shell("report", night.run_id, "--html", "out/night.html")
    page = shell.folder / "out" / "night.html"
    assert done.out.strip() == str(page)
    html = page.read_text(encoding="utf-8")
    document = json.loads(shell("report", "--json").out)
    assert document["schema"] == "timellm-ops.report/1"
    pauses = next(s for s in document["sections"] if s["id"] == "pauses")
    assert pauses["rows"][0]["cells"][2]["value"] == 60.0
    for section in document["sections"]:
        for row in section["rows"]:
            for cell in row["cells"]:
                assert cell["text"] in html
    assert "的报告" in shell("report", "--lang", "zh").out
    assert shell("report", "--ascii").out.isascii()


def test_an_evaluation_and_one_that_is_broken(shell: Shell, night: RunLayout) -> None:
    night.predictions.mkdir()
    (night.predictions / "evaluation-test-best.json").write_text("{", encoding="utf-8")
    assert shell("report").code == 0


def test_a_script_has_a_report_too(shell: Shell) -> None:
    script_run(shell.store, shell.folder)
    done = shell("report")
    assert done.code == 0, done.err
    assert "timellm-ops evaluate" not in done.out


def test_page_and_json_do_not_go_together(shell: Shell, night: RunLayout) -> None:
    done = shell("report", "--html", "x.html", "--json")
    assert done.code == 2
    assert "do not go together" in done.error


def test_a_page_that_is_a_folder_or_on_a_full_disk_is_one_line(
    shell: Shell, night: RunLayout
) -> None:
    done = shell("report", "--html", ".")
    assert done.code == 2
    said = "--html: found . (Is a directory); expected a file such as report.html"
    assert done.error == f"timellm-ops: {said}"
    with small_disk(shell.folder / "disk") as disk:
        page = disk / "night.html"
        page.write_text("the old one")
        fill(disk)
        done = shell("report", "--html", str(page))
        assert done.code == 3
        wanted = f"timellm-ops: --html: {page} cannot be written (No space left on device)"
        assert done.error == wanted
        assert page.read_text() == "the old one"
        assert sorted(file.name for file in disk.iterdir()) == ["filler", "night.html"]


def test_a_replay_as_lines_goes_through_the_whole_night(shell: Shell, night: RunLayout) -> None:
    done = shell("replay", "--plain", "--speed", "600")
    assert done.code == 0, done.err
    for words in ("run started", "86 °C > 85 °C", "goes on", "epoch 2"):
        assert words in done.out
    assert "FINISHED" in done.out.splitlines()[-2]
    late = shell("replay", night.run_id, "--from", "99%", "--speed", "600", "--json")
    assert late.code == 0, late.err
    assert json.loads(late.out.splitlines()[-1])["headline"]["state"] == "finished"


@pytest.mark.parametrize(
    ("arguments", "found"),
    [
        (("--speed", "0"), "--speed: found 0; expected 0.1 to 100000"),
        (("--at", "noon"), '--from: found "noon"; expected 2:30:00 from the start'),
        (("--from", "epoch 99"), '--from: found "epoch 99"; expected an epoch of the run: 1 to'),
    ],
)
def test_a_bad_speed_or_place_is_one_line(
    shell: Shell, night: RunLayout, arguments: tuple[str, ...], found: str
) -> None:
    done = shell("replay", *arguments)
    assert done.code == 2
    assert found in done.error


def test_a_record_without_times_cannot_be_replayed(shell: Shell) -> None:
    written_run(shell.store, read_config(shell.write("tiny.toml", TINY)), timed=False)
    done = shell("replay")
    assert done.code == 2
    assert "found no times in its record" in done.error
