"""Config files and `--set`: what is read, what is refused, and that a written config reads back."""

import os
import subprocess
import tomllib
import types
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from waiting import PATIENCE_S, python

from timellm_ops.configfile import (
    foreign_config,
    foreign_name,
    parse_toml,
    read_config,
    safe_name,
    write_config,
)
from timellm_ops.contract.config import Config, DataSection, RunSection
from timellm_ops.contract.cross_checks import cross_checks
from timellm_ops.contract.section import Section
from timellm_ops.contract.validation import ConfigError, parse_config

MINIMAL = '[data]\ndataset = "ETTh1"\n'


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "etth1.toml"
    path.write_text(MINIMAL)
    return path


def refusal(path: Path, *overrides: str) -> ConfigError:
    with pytest.raises(ConfigError) as raised:
        read_config(path, overrides)
    text = str(raised.value)
    assert text.isprintable(), "one line, and nothing that a terminal would act on"
    assert "; expected " in text
    return raised.value


def refused_text(file: Path, content: bytes) -> str:
    file.write_bytes(content)
    return str(refusal(file))


# --- reading -------------------------------------------------------------------------------------


def test_a_file_that_names_a_data_set_is_enough(file: Path) -> None:
    config = read_config(file)
    assert config == Config(data=DataSection(dataset="ETTh1"), run=RunSection(name="etth1"))


def test_every_key_of_the_file_counts(file: Path) -> None:
    file.write_text(
        '[data]\ndataset = "ETTh2"\npred_len = 192\n[run]\nname = "night"\n'
        "[train]\nlearning_rate = 1\nthreads = 2\n[policy.thermal]\npause_above_c = 80\n"
        "[gpu.simulated]\nambient_c = -5.5\n"
    )
    config = read_config(file)
    assert config.data.dataset == "ETTh2"
    assert config.data.pred_len == 192
    assert config.run.name == "night"
    assert config.train.learning_rate == 1.0
    assert isinstance(config.train.learning_rate, float)
    assert config.train.threads == 2
    assert config.policy.thermal.pause_above_c == 80.0
    assert config.gpu.simulated.ambient_c == -5.5


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_a_file_from_windows_is_read_with_its_byte_order_mark(file: Path, end: str) -> None:
    file.write_bytes(b"\xef\xbb\xbf" + MINIMAL.replace("\n", end).encode())
    assert read_config(file).data.dataset == "ETTh1"


def test_a_description_in_any_language_is_kept(file: Path) -> None:
    file.write_text(MINIMAL + '[prompt]\ndescription = "电力变压器温度 °C 🌡"\n', encoding="utf-8")
    assert read_config(file).prompt.description == "电力变压器温度 °C 🌡"


def test_a_run_is_named_after_its_file_where_the_file_does_not_say(tmp_path: Path) -> None:
    for name, expected in (
        ("a b.toml", "a-b"), ("..toml", "run"), ("ETTh1.v2.toml", "ETTh1.v2"),
        ("变压器 夜.toml", "变压器-夜"),
    ):  # fmt: skip
        path = tmp_path / name
        path.write_text(MINIMAL)
        assert read_config(path).run.name == expected


# --- files that are none -------------------------------------------------------------------------


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    path = tmp_path / "none.toml"
    assert str(refusal(path)) == (
        f"{path}: found no such file; expected a TOML file such as configs/quickstart.toml"
    )


def test_a_folder(tmp_path: Path) -> None:
    assert str(refusal(tmp_path)) == f"{tmp_path}: found a folder; expected a TOML file"


def test_a_path_through_a_file(file: Path) -> None:
    assert "found a file that cannot be read (Not a directory)" in str(refusal(file / "x.toml"))


def test_an_empty_file_lacks_the_data_set(file: Path) -> None:
    assert refused_text(file, b"").startswith(f"{file}: data: found nothing; expected a table")
    assert "data.dataset: found nothing" in refused_text(file, b"[data]\n")


