"""What the dashboard of one run may ask: the other runs beside it, and any of them in its place."""

from collections.abc import Callable, Iterable, Mapping

import msgspec

from timellm_dashboard.runs.compared import ComparedRun
from timellm_dashboard.runs.runfilter import ConfigKeys
from timellm_dashboard.runs.runlist import RunRow, row_of
from timellm_dashboard.services import OpenedRun, Services
from timellm_dashboard.viewmodel.view import Recorder
from timellm_ops.cli.rules_shown import rules_of
from timellm_ops.cli.run_configs import RunConfigs
from timellm_ops.cli.run_states import RunStates, state_cache
from timellm_ops.cli.seen_states import SeenStates
from timellm_ops.cli.services import own_services
from timellm_ops.cli.thermal import limits_of
from timellm_ops.client import RunClient
from timellm_ops.contract.layout import RunLayout
from timellm_ops.contract.validation import ConfigError
from timellm_ops.paths import user_cache
from timellm_ops.store import RunStore, load_config

ClientOf = Callable[[RunLayout], RunClient]
"""How a run is followed and asked."""


def services_of(
    layout: RunLayout, client_of: ClientOf = RunClient, states: RunStates | None = None
) -> Services:
    """The services of the dashboard of `layout`; `client_of` makes the sources of other runs."""
    store = RunStore(layout.root.parent)
    known = RunStates(state_cache()) if states is None else states

    configs = RunConfigs(user_cache())
    rows: dict[str, RunRow] = {}
    seen = SeenStates()

    def row(found: RunLayout) -> RunRow:
        state = known.state(found)
        # An ended run needs no supervisor, so nobody looks for one.
        supervised = not state.ended and RunClient(found).supervised()
        name = seen.name(found, state, supervised=supervised)
        made = rows.get(found.run_id)
        if made is None or made.whole is not state or made.state != name:
            made = rows[found.run_id] = row_of(found.run_id, state, name)
        return made

    def runs() -> tuple[RunRow, ...]:
        """All that can be read. Raises `OSError` where there are runs and none can."""
        found: list[RunRow] = []
        problem: OSError | None = None
        for each in store.runs():
            try:
                found.append(row(each))
            except OSError as error:
                problem = error
        if problem is not None and not found:
            raise problem
        return tuple(found)

    def run_configs() -> Mapping[str, ConfigKeys]:
        return configs.of(store.runs())

    def open_run(run_id: str) -> OpenedRun:
        found = store.resolve(run_id)
        return OpenedRun(
            run_id=found.run_id,
            source=client_of(found),
            limits=limits_of(found),
            rules=rules_of(found),
            services=services_of(found, client_of, known),
        )

    def supervise() -> None:
        from timellm_ops.app import SupervisorFailed
        from timellm_ops.cli.runs import ensure_supervised

        try:
            ensure_supervised(layout)
        except SupervisorFailed as failed:
            raise OSError(str(failed)) from failed

    def compared(run_ids: tuple[str, ...]) -> tuple[ComparedRun, ...]:
        return compared_runs(store.resolve(run_id) for run_id in run_ids)

    return msgspec.structs.replace(
        own_services(layout),
        runs=runs,
        run_configs=run_configs,
        runs_folder=str(store.root),
        open_run=open_run,
        compared=compared,
        supervise=supervise,
    )


def compared_runs(layouts: Iterable[RunLayout]) -> tuple[ComparedRun, ...]:
    """The runs read whole, as a comparison needs them. Raises `OSError`."""
    return tuple(_compared(layout) for layout in layouts)


def _compared(layout: RunLayout) -> ComparedRun:
    recorder, client = Recorder(), RunClient(layout)
    recorder.take(client.all())
    try:
        config = msgspec.to_builtins(load_config(layout))
    except ConfigError:
        config = None  # of an old version; its results can still be compared
    return ComparedRun(
        run_id=layout.run_id,
        state=recorder.state,
        history=recorder.history,
        supervised=client.supervised(),
        config=config,
    )
