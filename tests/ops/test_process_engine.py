"""The engine as a real process: started, lost, adopted, suspended, ended, and asked how it went."""

import contextlib
import os
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import psutil
import pytest
from families import clear_away, family_argv, gone, members_of, moves, stands, wait_for
from waiting import PATIENCE_S, python, until

from timellm_ops.contract.config import Config, DataSection, ForeignSection
from timellm_ops.contract.layout import RunLayout
from timellm_ops.process.engine import (
    EngineProcess,
    ExitStatus,
    adopt,
    engine_argv,
    launch,
    launch_argv,
    recorded_exit,
)
from timellm_ops.process.identity import ProcessIdentity, identify, is_alive
from timellm_ops.process.records import EngineRecord, read_record, write_record
from timellm_ops.process.table import read_entry

SLEEP = [sys.executable, "-c", "import time; time.sleep(1000)"]


@pytest.fixture
def layout(tmp_path: Path) -> Iterator[RunLayout]:
    root = tmp_path / "runs" / "20260131-214503-night-7f3a"
    root.mkdir(parents=True)
    (tmp_path / "family").mkdir()
    layout = RunLayout(root)
    yield layout
    clear_away(tmp_path / "family")
    living = adopt(layout)
    if living is not None:
        living.kill()


@pytest.fixture
def family(tmp_path: Path) -> Path:
    return tmp_path / "family"


def foreign(command: str, workdir: Path) -> Config:
    return Config(
        data=DataSection(dataset="custom", path="-"),
        foreign=ForeignSection(command=command, workdir=str(workdir)),
    )


def ended(engine: EngineProcess) -> ExitStatus:
    return until(engine.exit_status, "the engine's end")


def output(layout: RunLayout) -> str:
    return layout.engine_log.read_text()


@contextlib.contextmanager
def running(engine: EngineProcess) -> Iterator[EngineProcess]:
    try:
        yield engine
    finally:
        engine.kill()
        until(engine.exit_status, "the engine's end")


# --- starting ------------------------------------------------------------------------------------


def test_an_engine_leads_a_session_and_is_on_record(layout: RunLayout) -> None:
    with running(launch_argv(layout, SLEEP)) as engine:
        entry = read_entry(engine.identity.pid)
        assert entry is not None
        assert entry.session == engine.identity.pid
        assert engine.identity == identify(engine.identity.pid)
        record = read_record(layout.engine_process, EngineRecord)
        assert record == EngineRecord(process=engine.identity, foreign=False)
        assert engine.exit_status() is None
    assert engine.exit_status() == ExitStatus(signal=signal.SIGKILL)


def test_an_engine_stays_the_process_that_was_put_on_record(layout: RunLayout) -> None:
    script = "import os; print(os.getpid())"
    engine = launch_argv(layout, [sys.executable, "-c", script])
    assert ended(engine) == ExitStatus(code=0)
    assert output(layout) == f"{engine.identity.pid}\n"


def test_output_of_every_start_is_appended_to_one_file(layout: RunLayout) -> None:
    script = "import sys; print('out'); sys.stdout.flush(); print('err', file=sys.stderr)"
    for _ in range(2):
        assert ended(launch_argv(layout, [sys.executable, "-c", script])) == ExitStatus(code=0)
    assert output(layout) == "out\nerr\nout\nerr\n"


def test_an_engine_reads_nothing_and_writes_to_a_file(layout: RunLayout) -> None:
    script = "import os, sys; print(*(os.fstat(n).st_mode for n in range(3)), sys.stdin.read())"
    assert ended(launch_argv(layout, [sys.executable, "-c", script])).code == 0
    read, *written = map(int, output(layout).split())
    assert stat.S_ISCHR(read), "/dev/null"
    assert all(map(stat.S_ISREG, written))


def test_an_engine_gets_its_arguments_and_folder_as_they_are(
    layout: RunLayout, tmp_path: Path
) -> None:
    odd = ["", "a b", "$HOME", "'\"", "*", "\\n", "-x", "é\n"]
    script = "import os, sys; print([*sys.argv[1:], os.getcwd()])"
    argv = [sys.executable, "-c", script, *odd]
    assert ended(launch_argv(layout, argv, workdir=tmp_path)).code == 0
    assert output(layout) == f"{[*odd, str(tmp_path.resolve())]}\n"


