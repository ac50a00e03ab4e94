"""`import`: a run of what the published script has left: of its log, or of its weights."""

import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import msgspec
from cyclopts import Parameter

from timellm_ops.adapters import PUBLISHED
from timellm_ops.adapters.pattern_file import load_patterns
from timellm_ops.cli.errors import UsageError
from timellm_ops.cli.options import Json, Overrides
from timellm_ops.contract.counting import Count
from timellm_ops.contract.events import encode_event
from timellm_ops.contract.published_weights import WeightsAnswer
from timellm_ops.importer import events_of_log
from timellm_ops.importer import import_log as make_record
from timellm_ops.store import RunStore, runs_dir

SCHEMA = "timellm-ops.import/1"
_PICKLED = (b"PK\x03\x04", b"\x80\x02", b"\x80\x03", b"\x80\x04")
"""How a file begins that torch.save has written."""


class ImportedWeights(WeightsAnswer, frozen=True, kw_only=True):
    """The whole of `import --config ... --json`."""

    run_id: str
    schema: str = SCHEMA


def import_log(
    file: Annotated[Path, Parameter(help="What the script printed, or the checkpoint it saved.")],
    *,
    config: Annotated[
        Path | None,
        Parameter(help="FILE is a checkpoint, trained with the settings of this config."),
    ] = None,
    overrides: Overrides = (),
    patterns: Annotated[
        str,
        Parameter(
            help="FILE is a log of another program: time-series-library, hf-trainer, or a file of "
            "patterns that says what its lines mean."
        ),
    ] = "",
    json: Json = False,
) -> int:
    """Make a run of a log of the published script, or with --config of a checkpoint it saved.

    A log becomes a run record to look at, with --json too, which also prints its events, one JSON
    object a line, and the run's id on standard error.
    The weights of a checkpoint can then be evaluated and exported. It is opened safely: tensors
    are read, and no program that may be in it is run.
    """
    store, now = RunStore(runs_dir()), datetime.now(UTC).astimezone()
    if config is not None and patterns:
        raise UsageError("--patterns goes with a log, --config with a checkpoint")
    if config is not None:
        return _import_weights(file, config, overrides, store, now, json=json)
    if overrides:
        raise UsageError("--set goes with --config: a log has no settings to change")
    if _looks_pickled(file):
        raise UsageError(
            f"{file}: found a file of torch.save; expected a log, or --config CONFIG.toml with "
            "the settings that this checkpoint was trained with"
        )
    known = None
    if patterns not in ("", PUBLISHED):
        known = load_patterns(patterns, "--patterns")
    layout = make_record(file, store, now, sys.argv, known)
    if json:
        for event in events_of_log(file, known):
            sys.stdout.write(encode_event(event).decode() + "\n")
        sys.stderr.write(
            f"made the run {layout.run_id}; look at it: timellm-ops show {layout.run_id}\n"
        )
        return 0
    sys.stdout.write(f"{layout.run_id}\n")
    sys.stderr.write(f"look at it: timellm-ops show {layout.run_id}\n")
    return 0


def _import_weights(
    file: Path,
    config: Path,
    overrides: tuple[str, ...],
    store: RunStore,
    now: datetime,
    *,
    json: bool,
) -> int:
    from timellm_ops.cli.running import checked
    from timellm_ops.configfile import read_config
    from timellm_ops.weights_importer import import_weights

    found = checked(read_config(config, overrides), store, str(config))
    layout, answer = import_weights(file, found, str(config), store, now, sys.argv)
    if json:
        fields = {name: getattr(answer, name) for name in WeightsAnswer.__struct_fields__}
        shown = ImportedWeights(run_id=layout.run_id, **fields)
        sys.stdout.write(msgspec.json.encode(shown).decode() + "\n")
        return 0
    sys.stdout.write(f"{layout.run_id}\n")
    sys.stderr.write(
        f"{Count(answer.tensors):tensor|tensors}, {Count(answer.parameters):number|numbers}, "
        f"stored as {' and '.join(answer.types)}; {answer.ignored} of the frozen "
        "backbone left out\n"
        f"evaluate it: timellm-ops evaluate {layout.run_id}\n"
    )
    return 0


def _looks_pickled(path: Path) -> bool:
    try:
        if not path.is_file():
            return False
        with path.open("rb") as file:
            return file.read(4).startswith(_PICKLED)
    except OSError:
        return False
