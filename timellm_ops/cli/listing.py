"""`list` and `show`: what has been run, and one run on one page."""

import sys
import time
from datetime import UTC, datetime
from typing import Annotated

import msgspec
from cyclopts import Parameter
from msgspec import Struct
from msgspec.structs import replace

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
from timellm_ops.store import RunStore, runs_dir

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
    store, states = RunStore(runs_dir()), RunStates(state_cache())
    layouts = store.runs()
    chosen = _chosen(layouts, states, filter) if filter else layouts
    found = _listed(chosen, states)
    if json:
        sys.stdout.write(msgspec.json.encode(RunList(runs=found)).decode() + "\n")
        return 0
    if layouts and not found:
        sys.stdout.write(f"no run of {len(layouts)} in {store.root} has {' '.join(filter)}\n")
        return 0
    if not found:
        sys.stdout.write(f"no runs in {store.root} yet: timellm-ops run configs/quickstart.toml\n")
        return 0
    for line in table([_COLUMNS, *map(_cells, found)], words=(0, 1, 2)):
        sys.stdout.write(f"{line}\n")
    return 0


def _chosen(layouts: list[RunLayout], states: RunStates, texts: tuple[str, ...]) -> list[RunLayout]:
    """The runs that a filter lets pass. Raises `UsageError` for what is none."""
    from timellm_dashboard.runs.runfilter import BadFilter, filter_of
    from timellm_dashboard.runs.runlist import row_of
    from timellm_dashboard.words.runfilter import run_filter_words
    from timellm_ops.cli.seen_states import SeenStates

    try:
        wanted = filter_of(one_line(" ".join(texts)), run_filter_words("en", ascii_only=True))
    except BadFilter as problem:
        raise UsageError(f"--filter: {problem}") from None
    configs = RunConfigs(state_cache().parent).of(layouts) if wanted.needs_config else {}

    seen = SeenStates()

    def passes(layout: RunLayout) -> bool:
        state = states.state(layout)
        supervised = not state.ended and RunClient(layout).supervised()
        row = row_of(layout.run_id, state, supervised=supervised)
        name = seen.name(layout, state, supervised=supervised)
        return wanted.passes(replace(row, state=name), configs.get(layout.run_id, {}))

    return [layout for layout in layouts if passes(layout)]


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


def _listed(layouts: list[RunLayout], states: RunStates) -> tuple[ListedRun, ...]:
    from timellm_ops.cli.seen_states import SeenStates

    seen, found = SeenStates(), []
    for layout in layouts:
        state, supervised = states.state(layout), RunClient(layout).supervised()
        name = seen.name(layout, state, supervised=supervised)
        found.append(_row(layout, state, name, supervised=supervised))
    return tuple(found)


def _row(layout: RunLayout, state: RunState, name: str, *, supervised: bool) -> ListedRun:
    mse, mae = _test_errors(state)
    return ListedRun(
        run_id=layout.run_id,
        state=name,
        engine=state.engine,
        supervised=supervised,
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
