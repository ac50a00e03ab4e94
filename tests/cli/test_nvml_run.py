"""Whole runs beside a driver that plays a script: what the card does is what the run does."""

import signal
import time
from pathlib import Path

import pytest
from conftest import PATIENCE_S, TINY, Shell
from nvml_driver import FULL, Library, rewrite, until

from timellm_ops.app import Order, start_supervisor
from timellm_ops.contract import events as ev
from timellm_ops.contract.state import RunState
from timellm_ops.journal import read_records
from timellm_ops.process.engine import mark_of
from timellm_ops.process.gpu_lock import GpuTaken, take_gpu
from timellm_ops.process.identity import is_alive, send_signal
from timellm_ops.process.records import EngineRecord, SupervisorRecord, read_record
from timellm_ops.process.tree import kill_tree

pytestmark = pytest.mark.slow

SCRIPT = r"""
import time
for i in range(1, 100000):
    time.sleep(0.05)
    print(f"\titers: {i}, epoch: 1 | loss: {1 / i:.7f}")
    print("\tspeed: 0.0500s/iter; left time: 9.0000s", flush=True)
"""
CONFIG = """
[data]
dataset = "synthetic"

[gpu]
probe = "nvml"
uuid = "GPU-00000001"
poll_s = 0.1

[host]
poll_s = 1.0

[policy.thermal]
samples = 2
window = 3
min_dwell_s = 0.2

[foreign]
command = "exec python3 script.py"
checkpoint = "checkpoint"
"""


SOON = ("--set", "gpu.deadline_s=1.0", "--set", "policy.thermal.unknown_after_s=1.5")
"""What is missing is missed soon."""


def card(celsius: str) -> str:
    """The second of two, at these temperatures; the first is hot all the time."""
    return f"{FULL}value gpus 2\nvalue temperature@0 99\nvalue temperature@1 {celsius}\n"


def begin(shell: Shell, *options: str) -> None:
    shell.write("script.py", SCRIPT)
    shell.write("run.toml", CONFIG)
    done = shell("run", "run.toml", "--detach", *options)
    assert done.code == 0, done
    shell.until(lambda state: state.iteration > 0 and state.sample is not None)


def events(shell: Shell) -> list[ev.Event]:
    return [record.event for record in read_records(shell.run.journal)]


class Held:
    """Whether the engine stands still because of a rule."""

    def __init__(self, rule: str) -> None:
        self.rule = rule

    def __call__(self, state: RunState) -> bool:
        return state.standing and [hold.rule for hold in state.holds] == [self.rule]


def moves(state: RunState) -> bool:
    return not state.standing and not state.holds


def test_a_run_follows_the_temperature_of_its_own_card(shell: Shell, driver: Library) -> None:
    script = driver(card("60 63 67 72"))
    begin(shell)
    rewrite(script, card("78 82 84 86 88"))
    stood = shell.until(Held("thermal"))
    size = shell.run.engine_log.stat().st_size
    time.sleep(0.5)
    assert shell.run.engine_log.stat().st_size == size
    rewrite(script, card("84 80 77 74 70 68"))
    shell.until(lambda state: moves(state) and state.step > stood.step)
    assert shell("stop", "--now", "--wait").code == 0
    told = events(shell)
    samples = [event.sample for event in told if isinstance(event, ev.Telemetry)]
    assert {(s.source, s.index, s.gpus) for s in samples} == {("nvml", 1, 2)}
    temperatures = [s.temperature_c for s in samples]
    assert 99.0 not in temperatures
    assert max(t for t in temperatures if t is not None) > 85.0
    decisions = [event for event in told if isinstance(event, ev.PolicyDecision)]
    assert [(d.rule, d.action) for d in decisions] == [("thermal", "pause"), ("thermal", "resume")]
    (host, *_) = [event.sample for event in told if isinstance(event, ev.HostTelemetry)]
    assert host.disk_free_bytes is not None
    assert host.memory_available_bytes is not None


FAULTS = {
    "GPU is lost": "error nvmlDeviceGetTemperatureV 15",
    "different versions": "error nvmlInitWithFlags 18\nerror nvmlDeviceGetTemperatureV 18",
    "crashed (SIGSEGV)": "crash nvmlDeviceGetTemperatureV\ncrash nvmlDeviceGetTemperature",
    "": "error nvmlDeviceGetTemperatureV 3\nerror nvmlDeviceGetTemperature 3",
}
"""By what is told of it, a fault that leaves the temperature unknown."""


