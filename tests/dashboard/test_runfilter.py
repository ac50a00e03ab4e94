"""Which runs are meant by words, results and keys of configs."""

import math

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_languages import CHINESE
from test_runlist import rows

from timellm_dashboard.runs.runfilter import BadFilter, RunFilter, filter_of
from timellm_dashboard.runs.runlist import RunRow
from timellm_dashboard.words.runfilter import run_filter_words
from timellm_ops.contract.state import RunState
from timellm_ops.contract.validation import all_keys

EN, ZH = run_filter_words("en"), run_filter_words("zh")
CONFIG = {
    "data.dataset": "ETTh1", "train.batch_size": 28, "train.learning_rate": 0.001,
    "train.compile": False, "backbone.source": "/models/Qwen2.5-3B", "run.name": "my night",
    "checkpoint.every_steps": 500,
}  # fmt: skip
ROW = RunRow(
    run_id="20260131-214503-etth1-7f3a", state="failed", epoch=2, epochs=10, best_vali_mse=0.70631,
    test_mse=0.38449, test_mae=None, active_s=7200.0, started_at=None,
    whole=RunState(),
)  # fmt: skip


def passes(text: str, row: RunRow = ROW, config: dict[str, object] = CONFIG) -> bool:  # type: ignore[assignment]
    return filter_of(text, EN).passes(row, config)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "text",
    [
        "", "  ", "etth1", "ETTH1", "7f3a", "failed", "etth1 failed", "失败", "not:weather",
        "train.batch_size=28", "train.batch_size = 28", "train.batch_size=28.0",
        "train.batch_size!=4", "train.batch_size>4", "train.batch_size>=28",
        "train.batch_size<=28", "train.batch_size<32", "train.batch_size~8",
        "train.learning_rate=1e-3", "train.learning_rate<0.01", "train.compile=false",
        "train.compile!=true", "data.dataset=ETTh1", "data.dataset=etth1", "data.dataset=ETT*",
        "data.dataset!=Weather", "backbone.source~qwen", "backbone.source=*3B",
        'run.name="my night"', "run.name='my night'", "not:train.batch_size=4",
        "state=failed", "state=FAILED", "state=失败", "state!=finished", "state=fail*",
        "mse<0.4", "mse=0.3845", "mse=0.38", "vali>0.7", "vali=0.7063", "epoch=2", "epochs=10",
        "epoch<3", "time=2h", "time>90m", "time<1d", "time=7200",
        "started=2026-01-31", "started=2026-01", "started>2026-01-30", "started<=2026-01-31",
        'started>="2026-01-31 21:45"', "started=2026-01-31T21", "mse＜0.4", "train.batch_size＝28",
        "etth1 state=failed train.batch_size=28 mse<0.4 not:weather",
        "weather|etth1", "weather | etth1", "weather｜etth1", "weather|state=failed",
        "state=finished|failed", "train.batch_size=4|28", "train.batch_size=4|28.0|8",
        "train.batch_size!=4|8", "train.batch_size=4|state=failed", "weather|mse<0.4 etth1",
        "mae<1|mse<1", "not:weather|finished", "weather|not:finished", "not:mse<0.3|vali<0.5",
        "data.dataset=Weather|ETT*", 'run.name="a|b"|"my night"', "started=2025|2026-01",
        "train.batch_size<8|32", "backbone.source~llama|qwen",
    ],
)  # fmt: skip
def test_what_the_run_is_meant_by(text: str) -> None:
    assert passes(text)


@pytest.mark.parametrize(
    "text",
    [
        "weather", "not:etth1", "finished", "train.batch_size=4", "train.batch_size!=28",
        "train.batch_size>28", "train.compile=true", "data.dataset=Weather", "data.dataset=ETT",
        "data.dataset!=ETTh1", "backbone.source~llama", "state=finished", "state!=failed",
        "mse<0.3", "mse=0.39", "mse!=0.3845", "time>2h", "started=2026-02", "started>2026-01-31",
        "started<2026-01-31", "etth1 weather", "etth1 mse<0.3", "not:state=failed",
        "weather|finished", "weather|etth1 finished", "state=finished|stopped", "not:etth1|weather",
        "train.batch_size!=4|28", "train.batch_size=4|8", "not:train.batch_size=4|28",
        "not:weather|state=failed", "weather|not:etth1", "mae<1|mse<0.3", '"weather|etth1"',
    ],
)  # fmt: skip
def test_what_the_run_is_not_meant_by(text: str) -> None:
    assert not passes(text)


@pytest.mark.parametrize(
    "text",
    ["mae<1", "mae>0", "mae!=1", "not:mae<1", "train.clip_norm=1", "train.clip_norm!=1",
     "not:train.clip_norm=1", "train.clip_norm>0", "gpu.uuid=x", "gpu.uuid!=x",
     "weather|mae<1", "not:weather|mae<1", "mae=1|2", "mae!=1|2", "weather|not:mae<1"],
)  # fmt: skip
def test_what_is_not_known_of_a_run_is_never_so(text: str) -> None:
    assert not passes(text)


def test_a_result_that_is_no_number_is_not_known() -> None:
    broken = msgspec.structs.replace(ROW, test_mse=math.nan)
    assert not passes("mse<1", broken)
    assert not passes("mse>=1", broken)