@pytest.mark.parametrize(
    ("content", "found"),
    [
        (b"\xff\xfe[\x00d\x00", "bytes that are not UTF-8 in line 1"),
        (b'[data]\n\n# caf\xe9\ndataset = "ETTh1"\n', "bytes that are not UTF-8 in line 3"),
        (b"\x00\x00\x00", "a syntax error, Invalid"),
        (b"[data", "a syntax error, "),
        (b"{json: 1}", "a syntax error, "),
        (b"[data]\ndataset = 'ETTh1'\ndataset = 'ETTh2'\n", "a syntax error, Cannot overwrite"),
        (b"[data]\n[data]\n", "a syntax error, Cannot declare"),
        (b"x = 2026-13-45\n", "a syntax error, "),
        (b"x = " + b"1" * 5000, "a syntax error, Exceeds the limit"),
        (b"x = " + b"[" * 50_000, "values nested too deeply"),
    ],
    ids=lambda value: repr(value[:24]),
)
def test_bytes_that_are_no_toml(file: Path, content: bytes, found: str) -> None:
    assert refused_text(file, content).startswith(f"{file}: found {found}")


READER = """
import os, sys
from pathlib import Path
from timellm_ops.configfile import read_config
from timellm_ops.contract.validation import ConfigError
if os.getuid() == 0:
    os.setuid(54321)
try:
    read_config(Path(sys.argv[1]))
except ConfigError as error:
    print(error)
"""


def test_a_config_that_may_not_be_read(file: Path) -> None:
    file.chmod(0)
    with python(READER, file, stdout=subprocess.PIPE) as reader:
        said, _ = reader.communicate(timeout=PATIENCE_S)
    found = "a file that cannot be read (Permission denied)"
    assert said.decode() == f"{file}: found {found}; expected a TOML file\n"


# --- keys and values -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("[train]\nepoch = 3", 'train.epoch: found an unknown key; expected "train.epochs"'),
        ("[trian]\nepochs = 3", 'trian: found an unknown key; expected "train"'),
        ("epochs = 3", 'epochs: found an unknown key; expected "train.epochs" (did you mean it?)'),
        ("[train]\nxyzzy = 3", "expected one of the keys of [train]: epochs, batch_size"),
        ('[train]\nepochs = "3"', 'train.epochs: found "3"; expected a whole number of at least 1'),
        ("[train]\nepochs = 3.0", "train.epochs: found 3.0; expected a whole number"),
        ("[train]\nepochs = true", "train.epochs: found true; expected a whole number"),
        ("[train]\nepochs = 0", "train.epochs: found 0; expected a whole number of at least 1"),
        ("[train]\nepochs = 0x" + "f" * 6000, "found a number of more than 64 bits; expected a"),
        ("[train]\nepochs = [1, 2]", "train.epochs: found [1, 2]; expected"),
        ("[train]\nlearning_rate = nan", "train.learning_rate: found nan; expected a number above"),
        ("[train]\nlearning_rate = inf", "train.learning_rate: found inf; expected a number above"),
        ("[train]\nlearning_rate = true", "train.learning_rate: found true; expected a number"),
        ("[train]\nepochs = 2026-01-31", "train.epochs: found 2026-01-31; expected"),
        ("train = 3", "train: found 3; expected a table, [train]"),
        ("[[train]]", "train: found [{}]; expected a table, [train]"),
        ('[run]\nname = "a/b"', 'run.name: found "a/b"; expected a text of letters, digits'),
        ('[run]\nname = "../up"', 'run.name: found "../up"; expected'),
        ('[run]\nname = "a\\n"', 'run.name: found "a\\n"; expected'),
        ('[run]\nname = "\\u001b[31m"', 'run.name: found "\\x1b[31m"; expected'),
        ('[prompt]\ndescription = "a\\u0000b"', "prompt.description: found"),
        ('"a\\nb" = 1', "a\\nb: found an unknown key"),
        ("[model]\npatch_len = 600", "model.patch_len: found 600; expected at most data.seq_len"),
        ("[gpu.simulated]\nambient = 3", 'expected "gpu.simulated.ambient_c" (did you mean it?)'),
        (
            "[policy.thermal]\nresume_below_c = 90",
            "policy.thermal.resume_below_c: found 90; expected below policy.thermal.pause_above_c",
        ),
    ],
    ids=lambda value: value[:30],
)
def test_what_is_wrong_with_a_key_is_one_line(file: Path, content: str, words: str) -> None:
    head = content + "\n" if not content.startswith("[") else ""
    tail = content + "\n" if content.startswith("[") else ""
    text = refused_text(file, f"{head}{MINIMAL}{tail}".encode())
    assert text.startswith(f"{file}: ")
    assert words in text


