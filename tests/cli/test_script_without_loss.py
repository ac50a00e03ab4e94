"""A script that draws a bar and prints no loss, under supervision: it has progress all the same."""

from conftest import PATIENCE_S, Shell

from timellm_dashboard.moment import Moment
from timellm_dashboard.plain import progress_line
from timellm_dashboard.viewmodel.look import Look
from timellm_dashboard.viewmodel.view import Recorder, build_view
from timellm_ops.contract import events as ev
from timellm_ops.journal import read_records

STEPS, STEP_S = 80, 0.05

SCRIPT = f"""
import sys, time
for step in range({STEPS} + 1):
    cells = "█" * (10 * step // {STEPS})
    sys.stderr.write(f"\\r{{100 * step // {STEPS}:3d}}%|{{cells:10}}| {{step}}/{STEPS} ")
    sys.stderr.write("[00:01<00:03, 20.00it/s]")
    sys.stderr.flush()
    time.sleep({STEP_S})
sys.stderr.write("\\n")
"""
PATTERNS = r"""
[[pattern]]
event = "bar"
over = "run"
regex = '\d+%\|[^|]*\| (?P<step>\d+)/(?P<total>\d+) \['
example = " 45%|####      | 45/100 [00:12<00:15,  3.60it/s]"
"""


def test_a_bar_without_a_loss_has_progress_speed_and_time_left(shell: Shell) -> None:
    shell.write("script.py", SCRIPT)
    shell.write("my.toml", PATTERNS)
    run = shell.start(
        "run", "--engine-command", "python3 script.py", "--engine-patterns", "my.toml",
        "--gpu", "none", "--plain", output=shell.folder / "out.txt",
    )  # fmt: skip
    assert run.wait(PATIENCE_S) == 0, (shell.folder / "out.txt").read_text()
    state = shell.state()
    assert (state.outcome, state.step, state.total_steps) == ("finished", STEPS, STEPS)
    assert state.loss is None
    records = list(read_records(shell.run.journal))
    told = [record for record in records if isinstance(record.event, ev.Progress)]
    half = next(record for record in told if record.event.iteration >= STEPS // 2)  # type: ignore[union-attr]
    recorder = Recorder()
    recorder.take([record for record in records if record.seq <= half.seq])
    assert half.event.t is not None
    assert half.event.at is not None
    moment = Moment(t=half.event.t, wall=half.event.at)
    shown = build_view(recorder.state, recorder.history, (), moment, Look())
    line = progress_line(shown)
    assert "loss unknown: the script prints none" in line
    assert "NaN" not in line
    assert shown.progress.whole.share is not None
    assert shown.progress.speed.value is not None
    assert shown.progress.speed.value >= STEP_S
    assert shown.left.seconds is not None
    assert shown.left.seconds > 0.0
