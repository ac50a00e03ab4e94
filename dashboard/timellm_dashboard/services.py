"""What the dashboard may ask of its surroundings besides the run itself. Each can be absent."""

from collections.abc import Callable
from pathlib import Path

from msgspec import Struct

from timellm_dashboard.answers.facts import Facts
from timellm_dashboard.report import Report
from timellm_dashboard.report_parts import Extras
from timellm_ops.contract.state import RunState


class Services(Struct, frozen=True, kw_only=True):
    """Passed in by whoever starts the dashboard, so that it need not know where runs live."""

    log: Path | None = None
    """The raw output of the engine, which grows."""
    facts: Callable[[RunState], Facts | None] | None = None
    """What the seventeen answers of the help are made of. The first call may take a second."""
    report_extras: Callable[[], Extras] | None = None
    """What a report has besides the journal: evaluations, the engine's last lines."""
    save_report: Callable[[Report], Path] | None = None
    """Writes the report as a page with plots; returns where. Raises `OSError`."""