@pytest.mark.parametrize("code", [0, 1, 2, 3, 77, 255])
def test_an_exit_code_is_learnt_as_it_is(layout: RunLayout, code: int) -> None:
    engine = launch_argv(layout, [sys.executable, "-c", f"import sys; sys.exit({code})"])
    assert ended(engine) == ExitStatus(code=code)
    assert engine.exit_status() == ExitStatus(code=code)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL, signal.SIGSEGV])
def test_an_end_by_signal_is_learnt_as_one(layout: RunLayout, number: signal.Signals) -> None:
    with running(launch_argv(layout, SLEEP)) as engine:
        engine.send_signal(number)
        assert ended(engine) == ExitStatus(signal=number)


def test_a_program_that_is_not_there_says_so_in_the_log(layout: RunLayout) -> None:
    assert ended(launch_argv(layout, ["/nonexistent/program"])) == ExitStatus(code=127)
    assert "/nonexistent/program" in output(layout)


def test_a_folder_that_is_not_there_is_an_error_and_nothing_runs(layout: RunLayout) -> None:
    with pytest.raises(FileNotFoundError):
        launch(layout, foreign("true", layout.root / "none"))
    assert adopt(layout) is None


def test_an_engine_that_cannot_be_put_on_record_never_begins(
    layout: RunLayout, tmp_path: Path
) -> None:
    layout.engine_process.mkdir()
    mark = tmp_path / "it-began"
    with pytest.raises(IsADirectoryError):
        launch_argv(layout, [sys.executable, "-c", f"open({str(mark)!r}, 'w')"])
    until(lambda: not running_with(str(mark)), "the end of what was started")
    assert not mark.exists()


def running_with(word: str) -> list[int]:
    """The living processes with `word` in their command line, this one aside."""
    return [
        process.pid
        for process in psutil.process_iter(["cmdline"])
        if word in " ".join(process.info["cmdline"] or []) and process.pid != os.getpid()
    ]


KILLED_BETWEEN = """
import os, signal, sys
from pathlib import Path
from timellm_ops.contract.layout import RunLayout
from timellm_ops.process.engine import launch_argv

class Deadly(RunLayout, frozen=True):
    @property
    def engine_process(self):
        print("the engine's process exists", flush=True)
        os.kill(os.getpid(), signal.SIGKILL)

mark = sys.stdin.readline().strip()
launch_argv(Deadly(Path(sys.argv[1])), [sys.executable, "-c", f"open({mark!r}, 'w')", mark])
"""


def test_a_supervisor_killed_before_the_record_leaves_nothing_running(
    layout: RunLayout, tmp_path: Path
) -> None:
    """Killed as it is about to look up where the record belongs, with the process there."""
    mark = tmp_path / "it-began"
    with python(KILLED_BETWEEN, layout.root, stdin=-1, stdout=-1) as supervisor:
        said, _ = supervisor.communicate(f"{mark}\n".encode(), timeout=PATIENCE_S)
        assert supervisor.returncode == -signal.SIGKILL
    assert said == b"the engine's process exists\n"
    until(lambda: not running_with(str(mark)), "the end of the engine that nobody knows")
    assert not mark.exists()
    assert adopt(layout) is None


# --- suspending, continuing, killing -------------------------------------------------------------


def test_a_whole_engine_stands_moves_and_ends(layout: RunLayout, family: Path) -> None:
    with running(launch_argv(layout, family_argv(family))) as engine:
        everyone = members_of(family, 7)
        engine.suspend()
        wait_for(stands, everyone)
        assert engine.exit_status() is None
        engine.resume()
        wait_for(moves, everyone)
        engine.suspend()
        engine.kill()
        wait_for(gone, everyone)
        assert ended(engine) == ExitStatus(signal=signal.SIGKILL)


