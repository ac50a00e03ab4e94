"""Configs that cannot be run: one line names file, key, what was found, what would be right."""

import tomllib
from typing import Any, get_type_hints

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from timellm_ops.contract.config import Config
from timellm_ops.contract.section import Section
from timellm_ops.contract.validation import ConfigError, all_keys, parse_config

SMALLEST: dict[str, Any] = {"data": {"dataset": "ETTh1"}}


def nested(key: str, value: object) -> dict[str, Any]:
    """`SMALLEST` with one dotted key set."""
    tables: dict[str, Any] = {"data": {"dataset": "ETTh1"}}
    *path, last = key.split(".")
    table = tables
    for name in path:
        table = table.setdefault(name, {})
    table[last] = value
    return tables


def complaint(tables: dict[str, Any]) -> str:
    with pytest.raises(ConfigError) as caught:
        parse_config(tables, "my.toml")
    return str(caught.value)


def test_a_config_need_only_name_its_data_set() -> None:
    config = parse_config(SMALLEST, "my.toml")
    assert (config.data.dataset, config.data.seq_len, config.train.epochs) == ("ETTh1", 512, 10)


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        # a key that is not there
        (
            "train.epoch",
            3,
            ('train.epoch: found an unknown key; expected "train.epochs" (did you mean it?)'),
        ),
        ("trian.epochs", 3, 'trian: found an unknown key; expected "train" (did you mean it?)'),
        ("epochs", 3, 'epochs: found an unknown key; expected "train.epochs" (did you mean it?)'),
        (
            "model.epochs",
            3,
            ('model.epochs: found an unknown key; expected "train.epochs" (did you mean it?)'),
        ),
        (
            "policy.thermal.xyzzy",
            1,
            (
                "policy.thermal.xyzzy: found an unknown key; expected one of"
                " the keys of [policy.thermal]: enabled, pause_above_c, resume_below_c, samples,"
                " window, min_dwell_s, emergency_c, unknown_after_s, unknown_action"
            ),
        ),
        (
            "xyzzy",
            1,
            (
                "xyzzy: found an unknown key; expected one of the keys of the top level:"
                " data, run, model, backbone, prompt, train, checkpoint, gpu, host, policy,"
                " supervisor, foreign"
            ),
        ),
        # a type that is wrong
        ("train.epochs", "3", 'train.epochs: found "3"; expected a whole number of at least 1'),
        ("train.epochs", 3.0, "train.epochs: found 3.0; expected a whole number of at least 1"),
        ("train.epochs", True, "train.epochs: found true; expected a whole number of at least 1"),
        (
            "train.learning_rate",
            "fast",
            ('train.learning_rate: found "fast"; expected a number above 0'),
        ),
        (
            "policy.thermal.enabled",
            "yes",
            ('policy.thermal.enabled: found "yes"; expected true or false'),
        ),
        ("train.epochs", [3], "train.epochs: found [3]; expected a whole number of at least 1"),
        ("train.epochs", {}, "train.epochs: found a table; expected a whole number of at least 1"),
        ("train", 3, "train: found 3; expected a table, [train]"),
        ("gpu.simulated", "hot", 'gpu.simulated: found "hot"; expected a table, [gpu.simulated]'),
        # a value that is out of bounds
        ("train.epochs", 0, "train.epochs: found 0; expected a whole number of at least 1"),
        (
            "data.percent",
            101,
            ("data.percent: found 101; expected a whole number of at least 1 and of at most 100"),
        ),
        (
            "run.seed",
            2**31,
            (
                "run.seed: found 2147483648; expected a whole number of at least 0 and"
                " below 2147483648"
            ),
        ),
        (
            "train.epochs",
            10**400,
            (
                "train.epochs: found a number of more than 64 bits; expected a"
                " whole number of at least 1"
            ),
        ),
        (
            "train.learning_rate",
            float("nan"),
            ("train.learning_rate: found nan; expected a number above 0"),
        ),
        (
            "gpu.poll_s",
            float("inf"),
            ("gpu.poll_s: found inf; expected a number of at least 0.05 and of at most 60"),
        ),
        (
            "policy.thermal.emergency_c",
            200,
            (
                "policy.thermal.emergency_c: found 200; expected a"
                " number of at least 0 and of at most 150"
            ),
        ),
        ("train.threads", 0, "train.threads: found 0; expected a whole number of at least 1"),
        ("model.dropout", 1, "model.dropout: found 1; expected a number of at least 0 and below 1"),
        ("data.target", "", 'data.target: found ""; expected a text that is not empty'),
        (
            "data.dataset",
            "etth1",
            (
                'data.dataset: found "etth1"; expected one of "ETTh1", "ETTh2",'
                ' "ETTm1", "ETTm2", "Weather", "ECL", "Traffic", "Exchange", "ILI", "synthetic",'
                ' "custom"'
            ),
        ),
        (
            "run.name",
            "../evil",
            (
                'run.name: found "../evil"; expected a text of letters, digits,'
                " dot, dash and underscore, at most 64"
            ),
        ),
        # a value that does not go with another
        ("model.patch_len", 600, "model.patch_len: found 600; expected at most data.seq_len (512)"),
        ("model.stride", 600, "model.stride: found 600; expected at most data.seq_len (512)"),
        (
            "data.dataset",
            "custom",
            ('data.path: found nothing; expected the CSV or Parquet file of a "custom" data set'),
        ),
        (
            "data.test_ratio",
            0.3,
            ("data.test_ratio: found 0.3; expected below 0.3, which leaves rows for validation"),
        ),
        (
            "train.warmup_steps",
            5,
            (
                'train.warmup_steps: found 5; expected 0 with train.schedule = "onecycle", whose'
                " own rise is train.pct_start of all steps; or another schedule"
            ),
        ),
        (
            "policy.thermal.resume_below_c",
            85,
            (
                "policy.thermal.resume_below_c: found 85; expected"
                " below policy.thermal.pause_above_c (85)"
            ),
        ),
        (
            "policy.thermal.emergency_c",
            80,
            (
                "policy.thermal.emergency_c: found 80; expected above"
                " policy.thermal.pause_above_c (85)"
            ),
        ),
        (
            "policy.thermal.samples",
            6,
            ("policy.thermal.samples: found 6; expected at most policy.thermal.window (5)"),
        ),
        (
            "policy.thermal.unknown_after_s",
            0.5,
            (
                "policy.thermal.unknown_after_s: found 0.5;"
                " expected above gpu.poll_s (1), or every reading would come too late"
            ),
        ),
        (
            "policy.governor.set_point_c",
            84.0,
            (
                "policy.governor.set_point_c: found 84; expected at most 83, 2 °C below"
                " policy.thermal.pause_above_c, or readings of whole degrees would pause the run"
            ),
        ),
        (
            "gpu.simulated.idle_power_w",
            115,
            (
                "gpu.simulated.idle_power_w: found 115; expected below"
                " gpu.simulated.load_power_w (115)"
            ),
        ),
        (
            "gpu.simulated.shutdown_c",
            80,
            ("gpu.simulated.throttle_c: found 87; expected below gpu.simulated.shutdown_c (80)"),
        ),
        (
            "data.seq_len",
            8600,
            (
                "data.seq_len: found 8600; expected with data.pred_len (96) at most"
                " 8640, the training rows"
            ),
        ),
        (
            "data.pred_len",
            2881,
            ("data.pred_len: found 2881; expected at most 2880, the rows of the smallest split"),
        ),
        (
            "data.percent",
            1,
            ("data.percent: found 1; expected at least 2, which leaves one training window"),
        ),
    ],
)
def test_one_line_names_file_key_found_and_expected(key: str, value: object, message: str) -> None:
    assert complaint(nested(key, value)) == f"my.toml: {message}"


