"""What is said of a run that has not ended to whoever closes the window on it."""

import os
from pathlib import Path
from string import Formatter

import pytest

from timellm_ops.cli.watching import farewell, left
from timellm_ops.cli.watching_texts import WatchingTexts, watching_texts
from timellm_ops.contract.layout import RunLayout
from timellm_ops.contract.state import RunState
from timellm_ops.process.identity import identify
from timellm_ops.process.records import SupervisorRecord, write_record


def test_a_run_that_nobody_supervises_is_not_said_to_go_on(tmp_path: Path) -> None:
    layout = RunLayout(tmp_path / "r1")
    told = left(layout, RunState(run_id="r1"), "en")
    assert told.startswith("nobody supervises r1")
    assert "timellm-ops attach r1" in told
    assert "goes on" not in told
    assert left(layout, RunState(run_id="r1"), "zh") == (
        "r1 没有监管进程，没有规则监视它的 GPU，它也没有被停止；重新接管：timellm-ops attach r1"
    )


def test_a_run_that_never_began_is_not_said_to_go_on(tmp_path: Path) -> None:
    told = left(RunLayout(tmp_path / "r1"), RunState(), "en")
    assert told == "r1 never began: nothing is on record of it"


def test_a_run_that_has_ended_says_how_and_where_it_all_is(tmp_path: Path) -> None:
    layout = RunLayout(tmp_path / "r1")
    state = RunState(
        run_id="r1",
        outcome="stopped_for_hardware",
        end_reason="thermal: 93 °C at or above 92 °C, before the card slows itself down",
    )
    shown = [*farewell(layout, state, "en")]
    assert shown == [f"r1 stopped: {state.end_reason}", f"all of it is in {layout.root}"]
    words, place = farewell(layout, state, "zh")
    assert words.startswith("r1 硬件停止：")
    assert "93 °C" in words
    assert place == f"全部内容在 {layout.root}"


@pytest.mark.parametrize("name", WatchingTexts.__struct_fields__)
def test_every_text_is_there_in_both_languages_with_the_same_blanks(name: str) -> None:
    english, chinese = (getattr(watching_texts(lang), name) for lang in ("en", "zh"))
    assert english.isascii()
    assert not chinese.isascii()
    assert _blanks(english) == _blanks(chinese)


def _blanks(text: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(text) if name}


def test_a_run_that_is_supervised_goes_on(tmp_path: Path) -> None:
    layout = RunLayout(tmp_path / "r1")
    layout.root.mkdir()
    process = identify(os.getpid())
    assert process is not None
    write_record(layout.supervisor_process, SupervisorRecord(process=process, socket=""))
    told = left(layout, RunState(run_id="r1"), "en")
    assert told == "r1 goes on without this window; watch it again: timellm-ops attach r1"
    told = left(layout, RunState(run_id="r1"), "zh")
    assert told == "窗口已关闭，r1 继续运行；再次查看：timellm-ops attach r1"


def test_no_engine_of_an_imported_training_goes_on(tmp_path: Path) -> None:
    told = left(RunLayout(tmp_path / "r1"), RunState(run_id="r1", engine="imported"), "en")
    assert "goes on" not in told
