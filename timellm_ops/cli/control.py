"""`pause`, `resume` and `stop`: requests to a run's supervisor."""

import sys
import time
from typing import Annotated

from cyclopts import Parameter

from timellm_dashboard.words.phrases import said
from timellm_ops.cli.errors import BAD_INPUT, UsageError
from timellm_ops.cli.options import RunRef, language
from timellm_ops.cli.runs import ensure_supervised, state_of
from timellm_ops.client import RunClient
from timellm_ops.contract.commands import (
    LONGEST_OVERRIDE_S,
    AnyRequest,
    PauseRun,
    ResumeRun,
    StopMode,
    StopRun,
)
from timellm_ops.contract.layout import RunLayout
from timellm_ops.contract.reduction import reduce
from timellm_ops.contract.state import RunState
from timellm_ops.contract.timespan import seconds_of
from timellm_ops.store import RunStore, runs_dir

_LOOK_EVERY_S = 0.5


def pause(run: RunRef = "latest") -> int:
    """Hold the engine between two steps, until `resume`."""
    return ask(_resolve(run), PauseRun())


def resume(
    run: RunRef = "latest",
    *,
    for_: Annotated[
        str, Parameter(name="--for", help="How long rules may not hold it: 45m, 2h, 90s.")
    ] = "",
) -> int:
    """Lift your pause; where a rule holds the run, go on against it for half an hour.

    A rule that is overridden may not pause the run until that time is over. It may still stop it.
    """
    return ask(_resolve(run), ResumeRun(for_s=override_s(for_) if for_ else None))


def override_s(text: str) -> float:
    """Seconds for which a rule is to be overridden. Raises `UsageError`."""
    seconds = seconds_of(text)
    if seconds is None or not 0.0 < seconds <= LONGEST_OVERRIDE_S:
        raise UsageError(f'--for: found "{text}"; expected a time of at most 24h, such as 45m')
    return seconds


def stop(
    run: RunRef = "latest",
    *,
    after_checkpoint: Annotated[
        bool,
        Parameter(negative="", help="Go on to the next checkpoint that is due, then stop."),
    ] = False,
    now: Annotated[
        bool,
        Parameter(negative="", help="End the engine now (SIGTERM), a while later by force."),
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
    code = ask(layout, StopRun(mode=mode))
    return _wait(layout) if wait and code == 0 else code


def _resolve(reference: str) -> RunLayout:
    return RunStore(runs_dir()).resolve(reference)


def ask(layout: RunLayout, request: AnyRequest) -> int:
    """Pass a request to the run's supervisor and print the answer; the exit code."""
    ensure_supervised(layout)
    client = RunClient(layout)
    if not client.supervised() and (state := state_of(layout)).ended:
        sys.stderr.write(f"timellm-ops: {layout.run_id} has ended already: {state.end_reason}\n")
        return BAD_INPUT
    reply = client.send(request)
    if reply.ok:
        sys.stdout.write(f"{layout.run_id}: {said(reply.message, language())}\n")
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
