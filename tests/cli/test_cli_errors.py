"""Bad input: one line, exit code 2, and no run folder. What cannot be here: exit code 3."""

import json
import subprocess
import sys

import pytest
from conftest import Shell

from timellm_ops.cli import WINDOWS

GOOD = '[data]\ndataset = "synthetic"\n'


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('[data]\ndataset = "synthetic"\nseq_lem = 3\n', ("data.seq_lem", "data.seq_len")),
        ('[data]\ndataset = "synthetic"\nseq_len = "many"\n', ("data.seq_len", '"many"', "number")),
        (
            '[data]\ndataset = "synthetic"\nseq_len = 12\n[model]\npatch_len = 16\n',
            ("model.patch_len", "16", "12"),
        ),
        ('[data]\ndataset = "ETTh9"\n', ("data.dataset", "ETTh9", "ETTh1")),
        ("[data\n", ("syntax", "TOML")),
        ("", ("data",)),
    ],
)
def test_a_bad_config_is_one_line_with_file_key_found_and_expected(
    shell: Shell, text: str, words: tuple[str, ...]
) -> None:
    shell.write("bad.toml", text)
    done = shell("run", "bad.toml", "--plain")
    assert done.code == 2
    for word in ("bad.toml", *words):
        assert word in done.error
    assert not (shell.folder / "runs").exists()


def test_each_of_several_faults_is_a_line_of_its_own(shell: Shell) -> None:
    shell.write("bad.toml", '[data]\ndataset = "ETTh9"\n[train]\nepochs = 0\nlr = 1\n')
    done = shell("run", "bad.toml", "--plain", "--set", "gpu.poll_s=-1")
    assert done.code == 2
    assert [line.partition(": found")[0] for line in done.err.splitlines()] == [
        "timellm-ops: bad.toml: data.dataset",
        "timellm-ops: bad.toml: train.epochs",
        "timellm-ops: bad.toml: train.lr",
        "timellm-ops: --set gpu.poll_s",
    ]


def test_a_missing_config_names_one_that_exists(shell: Shell) -> None:
    done = shell("run", "nowhere.toml")
    assert done.code == 2
    assert "nowhere.toml" in done.error
    assert "configs/quickstart.toml" in done.error


@pytest.mark.parametrize(
    "arguments",
    [
        ["run"],
        ["run", "a.toml", "--resume", "latest"],
        ["run", "a.toml", "--plain", "--json"],
        ["run", "a.toml", "--set", "train.epochs"],
        ["run", "a.toml", "--set", "train.epochs=none"],
        ["run", "a.toml", "--gpu", "toaster"],
        ["run", "a.toml", "--nonsense"],
        ["stop", "--now", "--after-checkpoint"],
        ["show", "nothing-like-it"],
        ["attach"],
        ["import", "no.log"],
        ["import", "a.toml"],
        ["dance"],
    ],
)
def test_wrong_usage_is_one_line_and_code_2(shell: Shell, arguments: list[str]) -> None:
    shell.write("a.toml", GOOD)
    done = shell(*arguments)
    assert done.code == 2, done
    assert done.error.startswith("timellm-ops: ")
    assert done.out == ""
    assert not (shell.folder / "runs").exists() or not shell.store.runs()


def test_data_that_is_nowhere_is_code_3_and_names_a_way_out(shell: Shell) -> None:
    data = shell.folder / "data.csv"
    shell.write("custom.toml", f'[data]\ndataset = "custom"\npath = "{data}"\n')
    done = shell("run", "custom.toml")
    assert done.code == 3
    assert str(data) in done.error
    assert "configs/quickstart.toml" in done.error
    assert not (shell.folder / "runs").exists()


def test_more_layers_than_the_backbone_has_are_refused_before_a_folder_is_made(
    shell: Shell,
) -> None:
    shell.write("deep.toml", GOOD + "[backbone]\nlayers = 99\n")
    done = shell("run", "deep.toml")
    assert done.code == 2
    assert "deep.toml: backbone.layers: found 99; expected at most 2" in done.error
    assert not (shell.folder / "runs").exists()


