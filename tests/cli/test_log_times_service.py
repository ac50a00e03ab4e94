"""The service that tells the dashboard when a run's log was printed, over a run's own files."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

from timellm_ops.cli.services import own_services
from timellm_ops.contract import events as ev
from timellm_ops.contract.layout import RunLayout
from timellm_ops.journal import Journal

BEGIN = datetime(2026, 11, 25, 2, 13, tzinfo=UTC)


def test_it_reads_the_runs_own_files_and_goes_on_as_they_grow(tmp_path: Path) -> None:
    layout = RunLayout(tmp_path)
    times = own_services(layout).log_times
    assert times is not None
    journal = Journal.open(layout.journal)
    journal.append(ev.RunStarted(run_id="r", name="r", engine="timellm", at=BEGIN))
    layout.engine_log.write_text("")
    assert not times().known
    for n in (1, 2):
        with layout.engine_log.open("a") as log:
            log.write(f"\titers: {n}, epoch: 1 | loss: 0.5\n\tspeed: 0.5s/iter\n")
        at = BEGIN + timedelta(minutes=n)
        journal.append(ev.Progress(iteration=n, epoch=1, loss=0.5, at=at))
        found = times()
        assert found.latest == at
        assert found.covered == layout.engine_log.stat().st_size
    assert times().printed(1) == BEGIN + timedelta(minutes=1)
    journal.close()
