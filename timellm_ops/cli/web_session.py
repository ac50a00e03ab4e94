"""One dashboard behind a browser window: `python -m timellm_ops.cli.web_session RUN_FOLDER LANG`.

It can look at the run, and at the other runs beside it, and has no way to ask anything of them.
"""

import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from timellm_dashboard.app import run_dashboard
from timellm_ops.cli.rules_shown import rules_of
from timellm_ops.cli.run_services import services_of
from timellm_ops.cli.thermal import limits_of
from timellm_ops.client import RunClient
from timellm_ops.contract.commands import AnyRequest, Reply
from timellm_ops.contract.layout import RunLayout


class Onlooker(RunClient):
    """A client that asks for nothing, whoever tells it to."""

    def send(self, request: AnyRequest) -> Reply:  # noqa: ARG002
        """Refuse."""
        return Reply(ok=False, message="this view is read only")


def main(root: str, lang: str) -> int:
    """Show the run in folder `root` until the window is gone."""
    layout = RunLayout(Path(root))
    run_dashboard(
        Onlooker(layout),
        lang="zh" if lang == "zh" else "en",
        ascii_only=False,
        now=lambda: datetime.now(UTC),
        monotonic=time.monotonic,
        limits=limits_of(layout),
        rules=rules_of(layout),
        run_id=layout.run_id,
        # Nothing is written either, not even a report.
        services=msgspec.structs.replace(
            services_of(layout, Onlooker), save_report=None, supervise=None
        ),
        read_only=True,
    )
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
