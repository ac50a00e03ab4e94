"""`compare` on the command line, and what the dashboard may ask about the runs beside its own."""

from pathlib import Path

import msgspec
import pytest
from conftest import Shell
from web_server import RUN_ID, make_run

from timellm_ops.cli.run_services import services_of
from timellm_ops.cli.run_states import RunStates
from timellm_ops.cli.web_session import Onlooker
from timellm_ops.contract.commands import PauseRun
from timellm_ops.contract.layout import RunLayout
from timellm_ops.store import RunNotFound

SECOND = "20260201-080000-etth1-b-02c1"


@pytest.fixture
def two(shell: Shell) -> tuple[RunLayout, RunLayout]:
    first, second = make_run(shell.folder), make_run(shell.folder, SECOND)
    second.config.write_text(
        '[data]\ndataset = "ETTh1"\n[train]\nlearning_rate = 0.01\n', encoding="utf-8"
    )
    return first, second


def test_two_runs_side_by_side_in_both_languages(
    shell: Shell, two: tuple[RunLayout, RunLayout]
) -> None:
    done = shell("compare", RUN_ID, "latest")
    assert (done.code, done.err) == (0, "")
    lines = done.out.splitlines()
    assert lines[0].startswith(f"A  {RUN_ID}  ")
    assert lines[1].startswith(f"B  {SECOND}  ")
    assert ["train.learning_rate", "0.001", "0.01"] in [line.split() for line in lines]
    assert "Not finished: A and B." in done.out
    chinese = shell("compare", RUN_ID, "latest", "--lang", "zh")
    assert "尚未完成：A 和 B。" in chinese.out
    assert shell("compare", RUN_ID, "latest", "--ascii").out.isascii()


def test_as_json_it_has_a_schema_and_every_number(
    shell: Shell, two: tuple[RunLayout, RunLayout]
) -> None:
    done = shell("compare", RUN_ID, SECOND, "--json", "--lang", "zh")
    document = msgspec.json.decode(done.out)
    assert document["schema"] == "timellm-ops.compare/1"
    assert [run["run_id"] for run in document["runs"]] == [RUN_ID, SECOND]
    steps = next(result for result in document["results"] if result["id"] == "steps")
    assert [figure["value"] for figure in steps["figures"]] == [42, 42]
    assert document["curves"][0]["points"]
    assert document["lang"] == "zh"
    assert "尚未完成" in " ".join(document["findings"])
    document = msgspec.json.decode(shell("compare", RUN_ID, SECOND, "--json").out)
    assert document["lang"] == "en"
    assert "Not finished" in " ".join(document["findings"])


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "compare: found 0 runs; expected 2 to 6"),
        ((RUN_ID,), "compare: found 1 run; expected 2 to 6"),
        ((RUN_ID, RUN_ID[:12]), f"compare: {RUN_ID} is there twice; expected different runs"),
        ((RUN_ID, "2027"), 'no run "2027"'),
        (("a",) * 7, "compare: found 7 runs; expected 2 to 6"),
    ],
)
def test_what_cannot_be_compared_is_said_in_one_line(
    shell: Shell, two: tuple[RunLayout, RunLayout], arguments: tuple[str, ...], said: str
) -> None:
    done = shell("compare", *arguments)
    assert done.code == 2
    assert said in done.error


def test_a_run_with_an_old_config_is_compared_all_the_same(
    shell: Shell, two: tuple[RunLayout, RunLayout]
) -> None:
    two[1].config.write_text("[data]\nno_such_key = 1\n", encoding="utf-8")
    done = shell("compare", RUN_ID, SECOND)
    assert done.code == 0
    assert "not readable: B" in done.out


def test_the_list_is_the_same_the_second_time(
    shell: Shell, two: tuple[RunLayout, RunLayout]
) -> None:
    first = shell("list", "--json")
    assert [run["step"] for run in msgspec.json.decode(first.out)["runs"]] == [42, 42]
    assert shell("list", "--json").out == first.out


def test_a_dashboard_can_list_open_and_compare_the_runs_beside_its_own(tmp_path: Path) -> None:
    first, second = make_run(tmp_path), make_run(tmp_path, SECOND)
    services = services_of(first, states=RunStates(tmp_path / "cache"))
    assert services.runs is not None
    assert services.open_run is not None
    assert services.compared is not None
    assert [row.run_id for row in services.runs()] == [RUN_ID, SECOND]
    assert [row.state for row in services.runs()] == ["unsupervised", "unsupervised"]
    opened = services.open_run(SECOND)
    assert len(opened.source.poll()) == 3
    assert opened.services.log == second.engine_log
    assert [run.state.step for run in services.compared((RUN_ID, SECOND))] == [42, 42]
    with pytest.raises(RunNotFound):
        services.open_run("20270101")


def test_whoever_may_only_look_opens_other_runs_to_look_at_only(tmp_path: Path) -> None:
    first = make_run(tmp_path)
    make_run(tmp_path, SECOND)
    services = services_of(first, Onlooker, RunStates(tmp_path / "cache"))
    assert services.open_run is not None
    for source in (Onlooker(first), services.open_run(SECOND).source):
        reply = source.send(PauseRun(who="test"))
        assert (reply.ok, reply.message) == (False, "this view is read only")