def test_a_card_that_cannot_be_read_holds_the_run_until_it_can(
    shell: Shell, driver: Library
) -> None:
    script = driver(card("60"))
    begin(shell, *SOON)
    for words, fault in FAULTS.items():
        rewrite(script, f"{card('60')}{fault}\n")
        held = shell.until(Held("telemetry"))
        assert words in held.telemetry_problem
        assert held.engine_pid is not None
        rewrite(script, card("60"))
        shell.until(lambda state, held=held: moves(state) and state.step > held.step)  # type: ignore[misc]
    both = "hang nvmlDeviceGetTemperatureV\nhang nvmlDeviceGetTemperature\n"
    rewrite(script, card("60") + both)
    held = shell.until(Held("telemetry"))
    assert "NVML has not answered for 1 s, in nvmlDeviceGetTemperature" in held.telemetry_problem
    assert shell("stop", "--now", "--wait").code == 0
    assert shell.state().outcome == "stopped"
    until(lambda: not living_with(script), "an end of every process that played the script")


@pytest.mark.parametrize("engine_too", [False, True], ids=["supervisor", "both"])
def test_a_power_limit_outlives_a_killed_supervisor_and_is_put_back_by_the_next(
    shell: Shell,
    driver: Library,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    engine_too: bool,
) -> None:
    limit = tmp_path / "limit_mw"
    monkeypatch.setenv("NVML_STUB_STATE", str(limit))
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(shell.runtime))
    driver(f"{card('84')}value power_lowest_mw 40000\nvalue power_highest_mw 130000\n")
    # So far above the set point that the governor need not wait for a whole minute of readings.
    far = ("--set", "policy.governor.set_point_c=60")
    begin(shell, "--set", "policy.governor.actuator=power", *far)
    lowered = shell.until(lambda state: state.power is not None and state.power.limit_w < 115.0)
    assert lowered.power is not None
    assert lowered.sample is not None
    uuid = lowered.sample.uuid or ""
    supervisor = read_record(shell.run.supervisor_process, SupervisorRecord)
    engine = read_record(shell.run.engine_process, EngineRecord)
    assert supervisor is not None
    assert engine is not None
    send_signal(supervisor.process, signal.SIGKILL)
    if engine_too:
        kill_tree(engine.process, mark_of(shell.run))
    until(lambda: not is_alive(supervisor.process), "an end of the supervisor")
    assert int(limit.read_text()) < 115_000
    adopted_t = time.monotonic()
    start_supervisor(Order(root=str(shell.run.root), mode="adopt"))
    if not engine_too:
        locks = shell.runtime / "timellm-ops"  # the card is its own again
        with pytest.raises(GpuTaken), take_gpu(locks, uuid, "another"):
            pass
        # What it reads of the card now is not what the run found.
        shell.until(
            lambda state: (state.sample_t or 0.0) > (state.watched_since_t or 0.0) > adopted_t
        )
        assert shell("stop", "--now", "--wait").code == 0
    ended = shell.until(lambda state: state.ended)
    assert ended.power is not None
    assert (ended.power.found_w, ended.power.limit_w) == (115.0, 115.0)
    assert int(limit.read_text()) == 115_000