@pytest.mark.parametrize(
    ("tables", "message"),
    [
        ({}, "my.toml: data: found nothing; expected a table, [data]"),
        (
            {"data": {}},
            (
                'my.toml: data.dataset: found nothing; expected one of "ETTh1", "ETTh2",'
                ' "ETTm1", "ETTm2", "Weather", "ECL", "Traffic", "Exchange", "ILI", "synthetic",'
                ' "custom"'
            ),
        ),
    ],
)
def test_what_is_missing_is_named(tables: dict[str, Any], message: str) -> None:
    assert complaint(tables) == message


def test_a_gpu_is_named_once_and_by_something_that_can_be_a_uuid() -> None:
    both: dict[str, Any] = {**SMALLEST, "gpu": {"uuid": "GPU-8f6d", "index": 1}}
    assert complaint(both).startswith("my.toml: gpu.index: found 1; expected none beside gpu.uuid")
    name: dict[str, Any] = {**SMALLEST, "gpu": {"uuid": "RTX 3060"}}
    wanted = 'expected a text that begins like "GPU-8f6d" or is a whole "MIG-…"'
    assert complaint(name) == f'my.toml: gpu.uuid: found "RTX 3060"; {wanted}'


def test_a_head_that_is_given_too_much_is_not_solved_for() -> None:
    def tables(**model: Any) -> dict[str, Any]:
        return {**SMALLEST, "model": {"head_start": "solved", "stride": 16, **model}}

    assert complaint(tables(d_ff=128)) == (
        'my.toml: model.head_start: found "solved"; expected "drawn" with a head that is given'
        " 4,224 numbers (model.d_ff times patches); or at most 4,096 of them"
    )
    parse_config(tables(d_ff=124), "my.toml")
    parse_config(tables(d_ff=128, head_start="drawn"), "my.toml")