def test_an_empty_list_says_how_to_begin(shell: Shell) -> None:
    done = shell("list")
    assert done.code == 0
    assert "configs/quickstart.toml" in done.out


@pytest.mark.parametrize("arguments", [[], ["--help"], ["run", "--help"]])
def test_help_loads_neither_torch_nor_textual(arguments: list[str]) -> None:
    code = (
        "import sys, io, contextlib\n"
        f"sys.argv = ['timellm-ops', *{arguments!r}]\n"
        "from timellm_ops.cli import main\n"
        "out = io.StringIO()\n"
        "with contextlib.redirect_stdout(out), contextlib.suppress(SystemExit):\n"
        "    main()\n"
        "assert 'Usage: timellm-ops' in out.getvalue()\n"
        "print(sorted({'torch', 'textual', 'transformers', 'pandas'} & set(sys.modules)))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True, timeout=60
    )
    assert done.stdout.strip() == "[]"


def test_every_command_has_its_help(shell: Shell) -> None:
    for command in "run attach pause resume stop list show evaluate predict import doctor".split():  # noqa: SIM905
        done = shell(command, "--help")
        assert done.code == 0
        assert "Usage" in done.out


@pytest.mark.parametrize("platform", ["win32", "cygwin"])
def test_native_windows_gets_one_line_that_names_wsl2(platform: str) -> None:
    code = (
        "import sys\n"
        "from timellm_ops.cli import main\n"
        f"sys.platform = {platform!r}\n"
        "sys.argv = ['timellm-ops', 'list']\n"
        "sys.exit(main())\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], check=False, capture_output=True, text=True, timeout=60
    )
    assert (done.returncode, done.stdout) == (3, "")
    assert done.stderr == f"timellm-ops: {WINDOWS}\n"
    assert "WSL2" in WINDOWS


def test_a_name_that_is_none_is_a_fault_of_the_option_that_gave_it(shell: Shell) -> None:
    shell.write("good.toml", GOOD)
    done = shell("run", "good.toml", "--plain", "--name", "a b")
    assert done.code == 2
    assert done.error.startswith('timellm-ops: --name: found "a b"')
    set_too = shell("run", "good.toml", "--plain", "--set", "run.name=a b")
    assert set_too.error.startswith('timellm-ops: --set run.name: found "a b"')


def test_a_horizon_longer_than_a_split_is_no_fault_of_the_windows(shell: Shell) -> None:
    shell.write("etth1.toml", '[data]\ndataset = "ETTh1"\n')
    done = shell("run", "etth1.toml", "--plain", "--set", "data.pred_len=100000")
    assert done.code == 2
    assert "--set data.pred_len: found 100000; expected at most 2880" in done.err
    assert "data.seq_len" not in done.err
    both = shell("run", "etth1.toml", "--plain", "--set", "data.seq_len=8600")
    assert "data.seq_len: found 8600; expected with data.pred_len (96) at most 8640" in both.err


@pytest.mark.parametrize(("what", "always"), [("template", "TOML"), ("schema", "JSON")])
def test_what_is_about_every_config_says_why_it_takes_no_option(
    shell: Shell, what: str, always: str
) -> None:
    done = shell("config", what, "--json")
    assert done.code == 2
    assert f"config {what} takes no file and no options" in done.error
    assert f"always {always}" in done.error


def test_a_config_is_shown_as_a_document_with_a_schema(shell: Shell) -> None:
    shell.write("good.toml", GOOD)
    done = shell("config", "show", "good.toml", "--json")
    assert done.code == 0, done.err
    document = json.loads(done.out)
    assert document["schema"] == "timellm-ops.config/1"
    assert document["data"]["dataset"] == "synthetic"
