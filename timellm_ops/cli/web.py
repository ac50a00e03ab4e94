"""`web`: the dashboard in a browser on this machine, to look at only."""

import asyncio
import signal
import sys
from collections.abc import Callable
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import msgspec
from cyclopts import Parameter

from timellm_ops.cli.errors import MissingExtra, UsageError
from timellm_ops.cli.options import Json, Lang, RunRef, language
from timellm_ops.store import RunStore, runs_dir

SCHEMA = "timellm-ops.web/1"
_DRIVER = "timellm_dashboard.web_driver:ServedDriver"


def web(
    run: RunRef = "latest",
    *,
    port: Annotated[int, Parameter(help="On 127.0.0.1; 0: a free one.")] = 0,
    json: Json = False,
    lang: Lang = None,
) -> int:
    """Show a run in a browser on this machine, to look at only, until Ctrl+C.

    The address that is printed has a token in it, which the browser keeps as a cookie. Nothing can
    be asked of the run from there. Other machines cannot reach it; tunnel with ssh -L if they must.
    """
    assets = assets_of_the_terminal()
    from timellm_ops.web.server import Dashboards, WebServer
    from timellm_ops.web.session import environment_of_a_session

    if not 0 <= port <= 65535:
        raise UsageError(f"--port: found {port}; expected 0 to 65535")
    layout = RunStore(runs_dir()).resolve(run)
    shown = lang or language()
    served = Dashboards(
        title=layout.run_id,
        command=(
            sys.executable, "-m", "timellm_ops.cli.web_session", str(layout.root), shown,
        ),
        environment=environment_of_a_session(_DRIVER),
        assets=assets,
        lang=shown,
    )  # fmt: skip

    def started(address: str) -> None:
        if json:
            document = {"schema": SCHEMA, "run_id": layout.run_id, "address": address}
            address = msgspec.json.encode(document).decode()
        sys.stdout.write(f"{address}\n")
        sys.stdout.flush()
        sys.stderr.write(
            f"shows {layout.run_id} to whoever has this address, read only, until Ctrl+C\n"
        )

    async def serve() -> None:
        stop, loop = asyncio.Event(), asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            loop.add_signal_handler(number, stop.set)
        await WebServer(served).serve(port, started=started, stop=stop)

    asyncio.run(serve())
    return 0


def assets_of_the_terminal(find: Callable[[str], ModuleSpec | None] = find_spec) -> Path:
    """The terminal for browsers that textual-serve brings. Raises `MissingExtra`."""
    found = find("textual_serve")
    if found is None or found.origin is None or find("aiohttp") is None:
        raise MissingExtra("web needs two more packages: pip install 'timellm-ops[web]'")
    return Path(found.origin).parent / "static"