@pytest.mark.parametrize(
    ("section", "key", "value", "wanted"),
    [("train", "precision", "bf16", "fp32"), ("backbone", "dtype", "nf4", "float32")],
)
def test_a_head_that_is_solved_for_is_not_rounded_in_front_of(
    section: str, key: str, value: str, wanted: str
) -> None:
    tables = {**SMALLEST, "model": {"head_start": "solved"}, section: {key: value}}
    assert complaint(tables) == (
        f'my.toml: {section}.{key}: found "{value}"; expected "{wanted}" with model.head_start ='
        ' "solved"; or a head that is "drawn"'
    )


def test_a_rule_that_is_off_does_not_mind_how_seldom_the_gpu_is_read() -> None:
    seldom: dict[str, Any] = {**SMALLEST, "gpu": {"poll_s": 30.0}}
    assert "policy.thermal.unknown_after_s: found 30; expected above" in complaint(seldom)
    off = {**seldom, "policy": {"thermal": {"enabled": False}}}
    assert not parse_config(off, "my.toml").policy.thermal.enabled


def test_synthetic_data_must_be_long_enough_for_its_windows() -> None:
    tables = {"data": {"dataset": "synthetic", "synthetic_rows": 1000}}
    assert complaint(tables) == (
        "my.toml: data.synthetic_rows: found 1000; expected at least 5 × (seq_len + pred_len) ="
        " 3040"
    )
    split = {"train_ratio": 0.9, "test_ratio": 0.08}
    tables = {"data": {"dataset": "synthetic", "synthetic_rows": 4000, **split}}
    assert "data.pred_len: found 96; expected at most 80" in complaint(tables)


def lines(text: str) -> list[str]:
    """What is said of a file with this text, without its name."""
    with pytest.raises(ConfigError) as caught:
        parse_config(tomllib.loads(text), "my.toml")
    return [str(fault).removeprefix("my.toml: ").partition(";")[0] for fault in caught.value.all]


def test_everything_that_is_wrong_is_said_in_the_order_of_the_file() -> None:
    assert lines(
        """
        [train]
        epochs = "ten"
        learning_rat = 1e-3
        [model]
        patch_len = 600
        [data]
        datset = "ETTh1"
        [policy.thermal]
        resume_below_c = 90
        pause_above_c = 80
        emergency_c = 70
        [gpu]
        probe = "best"
        [gpu.simulated]
        throttle_c = 200
        """
    ) == [
        'train.epochs: found "ten"',
        "train.learning_rat: found an unknown key",
        "data.datset: found an unknown key",
        "data.dataset: found nothing",
        'gpu.probe: found "best"',
        "gpu.simulated.throttle_c: found 200",
    ]


def test_what_goes_across_keys_is_judged_where_each_of_them_is_sound() -> None:
    text = """
        [policy.thermal]
        resume_below_c = 90
        emergency_c = 70
        [train]
        epochs = 0
        [data]
        dataset = "custom"
        [model]
        patch_len = 600
        """
    thermal = [
        "policy.thermal.resume_below_c: found 90",
        "policy.thermal.emergency_c: found 70",
    ]
    assert lines(text) == [
        *thermal,
        "train.epochs: found 0",
        "data.path: found nothing",
        "model.patch_len: found 600",
    ]
    # With another length of windows, nobody knows whether the patches fit.
    unsure = text.replace('"custom"', '"custom"\nseq_len = "long"')
    assert lines(unsure) == [*thermal, "train.epochs: found 0", 'data.seq_len: found "long"']
    # A misspelt table is any of them.
    assert lines(text.replace("[model]", "[modle]")) == [
        "train.epochs: found 0",
        "modle: found an unknown key",
    ]


def test_how_splits_are_cut_is_said_before_what_does_not_fit_into_them() -> None:
    text = '[data]\ndataset = "synthetic"\npred_len = 96\nsynthetic_rows = 100\n'
    assert lines(text) == ["data.synthetic_rows: found 100"]