def test_a_long_value_is_not_repeated_in_full(file: Path) -> None:
    text = refused_text(file, f'[data]\ndataset = "{"x" * 5000}"\n'.encode())
    assert len(text) < len(str(file)) + 300


# --- overrides -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("override", "key", "value"),
    [
        ("train.epochs=3", "train.epochs", 3),
        (" train.epochs = 3 ", "train.epochs", 3),
        ("train.epochs=1_000", "train.epochs", 1000),
        ("train.learning_rate=1", "train.learning_rate", 1.0),
        ("train.learning_rate=1e-4", "train.learning_rate", 1e-4),
        ("train.threads=2", "train.threads", 2),
        ("train.device=cpu", "train.device", "cpu"),
        ('train.device="cpu"', "train.device", "cpu"),
        ("train.device='cpu'", "train.device", "cpu"),
        ("policy.thermal.enabled=false", "policy.thermal.enabled", False),
        ("policy.thermal.pause_above_c=81.5", "policy.thermal.pause_above_c", 81.5),
        ("gpu.simulated.time_scale=60", "gpu.simulated.time_scale", 60.0),
        ("run.name=2031", "run.name", "2031"),
        ("run.name=true", "run.name", "true"),
        ("run.name=1.5", "run.name", "1.5"),
        ("run.name=2026-01-31", "run.name", "2026-01-31"),
        ("prompt.description=", "prompt.description", ""),
        ('prompt.description=""', "prompt.description", ""),
        ("prompt.description=a = b", "prompt.description", "a = b"),
        ("prompt.description='a, \"b\"'", "prompt.description", 'a, "b"'),
        ('prompt.description=He said "no"', "prompt.description", 'He said "no"'),
        ('prompt.description="two\\nlines"', "prompt.description", "two\nlines"),
        ("prompt.description=1\nepochs = 2", "prompt.description", "1\nepochs = 2"),
        ("prompt.description=温度", "prompt.description", "温度"),
        ("prompt.description=[" + "[" * 50_000, "prompt.description", "[" * 50_001),
        ("prompt.description=" + "9" * 5000, "prompt.description", "9" * 5000),
        ('run={name="x", seed=7}', "run.seed", 7),
    ],
    ids=lambda value: str(value)[:30],
)
def test_an_override_sets_a_key(file: Path, override: str, key: str, value: object) -> None:
    found: Any = read_config(file, [override])
    for name in key.split("."):
        found = getattr(found, name)
    assert found == value
    assert type(found) is type(value)


def test_overrides_win_over_the_file_and_later_ones_over_earlier_ones(file: Path) -> None:
    file.write_text(MINIMAL + "[train]\nepochs = 5\nbatch_size = 8\n")
    config = read_config(file, ["train.epochs=6", "train.epochs=7"])
    assert (config.train.epochs, config.train.batch_size) == (7, 8)


def test_overrides_alone_can_complete_an_empty_file(file: Path) -> None:
    file.write_text("")
    assert read_config(file, ["data.dataset=ETTh2"]).data.dataset == "ETTh2"