def test_a_suspended_engine_acts_on_sigterm_once_it_is_resumed(
    layout: RunLayout, family: Path
) -> None:
    with running(launch_argv(layout, family_argv(family, depth=1))) as engine:
        everyone = members_of(family, 3)
        engine.suspend()
        wait_for(stands, everyone)
        engine.send_signal(signal.SIGTERM)
        wait_for(stands, everyone)
        engine.resume()
        wait_for(gone, everyone)
        assert ended(engine) == ExitStatus(signal=signal.SIGTERM)


def test_what_is_left_of_an_engine_that_has_ended_can_be_killed(
    layout: RunLayout, family: Path
) -> None:
    with running(launch_argv(layout, family_argv(family))) as engine:
        everyone = members_of(family, 7)
        engine.cpu_seconds()  # whoever has been seen once is known
        os.kill(engine.identity.pid, signal.SIGKILL)
        assert ended(engine) == ExitStatus(signal=signal.SIGKILL)
        rest = {name: who for name, who in everyone.items() if name != "root"}
        assert all(map(is_alive, rest.values()))
        engine.kill()
        wait_for(gone, rest)


def test_a_worker_that_nobody_has_seen_in_a_session_of_its_own_is_ended_too(
    layout: RunLayout, family: Path
) -> None:
    """Its parent is gone before anybody looks: what it has inherited tells whose it is."""
    worker = family / "worker"
    command = (
        f"setsid --fork sh -c 'echo $$ >{worker}.new; mv {worker}.new {worker}; exec sleep 1000'\n"
        f"while [ ! -e {worker} ]; do sleep 0.02; done"
    )
    with running(launch(layout, foreign(command, layout.root))) as engine:
        assert ended(engine) == ExitStatus(code=0)
        left = identify(int(worker.read_text()))
        assert left is not None
        assert is_alive(left)
        engine.kill()
        until(lambda: not is_alive(left), "the worker's end")


def test_seconds_of_work_grow_while_an_engine_works(layout: RunLayout) -> None:
    with running(launch_argv(layout, [sys.executable, "-c", "while True: pass"])) as engine:
        first = engine.cpu_seconds()
        until(lambda: engine.cpu_seconds() > first + 0.1, "a tenth of a second of work")
        last = engine.cpu_seconds()
    assert engine.cpu_seconds() >= last


# --- adopting ------------------------------------------------------------------------------------

LAUNCHER = """
import sys, time
from pathlib import Path
import msgspec
from timellm_ops.contract.config import Config
from timellm_ops.contract.layout import RunLayout
from timellm_ops.process.engine import launch, launch_argv
layout = RunLayout(Path(sys.argv[1]))
if sys.argv[2] == "foreign":
    launch(layout, msgspec.json.decode(sys.argv[3], type=Config))
else:
    launch_argv(layout, sys.argv[3:])
print("launched", flush=True)
time.sleep(1000)
"""


@contextlib.contextmanager
def orphaned(layout: RunLayout, *what: object) -> Iterator[EngineProcess]:
    """An engine whose supervisor, a process of its own, was killed -9."""
    with python(LAUNCHER, layout.root, *what, stdout=subprocess.PIPE) as supervisor:
        assert supervisor.stdout is not None
        assert supervisor.stdout.readline() == b"launched\n"
    engine = adopt(layout)
    assert engine is not None
    with running(engine):
        yield engine


def as_json(config: Config) -> str:
    return msgspec.json.encode(config).decode()


def test_an_engine_outlives_its_supervisor_and_is_adopted_whole(
    layout: RunLayout, family: Path
) -> None:
    with orphaned(layout, "own", *family_argv(family)) as engine:
        everyone = members_of(family, 7)
        assert engine.identity == everyone["root"]
        assert not engine.foreign
        assert engine.exit_status() is None
        engine.suspend()
        wait_for(stands, everyone)
        engine.resume()
        wait_for(moves, everyone)
        assert engine.cpu_seconds() > 0.0
        engine.kill()
        wait_for(gone, everyone)
        assert ended(engine) == ExitStatus(), "nobody could learn how it ended"


def test_an_engine_goes_on_writing_when_its_supervisor_is_gone(layout: RunLayout) -> None:
    script = "import time\nwhile True: print('step', flush=True); time.sleep(0.01)"
    with orphaned(layout, "own", sys.executable, "-c", script):
        size = layout.engine_log.stat().st_size
        until(lambda: layout.engine_log.stat().st_size > size + 50, "ten more steps")