WRONG = {
    "train.epochs": 0, "data.seq_len": 0, "model.dropout": 2, "policy.thermal.window": "x",
    "gpu.poll_s": -1, "run.name": "a/b", "checkpoint.every_minutes": "x", "nonsense": 1,
    "policy.thermla": 1, "host.poll_s": -3,
}  # fmt: skip


@given(st.permutations(sorted(WRONG)), st.integers(1, len(WRONG)))
def test_however_many_are_wrong_each_is_said_once_and_in_order(
    order: list[str], count: int
) -> None:
    tables: dict[str, Any] = {"data": {"dataset": "ETTh1"}}
    for key in order[:count]:
        *path, last = key.split(".")
        table = tables
        for name in path:
            table = table.setdefault(name, {})
        table[last] = WRONG[key]
    _, error = attempt(tables)
    assert error is not None
    wrong = [key for key in flattened(tables) if key in order[:count]]
    assert [fault.key for fault in error.all] == wrong


ANY_VALUE = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=200)
    | st.dates()
    | st.sampled_from(["ETTh1", "custom", "embedded", "a\nb", "\x1b[31mred"]),
    lambda inner: (
        st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=8), inner, max_size=2)
    ),
    max_leaves=4,
)


@given(key=st.sampled_from(sorted(all_keys())), value=ANY_VALUE)
def test_any_value_of_any_key_is_taken_as_it_is_or_refused_in_one_printable_line(
    key: str, value: object
) -> None:
    config, error = attempt(nested(key, value))
    if error is not None:
        assert str(error).isprintable()
        assert len(str(error)) < 500
        assert str(error).startswith(f"my.toml: {error.key}: found ")
        return
    taken: Any = config
    for name in key.split("."):
        taken = getattr(taken, name)
    assert taken == value


def attempt(tables: dict[str, Any]) -> tuple[Config | None, ConfigError | None]:
    try:
        return parse_config(tables, "my.toml"), None
    except ConfigError as error:
        return None, error


@given(name=st.text(min_size=1, max_size=12), value=ANY_VALUE)
@example(name="gpu.", value=None)
def test_any_name_at_the_top_level_is_a_known_table_or_refused(name: str, value: object) -> None:
    if name in get_type_hints(Config):
        return
    with pytest.raises(ConfigError) as caught:
        parse_config({**SMALLEST, name: value}, "my.toml")
    assert str(caught.value).isprintable()
    assert "unknown key" in str(caught.value)


def test_every_key_is_listed_once_and_exists() -> None:
    keys = list(all_keys())
    assert len(keys) == len(set(keys))
    assert {"data.dataset", "gpu.simulated.ambient_c", "policy.thermal.window"} <= set(keys)
    defaults = msgspec.to_builtins(parse_config(SMALLEST, "my.toml"))
    assert keys == list(flattened(defaults))


def flattened(tables: dict[str, Any], prefix: str = "") -> list[str]:
    found = []
    for name, value in tables.items():
        found += (
            flattened(value, f"{prefix}{name}.") if isinstance(value, dict) else [prefix + name]
        )
    return found


def test_every_section_refuses_what_it_does_not_know() -> None:
    sections = [Config, *(hint for hint in get_type_hints(Config).values())]
    assert all(issubclass(section, Section) for section in sections)
    for section in sections:
        assert section.__struct_config__.forbid_unknown_fields, section


WINDOWS = st.fixed_dictionaries(
    {
        "dataset": st.sampled_from(["ETTh1", "ETTh2", "synthetic"]),
        "seq_len": st.integers(16, 9_000),
        "pred_len": st.integers(1, 3_000),
        "percent": st.integers(1, 100),
        "synthetic_rows": st.integers(100, 60_000),
        "train_ratio": st.floats(0.05, 0.9),
        "test_ratio": st.floats(0.05, 0.4),
    }
)


@given(data=WINDOWS)
def test_data_that_is_accepted_has_a_window_in_each_split(data: dict[str, Any]) -> None:
    config, _ = attempt({"data": data})
    if config is None:
        return
    section = config.data
    if section.dataset == "synthetic":
        rows = section.synthetic_rows
        train, test = int(rows * section.train_ratio), int(rows * section.test_ratio)
        vali = rows - train - test
    else:
        train, vali, test = 8640, 2880, 2880
    used = (train - section.seq_len) * section.percent // 100 + section.seq_len
    assert used >= section.seq_len + section.pred_len
    assert vali >= section.pred_len
    assert test >= section.pred_len