@pytest.mark.parametrize(
    ("override", "text"),
    [
        ("train.epochs", '--set: found "train.epochs"; expected key=value, such as train.epochs=3'),
        ("=3", '--set: found "=3"; expected key=value, such as train.epochs=3'),
        ("train..epochs=3", '--set: found "train..epochs=3"; expected key=value'),
        (".=3", '--set: found ".=3"; expected key=value'),
        ("", '--set: found ""; expected key=value'),
        (
            "train.epoch=3",
            '--set train.epoch: found an unknown key; expected "train.epochs" (did you mean it?)',
        ),
        ("xyz.epochs=3", "--set xyz.epochs: xyz: found an unknown key; expected one of the keys"),
        ("epochs=3", '--set epochs: found an unknown key; expected "train.epochs"'),
        ("train=3", "--set train: found 3; expected a table, [train]"),
        ("train.epochs=many", '--set train.epochs: found "many"; expected a whole number of at'),
        ("train.epochs=", '--set train.epochs: found ""; expected a whole number of at least 1'),
        ("train.epochs=-1", "--set train.epochs: found -1; expected a whole number of at least 1"),
        ("train.epochs=1\nx = 2", '--set train.epochs: found "1\\nx = 2"; expected a whole'),
        ("train.epochs=2026-01-31", '--set train.epochs: found "2026-01-31"; expected a whole'),
        ("train.epochs=2.5", "--set train.epochs: found 2.5; expected a whole number"),
        ("train.learning_rate=nan", "--set train.learning_rate: found nan; expected a number"),
        ("train.device=2", '--set train.device: found 2; expected one of "auto", "cpu", "cuda"'),
        ("data.dataset=ETTh3", '--set data.dataset: found "ETTh3"; expected one of "ETTh1"'),
        ("data.dataset.name=3", "--set data.dataset.name: found a key below data.dataset;"),
        ("train.epochs.x=3", "--set train.epochs.x: train.epochs: found a table; expected a whole"),
        ("model.patch_len=600", "--set model.patch_len: found 600; expected at most data.seq_len"),
        ('train={epoch=3}', "--set train: train.epoch: found an unknown key; expected"),
        ("run.name=a/b", '--set run.name: found "a/b"; expected a text of letters'),
        ("prompt.description=\udcff", '--set prompt.description: found "\\udcff"; expected a text'),
        ("backbone.source=a\0b", '--set backbone.source: found "a\\x00b"; expected a text'),
    ],
)  # fmt: skip
def test_an_override_at_fault_is_named(file: Path, override: str, text: str) -> None:
    assert str(refusal(file, override)).startswith(text)


def test_a_fault_of_the_file_is_not_blamed_on_an_override(file: Path) -> None:
    file.write_text(MINIMAL + "[train]\nepochs = 0\n")
    assert str(refusal(file, "train.batch_size=4")).startswith(f"{file}: train.epochs: found 0")


def test_each_fault_is_said_with_where_it_comes_from(file: Path) -> None:
    file.write_text(MINIMAL + "[train]\nepochs = 0\n[model]\npatch_len = 600\n")
    error = refusal(file, "train.lr=1", "gpu.poll_s=-1")
    assert [str(fault).partition(": found")[0] for fault in error.all] == [
        f"{file}: train.epochs",
        "--set train.lr",
        f"{file}: model.patch_len",
        "--set gpu.poll_s",
    ]
    error = refusal(file, "train.epochs", "=3", "gpu.probe=none")
    assert [str(fault).partition(";")[0] for fault in error.all] == [
        '--set: found "train.epochs"',
        '--set: found "=3"',
    ]


@given(st.text(max_size=30), st.text(max_size=30))
def test_any_override_is_either_taken_or_refused_in_one_line(
    tmp_path_factory: pytest.TempPathFactory, key: str, value: str
) -> None:
    file = tmp_path_factory.mktemp("config") / "x.toml"
    file.write_text(MINIMAL)
    for text in (f"{key}={value}", f"train.{key}={value}", f"prompt.description={value}"):
        answer = read_or_refuse(file, text)
        if isinstance(answer, ConfigError):
            assert str(answer).isprintable()
        else:
            assert parse_written(answer) == answer


def read_or_refuse(file: Path, override: str) -> Config | ConfigError:
    try:
        return read_config(file, [override])
    except ConfigError as error:
        return error


# --- paths ---------------------------------------------------------------------------------------


def test_relative_paths_start_at_the_files_own_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path.resolve()
    configs = home / "configs"
    (configs / "models" / "tiny").mkdir(parents=True)
    (configs / "c.toml").write_text(
        '[data]\ndataset = "custom"\npath = "../data/load.csv"\n'
        '[backbone]\nsource = "models/tiny"\n[foreign]\ncommand = "true"\nworkdir = "scripts"\n'
    )
    monkeypatch.chdir(home)
    for path in (configs / "c.toml", Path("configs/c.toml"), Path("configs/../configs/c.toml")):
        config = read_config(path)
        assert config.data.path == str(home / "data" / "load.csv")
        assert config.backbone.source == str(configs / "models" / "tiny")
        assert config.foreign.workdir == str(configs / "scripts")
    config = read_config(Path("configs/c.toml"), ["data.path=here.csv"])
    assert config.data.path == str(configs / "here.csv")