def test_there_is_nothing_to_adopt_where_no_engine_lives(layout: RunLayout) -> None:
    assert adopt(layout) is None
    layout.engine_process.write_bytes(b"\xff")
    assert adopt(layout) is None
    engine = launch_argv(layout, [sys.executable, "-c", ""])
    ended(engine)
    assert adopt(layout) is None


def test_an_engine_that_nobody_has_waited_for_is_not_adopted(layout: RunLayout) -> None:
    """Its supervisor hangs: it neither waits for the dead nor dies itself."""
    argv = [layout.root, "own", sys.executable, "-c", ""]
    with python(LAUNCHER, *argv, stdout=subprocess.PIPE) as supervisor:
        assert supervisor.stdout is not None
        assert supervisor.stdout.readline() == b"launched\n"
        record = read_record(layout.engine_process, EngineRecord)
        assert record is not None
        until(lambda: not is_alive(record.process), "the engine's end")
        entry = read_entry(record.process.pid)
        assert entry is not None
        assert entry.zombie
        assert adopt(layout) is None


@pytest.mark.parametrize("change", [{"start_ticks": 1}, {"boot_id": "another-boot"}])
def test_a_stranger_with_the_engines_pid_is_not_adopted(
    layout: RunLayout, change: dict[str, object]
) -> None:
    with python("import time; time.sleep(1000)") as stranger:
        identity = identify(stranger.pid)
        assert identity is not None
        other = msgspec.structs.replace(identity, **change)
        write_record(layout.engine_process, EngineRecord(process=other))
        assert adopt(layout) is None
        left_over = EngineProcess(other, layout, foreign=False)
        assert left_over.exit_status() == ExitStatus()
        left_over.kill()
        assert stranger.poll() is None


# --- foreign commands ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("command", "status"),
    [
        ("true", ExitStatus(code=0)),
        ("exit 3", ExitStatus(code=3)),
        ("echo one; false", ExitStatus(code=1)),
        ("kill -TERM $$", ExitStatus(signal=signal.SIGTERM)),
        ("kill -KILL $$", ExitStatus(signal=signal.SIGKILL)),
        ("no-such-program-here", ExitStatus(code=127)),
        ("if", ExitStatus(code=2)),
        ("exec sh -c 'exit 9'", ExitStatus(code=9)),
        ("trap 'exit 4' EXIT; exit 3", ExitStatus(code=4)),
    ],
)
def test_how_a_foreign_command_ended(layout: RunLayout, command: str, status: ExitStatus) -> None:
    engine = launch(layout, foreign(command, layout.root))
    assert ended(engine) == status
    assert recorded_exit(layout) == status


@pytest.mark.parametrize("command", ["exit 3", "sleep 0.2; exit 3"])
def test_the_exit_code_of_an_adopted_foreign_command_is_learnt_from_its_launcher(
    layout: RunLayout, command: str
) -> None:
    go = layout.root / "go"
    waits = f"while [ ! -e go ]; do sleep 0.05; done; {command}"
    with orphaned(layout, "foreign", as_json(foreign(waits, layout.root))) as engine:
        assert engine.foreign
        assert engine.exit_status() is None
        go.touch()
        assert ended(engine) == ExitStatus(code=3)


def test_an_adopted_foreign_command_that_is_killed_with_its_launcher(layout: RunLayout) -> None:
    with orphaned(layout, "foreign", as_json(foreign("sleep 1000", layout.root))) as engine:
        engine.kill()
        assert ended(engine) == ExitStatus()


def test_the_status_of_an_earlier_start_is_forgotten(layout: RunLayout) -> None:
    assert ended(launch(layout, foreign("exit 3", layout.root))) == ExitStatus(code=3)
    with running(launch(layout, foreign("sleep 1000", layout.root))) as engine:
        assert recorded_exit(layout) is None
        engine.kill()
        assert ended(engine) == ExitStatus(signal=signal.SIGKILL)


