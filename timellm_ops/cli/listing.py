"""`list` and `show`: what has been run, and one run on one page."""

import sys
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, NamedTuple

import msgspec
from cyclopts import Parameter
from msgspec import Struct

from timellm_ops.cli.errors import UsageError
from timellm_ops.cli.options import Ascii, Json, Lang, RunRef, style_of
from timellm_ops.cli.rules_shown import rules_of
from timellm_ops.cli.run_configs import RunConfigs
from timellm_ops.cli.run_states import RunStates, state_cache
from timellm_ops.cli.text_table import table
from timellm_ops.cli.thermal import limits_of
from timellm_ops.client import RunClient
from timellm_ops.contract.layout import RunLayout
from timellm_ops.contract.state import RunState
from timellm_ops.contract.validation import one_line
from timellm_ops.paths import user_cache
from timellm_ops.store import RunStore, runs_dir

if TYPE_CHECKING:
    from timellm_dashboard.runs.runfilter import RunFilter
    from timellm_dashboard.viewmodel.headline import StateName

SCHEMA = "timellm-ops.list/1"
_COLUMNS = ("run", "state", "progress", "best vali", "test MSE", "test MAE", "active")


class ListedRun(Struct, frozen=True, kw_only=True):
    """One run in a listing. Numbers are `None` where the run has none yet."""

    run_id: str
    state: str
    """As `show --json` names it in `headline.state`."""
    engine: str
    supervised: bool
    epoch: int
    epochs: int | None
    step: int
    total_steps: int | None
    best_epoch: int | None
    best_vali_mse: float | None
    test_mse: float | None
    test_mae: float | None
    started_at: datetime | None
    active_s: float
    end_reason: str
    path: str


class RunList(Struct, frozen=True, kw_only=True):
    """The whole of `list --json`."""

    runs: tuple[ListedRun, ...]
    schema: str = SCHEMA


def list_runs(
    *,
    filter: Annotated[  # noqa: A002 - the option's name
        tuple[str, ...],
        Parameter(
            negative="",
            help='Only runs with it: words, "train.batch_size=4|8", state=failed, "mse<0.4"; | is'
            " or, and all else and; may be repeated.",
        ),
    ] = (),
    json: Json = False,
) -> int:
    """All runs below the runs folder (TIMELLM_RUNS_DIR, else ./runs), newest last."""
    store = RunStore(runs_dir())
    if store.root.exists() and not store.root.is_dir():
        raise UsageError(f"the runs folder: found {store.root}, a file; expected a folder of runs")
    wanted = _wanted(filter) if filter else None
    seen = _all_seen(store)
    found = tuple(map(_listed, seen if wanted is None else _chosen(seen, wanted)))
    if json:
        sys.stdout.write(msgspec.json.encode(RunList(runs=found)).decode() + "\n")
        return 0
    if seen and not found:
        sys.stdout.write(f"no run of {len(seen)} in {store.root} has {' '.join(filter)}\n")
        return 0
    if not found:
        where = f"{store.root} yet" if store.root.exists() else f"{store.root}, which is not there"
        sys.stdout.write(f"no runs in {where}: timellm-ops run configs/quickstart.toml\n")
        return 0
    for line in table([_COLUMNS, *map(_cells, found)], words=(0, 1, 2)):
        sys.stdout.write(f"{line}\n")
    return 0


class _Seen(NamedTuple):
    """A run as it is found now."""

    layout: RunLayout
    state: RunState
    name: "StateName"
    supervised: bool


def _all_seen(store: RunStore) -> list[_Seen]:
    from timellm_ops.cli.seen_states import SeenStates

    states, names, found = RunStates(state_cache()), SeenStates(), []
    for layout in store.runs():
        try:
            state, supervised = states.state(layout), RunClient(layout).supervised()
        except OSError as error:
            where = error.filename or layout.journal
            left_out = f"{layout.run_id} is left out: {where}: {error.strerror or error}"
            sys.stderr.write(f"timellm-ops: {one_line(left_out)}\n")
            continue
        name = names.name(layout, state, supervised=supervised)
        found.append(_Seen(layout, state, name, supervised))
    return found


def _wanted(texts: tuple[str, ...]) -> "RunFilter":
    """What a filter lets pass. Raises `UsageError` for what is none."""
    from timellm_dashboard.runs.runfilter import BadFilter, filter_of
    from timellm_dashboard.words.runfilter import run_filter_words

    try:
        return filter_of(one_line(" ".join(texts)), run_filter_words("en", ascii_only=True))
    except BadFilter as problem:
        raise UsageError(f"--filter: {problem}") from None


def _chosen(seen: list[_Seen], wanted: "RunFilter") -> list[_Seen]:
    from timellm_dashboard.runs.runlist import row_of

    layouts = [run.layout for run in seen]
    configs = RunConfigs(user_cache()).of(layouts) if wanted.needs_config else {}

    def passes(run: _Seen) -> bool:
        run_id = run.layout.run_id
        return wanted.passes(row_of(run_id, run.state, run.name), configs.get(run_id, {}))

    return [run for run in seen if passes(run)]


def show(
    run: RunRef = "latest", *, json: Json = False, lang: Lang = None, ascii_only: Ascii = False
) -> int:
    """One run on one page: state, results, checkpoints, GPU, and where everything is."""
    from timellm_dashboard.jsonl import view_json
    from timellm_dashboard.plain import page
    from timellm_dashboard.viewmodel.view import view_of

    layout = RunStore(runs_dir()).resolve(run)
    style = style_of(plain=False, json=json, detach=False, lang=lang, ascii_only=ascii_only)
    client = RunClient(layout)
    view = view_of(
        client.all(),
        now_t=time.monotonic(),
        wall_now=datetime.now(UTC),
        supervised=client.supervised(),
        lang=(lang or "en") if json else style.lang,
        ascii_only=style.ascii_only,
        limits=limits_of(layout),
        rules=rules_of(layout),
        damaged=client.damaged,
        run_id=layout.run_id,
    )
    if json:
        sys.stdout.write(view_json(view).decode() + "\n")
        return 0
    sys.stdout.write(page(view) + f"\n\n{layout.root}\n")
    return 0


def _listed(run: _Seen) -> ListedRun:
    layout, state = run.layout, run.state
    mse, mae = _test_errors(state)
    return ListedRun(
        run_id=layout.run_id,
        state=run.name,
        engine=state.engine,
        supervised=run.supervised,
        epoch=state.epoch,
        epochs=state.epochs,
        step=state.step,
        total_steps=state.total_steps,
        best_epoch=state.best_epoch,
        best_vali_mse=state.best_vali_mse,
        test_mse=mse,
        test_mae=mae,
        started_at=state.started_at,
        active_s=round(state.active_s, 1),
        end_reason=state.end_reason,
        path=str(layout.root),
    )


def _test_errors(state: RunState) -> tuple[float | None, float | None]:
    """MSE and MAE of the final test, or of the best epoch so far."""
    if state.final_mse is not None:
        return state.final_mse, state.final_mae
    best = next((row for row in state.rows if row.epoch == state.best_epoch), None)
    return (None, None) if best is None else (best.test_mse, best.test_mae)


def _cells(run: ListedRun) -> tuple[str, ...]:
    from timellm_dashboard.words.text import words

    of_epochs = f"/{run.epochs}" if run.epochs is not None else ""
    return (
        run.run_id,
        str(getattr(words("en"), run.state)).lower(),
        f"epoch {run.epoch}{of_epochs}",
        _number(run.best_vali_mse),
        _number(run.test_mse),
        _number(run.test_mae),
        _duration(run.active_s),
    )


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.4f}"


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}"