def test_absolute_paths_and_home_are_taken_as_they_are(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", "/home/someone")
    config = read_config(file, ["data.path=/data/x.csv", "backbone.source=~/models/qwen"])
    assert config.data.path == "/data/x.csv"
    assert config.backbone.source == "/home/someone/models/qwen"


@pytest.mark.parametrize("source", ["embedded", "gpt2", "org/name", "Qwen/Qwen2.5-0.5B", "x" * 300])
def test_a_backbone_that_is_no_folder_here_stays_a_name(file: Path, source: str) -> None:
    assert read_config(file, [f'backbone.source="{source}"']).backbone.source == source


def test_a_folder_called_embedded_does_not_hide_the_embedded_backbone(file: Path) -> None:
    (file.parent / "embedded").mkdir()
    assert read_config(file).backbone.source == "embedded"
    here = read_config(file, ["backbone.source=./embedded"])
    assert here.backbone.source == str((file.parent / "embedded").resolve())


def test_paths_that_lead_nowhere_are_for_later_checks_to_refuse(file: Path) -> None:
    (file.parent / "loop").symlink_to("loop")
    for path in ("loop/x.csv", "~no-such-user-here/x.csv", "x" * 300, "a/" * 2500 + "x"):
        assert Path(read_config(file, [f"data.path={path}"]).data.path).is_absolute()
        assert read_config(file, [f"backbone.source=./{path}"]).backbone.source


def test_a_data_path_that_is_empty_means_look_it_up(file: Path) -> None:
    assert read_config(file).data.path == ""
    assert read_config(file, ["data.path="]).data.path == ""


def test_a_folder_whose_name_no_config_can_hold_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / os.fsdecode(b"caf\xe9")
    try:
        folder.mkdir()
    except OSError:
        pytest.skip("this file system takes names in UTF-8 only")
    path = folder / "c.toml"
    path.write_text(MINIMAL)
    assert read_config(path).data.path == ""
    path.write_text(MINIMAL + 'path = "x.csv"\n')
    assert "whose name is not UTF-8" in str(refusal(path))


# --- writing -------------------------------------------------------------------------------------


def parse_written(config: Config) -> Config:
    return parse_config(tomllib.loads(write_config(config).decode()), "written")


texts = st.text(
    st.sampled_from("\"'\\\n\r\t\x7f= #[]{}a")
    | st.characters(exclude_characters="\0", codec="utf-8")
)


def values(hint: Any) -> st.SearchStrategy[Any]:
    """Every value that an annotation of a config allows, within the size of a real run."""
    origin = get_origin(hint)
    if isinstance(hint, type) and issubclass(hint, Section):
        return sections(hint)
    if origin is Literal:
        return st.sampled_from(get_args(hint))
    if origin in (Union, types.UnionType):
        return st.one_of(*(st.none() if a is type(None) else values(a) for a in get_args(hint)))
    if hasattr(hint, "__metadata__"):
        return bounded(get_args(hint)[0], hint.__metadata__[0])
    return {
        bool: st.booleans(),
        float: st.floats(0, 1),
        str: texts,
    }[hint]


def bounded(base: type, meta: msgspec.Meta) -> st.SearchStrategy[Any]:
    if base is str:
        if meta.pattern:
            return st.from_regex(rf"\A{meta.pattern.removeprefix('^')}")
        return texts.filter(bool)
    low = meta.ge if meta.ge is not None else meta.gt
    high = meta.le if meta.le is not None else meta.lt
    if base is int:
        return st.integers(int(low or 0), int(high) - 1 if high is not None else 10**6)
    return st.floats(
        low,
        high if high is not None else 1e9,
        exclude_min=meta.ge is None,
        exclude_max=meta.le is None and high is not None,
    )


def sections(kind: type[Section]) -> st.SearchStrategy[Any]:
    hints = get_type_hints(kind, include_extras=True)
    return st.builds(kind, **{name: values(hint) for name, hint in hints.items()})


def adopted(kept: Section, drawn: Section, holds: Callable[[Any], bool]) -> Any:
    """`kept` with every value of `drawn` that breaks no rule which spans several keys."""
    names = type(kept).__struct_fields__
    for name in (*names, *names):
        value = getattr(drawn, name)
        if isinstance(value, Section):
            within = partial(placed, kept, name)
            value = adopted(getattr(kept, name), value, lambda v, w=within: holds(w(v)))
        changed = placed(kept, name, value)
        kept = changed if holds(changed) else kept
    return kept


def placed(section: Section, name: str, value: object) -> Any:
    return msgspec.structs.replace(section, **{name: value})


def configs() -> st.SearchStrategy[Config]:
    """Any config whose keys agree with each other."""
    plain = Config(data=DataSection(dataset="ETTh1"))
    return sections(Config).map(
        lambda drawn: adopted(plain, drawn, lambda config: not any(cross_checks(config)))
    )


@given(configs())
def test_every_config_reads_back_as_it_was_written(config: Config) -> None:
    assert parse_written(config) == config


def test_a_run_of_a_config_is_read_from_its_own_file(file: Path, tmp_path: Path) -> None:
    config = read_config(file, ["train.threads=3", "prompt.description='''a\nb\"c\\'''"])
    written = tmp_path / "config.toml"
    written.write_bytes(write_config(config))
    assert parse_toml(written) == config
    assert read_config(written) == config


def test_what_is_unset_is_left_out_of_the_file(file: Path) -> None:
    text = write_config(read_config(file)).decode()
    assert "threads" not in text
    assert "emergency_c" not in text
    assert "layers" not in text


# --- foreign commands ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("command", "name"),
    [
        ("bash scripts/TimeLLM_ETTh1.sh", "TimeLLM_ETTh1"),
        ("cd /x && python3 -u train.py --lr 1", "train"),
        ("./a+b.sh", "a-b"),
        ("torchrun train", "foreign"),
        ("", "foreign"),
        ("echo .sh", "foreign"),
        ("bash 脚本.sh", "脚本"),
    ],
)
def test_a_foreign_run_is_named_after_its_script(command: str, name: str) -> None:
    assert foreign_name(command) == name