INTERRUPTED = """
import signal, sys, time
print("ready", flush=True)
try:
    while True:
        time.sleep(0.05)
except KeyboardInterrupt:
    print("interrupted", flush=True)
    sys.exit(5)
"""


def script_file(layout: RunLayout, text: str) -> str:
    path = layout.root / "train.py"
    path.write_text(text)
    return f"{sys.executable} {path}"


def test_sigint_reaches_a_foreign_script_inside_shells(layout: RunLayout) -> None:
    """As `bash scripts/TimeLLM_ETTh1.sh` does it: a shell, a shell, and the script."""
    (layout.root / "run.sh").write_text(f"{script_file(layout, INTERRUPTED)}\nexit $?\n")
    with running(launch(layout, foreign("bash run.sh", layout.root))) as engine:
        until(lambda: "ready" in output(layout), "the script")
        engine.send_signal(signal.SIGINT)
        assert ended(engine) == ExitStatus(code=5)
    assert "interrupted" in output(layout)


TERMINATED = """
import signal, sys, time
signal.signal(signal.SIGTERM, lambda *_: sys.exit(5))
print("ready", flush=True)
while True:
    time.sleep(0.05)
"""


DEAF_LAUNCHER = """
import signal
signal.signal(signal.SIGINT, signal.SIG_IGN)
signal.signal(signal.SIGTERM, signal.SIG_IGN)
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_supervisor_that_ignores_a_signal_does_not_make_the_engine_ignore_it(
    layout: RunLayout, number: signal.Signals
) -> None:
    """As in a script's background job, which ignores SIGINT from its birth on."""
    config = foreign("echo ready; exec sleep 1000", layout.root)
    argv = [layout.root, "foreign", as_json(config)]
    with python(DEAF_LAUNCHER + LAUNCHER, *argv, stdout=subprocess.PIPE) as supervisor:
        assert supervisor.stdout is not None
        assert supervisor.stdout.readline() == b"launched\n"
        supervisor.send_signal(number)  # which it still ignores
        engine = adopt(layout)
        assert engine is not None
        until(lambda: "ready" in output(layout), "the command")
        engine.send_signal(number)
        assert ended(engine) == ExitStatus(signal=number)
        assert supervisor.poll() is None


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_launcher_stays_to_tell_how_a_script_took_a_signal(
    layout: RunLayout, number: signal.Signals
) -> None:
    """The signal goes to the whole tree, the launcher included, and nobody else is its parent."""
    script = TERMINATED.replace("signal.SIGTERM", f"signal.{number.name}")
    config = foreign(script_file(layout, script), layout.root)
    with orphaned(layout, "foreign", as_json(config)) as engine:
        until(lambda: "ready" in output(layout), "the script")
        engine.send_signal(number)
        assert ended(engine) == ExitStatus(code=5)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_foreign_script_that_a_signal_ends_is_reported_so(
    layout: RunLayout, number: signal.Signals
) -> None:
    # A signal that these tests were started without, as by nohup, would do nothing in a shell.
    script = (
        "import signal, time\n"
        f"signal.signal({int(number)}, signal.SIG_DFL)\n"
        "print('ready', flush=True)\ntime.sleep(1000)"
    )
    command = f"exec {script_file(layout, script)}"
    with running(launch(layout, foreign(command, layout.root))) as engine:
        until(lambda: "ready" in output(layout), "the script")
        engine.send_signal(number)
        assert ended(engine) == ExitStatus(signal=number)


def test_a_paused_foreign_family_stands_and_can_be_stopped(layout: RunLayout, family: Path) -> None:
    argv = family_argv(family)
    (layout.root / "family.py").write_text(argv[2])
    command = f'{argv[0]} family.py {family} root 2 "$(cat family.py)"'
    with running(launch(layout, foreign(command, layout.root))) as engine:
        everyone = members_of(family, 7)
        everyone["launcher"] = engine.identity
        engine.suspend()
        wait_for(stands, everyone)
        engine.send_signal(signal.SIGTERM)
        wait_for(stands, everyone)
        engine.resume()
        wait_for(gone, everyone)
        assert ended(engine) == ExitStatus(signal=signal.SIGTERM)


