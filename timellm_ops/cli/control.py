"""`pause`, `resume` and `stop`: requests to a run's supervisor."""

import sys
import time
from typing import Annotated

from cyclopts import Parameter

from timellm_ops.cli.errors import BAD_INPUT, UsageError
from timellm_ops.cli.options import RunRef
from timellm_ops.cli.runs import ensure_supervised, state_of
from timellm_ops.client import RunClient
from timellm_ops.contract.commands import AnyRequest, PauseRun, ResumeRun, StopMode, StopRun
from timellm_ops.contract.layout import RunLayout
from timellm_ops.contract.reduction import reduce
from timellm_ops.contract.state import RunState
from timellm_ops.store import RunStore, runs_dir

_LOOK_EVERY_S = 0.5


def pause(run: RunRef = "latest") -> int:
    """Hold the engine between two steps, until `resume`."""
    return _ask(_resolve(run), PauseRun())


def resume(run: RunRef = "latest") -> int:
    """Lift your pause. A pause for heat's sake ends when it is cool."""
    return _ask(_resolve(run), ResumeRun())


def stop(
    run: RunRef = "latest",
    *,
    after_checkpoint: Annotated[
        bool, Parameter(negative="", help="Go on to the next checkpoint on disk, then stop.")
    ] = False,
    now: Annotated[
        bool, Parameter(negative="", help="SIGTERM, and SIGKILL after a grace period.")
    ] = False,
    wait: Annotated[
        bool, Parameter(negative="", help="Return when the run has ended, with its exit code.")
    ] = False,
) -> int:
    """End a run: save at the next step, verify it on disk, stop."""
    if after_checkpoint and now:
        raise UsageError("only one of --after-checkpoint and --now can be given")
    mode: StopMode = "now" if now else "after_checkpoint" if after_checkpoint else "checkpoint"
    layout = _resolve(run)
    code = _ask(layout, StopRun(mode=mode))
    return _wait(layout) if wait and code == 0 else code


def _resolve(reference: str) -> RunLayout:
    return RunStore(runs_dir()).resolve(reference)


def _ask(layout: RunLayout, request: AnyRequest) -> int:
    ensure_supervised(layout)
    client = RunClient(layout)
    if not client.supervised() and (state := state_of(layout)).ended:
        sys.stderr.write(f"timellm-ops: {layout.run_id} has ended already: {state.end_reason}\n")
        return BAD_INPUT
    reply = client.send(request)
    if reply.ok:
        sys.stdout.write(f"{layout.run_id}: {reply.message}\n")
        return 0
    sys.stderr.write(f"timellm-ops: {layout.run_id}: {reply.message}\n")
    return BAD_INPUT


def _wait(layout: RunLayout) -> int:
    client, state = RunClient(layout), RunState()
    while True:
        for record in client.all():
            state = reduce(state, record.event)
        if state.ended:
            sys.stdout.write(f"{layout.run_id}: {state.end_reason}\n")
            return state.exit_code or 0
        ensure_supervised(layout)
        time.sleep(_LOOK_EVERY_S)
