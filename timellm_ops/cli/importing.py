"""`import`: a run record of a log that the published script has left."""

import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from timellm_ops.contract.events import encode_event
from timellm_ops.importer import events_of_log
from timellm_ops.importer import import_log as make_record
from timellm_ops.store import RunStore, runs_dir


def import_log(
    log: Annotated[Path, Parameter(help="What the published script printed.")],
    *,
    json: Annotated[
        bool, Parameter(negative="", help="Also print its events, one JSON object a line.")
    ] = False,
) -> int:
    """Make a run record of a log of the published script."""
    layout = make_record(log, RunStore(runs_dir()), datetime.now(UTC).astimezone(), sys.argv)
    if json:
        for event in events_of_log(log):
            sys.stdout.write(encode_event(event).decode() + "\n")
        sys.stderr.write(f"{layout.run_id}\n")
        return 0
    sys.stdout.write(f"{layout.run_id}\n")
    sys.stderr.write(f"look at it: timellm-ops show {layout.run_id}\n")
    return 0