def living_with(script: Path) -> list[str]:
    """Processes that were started beside the driver of this script."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            environment = (process / "environ").read_bytes()
        except OSError:
            continue
        if f"NVML_STUB_SCRIPT={script}\0".encode() in environment:
            found.append(process.name)
    return found


def test_a_second_run_on_the_same_card_is_refused_unless_it_may_share(
    shell: Shell, driver: Library
) -> None:
    driver(card("60"))
    begin(shell)
    first = shell.run.run_id
    refused = shell("run", "run.toml", "--plain")
    assert refused.code == 3, refused
    assert f"in use by run {first}" in refused.out + refused.err
    assert "gpu.share = true" in refused.out + refused.err
    assert shell("run", "run.toml", "--detach", "--set", "gpu.share=true").code == 0
    assert shell("stop", first, "--now", "--wait").code == 0
    assert shell("stop", "--now", "--wait").code == 0
    again = shell("run", "run.toml", "--detach")
    assert again.code == 0, again
    assert shell("stop", "--now", "--wait").code == 0


OWN = TINY.replace("epochs = 2", "epochs = 400\npatience = 400").replace(
    'probe = "none"', 'probe = "nvml"\nuuid = "GPU-00000001"\npoll_s = 0.1'
)
"""Our own engine, which is started again when it is killed, with the card looked at."""


def test_a_run_that_is_started_again_by_the_next_supervisor_has_its_card_for_itself(
    shell: Shell, driver: Library
) -> None:
    driver(card("60"))
    shell.write("run.toml", f"{OWN}\n[supervisor]\nrestarts = 8\nrestart_after_s = 0.2\n")
    assert shell("run", "run.toml", "--detach").code == 0
    begun = shell.until(lambda state: state.last is not None and state.sample is not None)
    first = shell.run
    supervisor, engine = shell.supervisor().process, shell.engine().process
    assert send_signal(supervisor, signal.SIGKILL)
    until(lambda: not is_alive(supervisor), "an end of the supervisor")
    assert send_signal(engine, signal.SIGKILL)
    until(lambda: not is_alive(engine), "an end of the engine")
    assert begun.sample is not None
    with take_gpu(shell.runtime / "timellm-ops", begun.sample.uuid or "", "another-run"):
        client = shell.start("attach", "--plain", output=shell.folder / "out")
        shell.until(lambda state: "in use by run another-run" in state.restart_reason)
        assert shell.state().engine_pid is None
    shell.until(lambda state: state.engine_pid is not None and state.activity == "training")
    refused = shell("run", "run.toml", "--plain")
    assert refused.code == 3, refused
    assert f"in use by run {first.run_id}" in refused.out + refused.err
    assert shell("stop", first.run_id, "--wait").code == 0
    assert client.wait(PATIENCE_S) == 0


def test_a_gpu_that_is_lost_ends_the_run_saved_with_code_5_and_no_other_start(
    shell: Shell, driver: Library
) -> None:
    script = driver(card("60"))
    shell.write("run.toml", f"{OWN}\n[supervisor]\nrestarts = 8\nrestart_after_s = 0.2\n")
    client = shell.start("run", "run.toml", "--plain", output=shell.folder / "out")
    shell.until(lambda state: state.iteration > 0 and state.sample is not None)
    rewrite(script, f"{card('60')}error nvmlDeviceGetTemperatureV 15\n")
    assert client.wait(PATIENCE_S) == 5
    state = shell.state()
    assert (state.outcome, state.exit_code, state.restarts) == ("stopped_for_hardware", 5, 0)
    assert "GPU is lost" in state.end_reason
    assert state.steps_at_risk == 0
    assert f"timellm-ops run --resume {shell.run.run_id}" in state.end_reason


def test_a_card_without_memory_left_is_refused_and_says_so(shell: Shell, driver: Library) -> None:
    driver(f"{card('60')}value memory_used@1 6400000000\n")
    shell.write("script.py", SCRIPT)
    shell.write("run.toml", CONFIG)
    refused = shell("run", "run.toml", "--plain")
    assert refused.code == 3, refused
    assert "of 6.00 GiB are free" in refused.out + refused.err
    unseen = shell("run", "run.toml", "--detach")
    assert unseen.code == 3, unseen
    assert "of 6.00 GiB are free" in unseen.err
    assert shell.store.resolve(unseen.out.strip()).run_id == unseen.out.strip()


@pytest.mark.parametrize(
    ("options", "why"),
    [
        (("gpu.uuid=GPU-9",), "gpu.uuid: found GPU-9; expected the UUID of a GPU that is here"),
        (("gpu.uuid=GPU-0",), "or the beginning of one alone: GPU-00000000-1111"),
        (
            ('gpu.uuid=""', "gpu.index=2", "gpu.probe=auto", "gpu.share=true"),
            "gpu.index: found 2; expected 0 to 1: 2 GPUs are here",
        ),
    ],
)
def test_a_run_does_not_begin_without_the_card_that_it_asks_for(
    shell: Shell, driver: Library, options: tuple[str, ...], why: str
) -> None:
    driver(card("61"))
    shell.write("script.py", SCRIPT)
    shell.write("run.toml", CONFIG)
    chosen = [word for option in options for word in ("--set", option)]
    done = shell("run", "run.toml", "--detach", *chosen)
    assert (done.code, why in done.err) == (3, True), done
    assert not any(isinstance(event, ev.EngineStarted) for event in events(shell))