@given(st.text())
def test_any_text_makes_a_name_that_a_config_takes(text: str) -> None:
    name = safe_name(text)
    config = parse_config({"data": {"dataset": "ETTh1"}, "run": {"name": name}}, "x")
    assert config.run.name == name != ""
    assert safe_name(name) == name


def test_a_name_that_is_cut_to_length_does_not_end_in_a_dash() -> None:
    assert safe_name("x" * 63 + " y") == "x" * 63
    assert safe_name("-x-" * 40).endswith("x")


def test_a_foreign_config_is_complete_and_reads_back(tmp_path: Path) -> None:
    config = foreign_config(
        "bash run.sh", workdir=tmp_path, checkpoint="out/*.pth", overrides=["gpu.probe=none"]
    )
    assert config.foreign.command == "bash run.sh"
    assert config.foreign.workdir == str(tmp_path.resolve())
    assert config.foreign.checkpoint == "out/*.pth"
    assert config.run.name == "run"
    assert config.gpu.probe == "none"
    assert parse_written(config) == config
    named = foreign_config("bash run.sh", workdir=tmp_path, name="mine")
    assert named.run.name == "mine"
    assert named.foreign.checkpoint == Config(data=config.data).foreign.checkpoint


@pytest.mark.parametrize(
    ("command", "overrides", "text"),
    [
        ("a\0b", (), '--engine-command: foreign.command: found "a\\x00b"; expected a text'),
        ("a \udcff", (), '--engine-command: foreign.command: found "a \\udcff"; expected a text'),
        ("true", ("gpu.prob=none",), "--set gpu.prob: found an unknown key; expected"),
    ],
)
def test_a_foreign_command_at_fault_is_named(
    tmp_path: Path, command: str, overrides: tuple[str, ...], text: str
) -> None:
    with pytest.raises(ConfigError) as raised:
        foreign_config(command, workdir=tmp_path, overrides=overrides)
    assert str(raised.value).startswith(text)


# --- what is no file -----------------------------------------------------------------------------


def test_a_pipe_that_nobody_writes_to_and_a_device_are_not_read(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.toml")
    for path in (tmp_path / "pipe.toml", Path("/dev/zero")):
        said = "found a file that cannot be read (no file, but a device or a pipe)"
        assert str(refusal(path)) == f"{path}: {said}; expected a TOML file"


def test_a_pipe_that_the_shell_has_made_is_read(file: Path) -> None:
    reader, writer = os.pipe()
    os.write(writer, file.read_bytes())
    os.close(writer)
    assert read_config(Path(f"/dev/fd/{reader}")).data.dataset == read_config(file).data.dataset
    os.close(reader)