def test_a_config_of_an_older_version_may_hold_something_else() -> None:
    assert not passes("train.batch_size>1", ROW, {"train.batch_size": "many"})
    assert not passes("train.batch_size=28", ROW, {})


def test_configs_are_read_only_where_a_key_of_theirs_is_asked_for() -> None:
    assert not filter_of("etth1 mse<0.4 state=failed time>1h started>2026", EN).needs_config
    assert filter_of("etth1 train.batch_size=4", EN).needs_config


def test_a_state_is_also_what_the_list_calls_it() -> None:
    for state, listed in (("refused", "failed"), ("stopped_for_hardware", "stopped")):
        row = msgspec.structs.replace(ROW, state=state)
        assert passes(f"state={listed}", row)
        assert passes(f"state={state}", row)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("batch_size=4", "batch_size: found an unknown key; expected “train.batch_size” (did you"),
        ("train.batchsize=4", "expected “train.batch_size” (did you mean it?)"),
        ("batchsize=4", "expected “train.batch_size” (did you mean it?)"),
        ("zzz=4", "zzz: found an unknown key; expected a key of a config such as train.batch_size"),
        ("data.dataset<4", "data.dataset: found <; expected =, != or ~, for it holds a text"),
        ("state>failed", "state: found >"),
        ("train.batch_size=four", "train.batch_size: found “four”; expected a number"),
        ("mse<low", "mse: found “low”; expected a number"),
        ("train.compile=yes", "train.compile: found “yes”; expected true or false"),
        ("state=faild", "state: found “faild”; expected “failed” (did you mean it?)"),
        ("state=zzz", "state: found “zzz”; expected loading, "),
        ("time>long", "time: found “long”; expected a length of time such as 90s, 30m or 2h"),
        ("started>yesterday", "started: found “yesterday”; expected a day such as 2026-11-20"),
        ("mse<", "found “mse<”; expected words, and key=value"),
        ("=4", "found “=4”; expected words"),
        ("etth1 'open", "found “'open”; expected words"),
        ("mse<<4", "found “mse<<4”"),
        ("etth1|", "found “|”; expected words"),
        ("|etth1", "found “|etth1”"),
        ("etth1||weather", "found “|weather”"),
        ("mse<0.4|low", "mse: found “low”; expected a number"),
        ("state=failed|etth1", "state: found “etth1”; expected "),
    ],
)
def test_what_is_no_filter_says_what_would_be_right(text: str, told: str) -> None:
    with pytest.raises(BadFilter) as problem:
        filter_of(text, EN)
    assert told in str(problem.value)
    assert str(problem.value).isprintable()
    with pytest.raises(BadFilter) as problem:
        filter_of(text, ZH)
    assert CHINESE.search(str(problem.value))


@given(st.text(max_size=30), rows)
def test_whatever_is_typed_is_a_filter_or_refused(text: str, row: RunRow) -> None:
    try:
        found = filter_of(text, EN)
    except BadFilter:
        return
    assert found.passes(row, CONFIG) in (True, False)  # type: ignore[arg-type]


part = st.sampled_from(
    ["etth1", "weather", "failed", "state=failed", "state=finished", "mse<0.4", "mae<1", "vali>0.5",
     "train.batch_size=28", "train.clip_norm=1", "not:etth1", "not:mae<1"]
)  # fmt: skip
plain_part = part.filter(lambda text: not text.startswith("not:"))


@given(rows, plain_part, st.lists(part, max_size=4), st.sampled_from(["|", " | "]))
def test_one_of_many_is_enough_and_not_before_them_is_none_of_them(
    row: RunRow, first: str, others: list[str], between: str
) -> None:
    """What is unknown neither lets a run pass nor keeps it out: it takes something known."""
    words = [text for text in (first, *others) if not set(text) & {*"=<>"}]
    every = [
        *words,
        *(text for text in (first, *others) if text not in words),
    ]  # that none inherits a key
    if every[0].startswith("not:"):
        return
    typed = between.join(every)
    opposite = [text[4:] if text.startswith("not:") else f"not:{text}" for text in every]
    assert passes(typed, row) is any(passes(text, row) for text in every)
    assert passes(f"not:{typed}", row) is all(passes(text, row) for text in opposite)


@given(rows, st.lists(st.sampled_from(["failed", "finished", "stopped", "training"]), min_size=1))
def test_values_of_one_key_are_as_many_terms(row: RunRow, states: list[str]) -> None:
    alone = [passes(f"state={state}", row) for state in states]
    assert passes(f"state={'|'.join(states)}", row) is any(alone)
    assert passes(f"state!={'|'.join(states)}", row) is not any(alone)
    assert passes("|".join(f"state={state}" for state in states), row) is any(alone)


@given(st.lists(rows), st.floats(0, 10))
def test_a_bound_parts_the_runs_that_have_a_number(listed: list[RunRow], bound: float) -> None:
    def those(text: str) -> list[RunRow]:
        found = filter_of(text, EN)
        return [row for row in listed if found.passes(row, {})]

    below, from_it = those(f"mse<{bound!r}"), those(f"mse>={bound!r}")
    known = [row for row in listed if row.test_mse is not None and not math.isnan(row.test_mse)]
    assert len(below) + len(from_it) == len(known)
    assert all(row.test_mse < bound for row in below)  # type: ignore[operator]


def test_every_key_of_a_config_can_be_asked_for() -> None:
    for key in all_keys():
        assert filter_of(f"{key}~x", EN) != RunFilter()