def test_a_foreign_python_script_does_not_hold_its_lines_back(
    layout: RunLayout, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PYTHONUNBUFFERED", raising=False)
    command = script_file(layout, "import time\nprint('Saving model')\ntime.sleep(1000)")
    with running(launch(layout, foreign(command, layout.root))):
        until(lambda: "Saving model" in output(layout), "a line that the script did not flush")


@pytest.mark.parametrize(
    ("content", "status"),
    [
        ("0\n", ExitStatus(code=0)),
        ("3", ExitStatus(code=3)),
        ("128\n", ExitStatus(code=128)),
        ("130\n", ExitStatus(signal=signal.SIGINT)),
        ("137\n", ExitStatus(signal=signal.SIGKILL)),
        (f"{128 + signal.SIGRTMAX}\n", ExitStatus(signal=signal.SIGRTMAX)),
        (f"{128 + signal.NSIG}\n", ExitStatus(code=128 + signal.NSIG)),
        ("255\n", ExitStatus(code=255)),
        ("", None),
        ("x\n", None),
        ("1 2\n", None),
        ("\u00b2", None),
    ],
)
def test_what_a_launcher_left(layout: RunLayout, content: str, status: ExitStatus | None) -> None:
    assert recorded_exit(layout) is None
    layout.engine_exit.write_text(content)
    assert recorded_exit(layout) == status


# --- command lines -------------------------------------------------------------------------------


def test_our_own_engine_is_told_its_folder_and_whether_to_go_on(layout: RunLayout) -> None:
    config = Config(data=DataSection(dataset="ETTh1"))
    argv = engine_argv(layout, config)
    assert argv[-4:] == ["-m", "timellm_engine", "--run-dir", str(layout.root)]
    assert engine_argv(layout, config, resume=True) == [*argv, "--resume"]


def test_files_where_a_run_is_started_are_no_part_of_the_engine(
    layout: RunLayout, tmp_path: Path
) -> None:
    (tmp_path / "csv.py").write_text("raise SystemExit('not the real one')")
    argv = engine_argv(layout, Config(data=DataSection(dataset="ETTh1")))
    python_alone = argv[: argv.index("-m")]
    subprocess.run([*python_alone, "-c", "import csv"], cwd=tmp_path, check=True)


def test_a_foreign_command_is_one_word_of_the_launchers_line(layout: RunLayout) -> None:
    command = "a 'b c' && d"
    argv = engine_argv(layout, foreign(command, layout.root), resume=True)
    assert command in argv
    assert argv[-1] == str(layout.engine_exit)


def test_an_identity_of_another_boot_is_nobody(layout: RunLayout) -> None:
    nobody = ProcessIdentity(pid=os.getpid(), start_ticks=1, boot_id="another-boot")
    engine = EngineProcess(nobody, layout, foreign=True)
    assert engine.exit_status() == ExitStatus()
    layout.engine_exit.write_text("0\n")
    assert engine.exit_status() == ExitStatus(code=0)


HANGS = """
import faulthandler, signal, time
{register}
def in_here():
    print("ready", flush=True)
    time.sleep(1000)
in_here()
"""


def hangs(register: str) -> list[str]:
    return [sys.executable, "-c", HANGS.format(register=register)]


def test_an_engine_that_hangs_shows_where_and_lives(layout: RunLayout) -> None:
    argv = hangs("faulthandler.register(signal.SIGUSR1)")
    with running(launch_argv(layout, argv)) as engine:
        until(lambda: "ready" in output(layout), "the engine to be up")
        engine.dump_stacks()
        until(lambda: "in in_here" in output(layout), "its stacks")
        before, _, after = output(layout).partition("It has not crashed")
        assert "in in_here" in after
        assert "in in_here" not in before
        assert engine.exit_status() is None


def test_an_engine_that_would_end_of_it_is_left_alone(layout: RunLayout) -> None:
    with running(launch_argv(layout, hangs(""))) as engine:
        until(lambda: "ready" in output(layout), "the engine to be up")
        engine.dump_stacks()
        time.sleep(0.5)  # a signal is acted on a little after it was sent
        assert "crashed" not in output(layout)
        assert engine.exit_status() is None
        assert is_alive(engine.identity)
