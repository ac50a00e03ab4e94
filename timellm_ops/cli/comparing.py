"""`compare`: two or more runs side by side."""

import shutil
import sys
from typing import Annotated

import msgspec
from cyclopts import Parameter

from timellm_ops.cli.errors import UsageError
from timellm_ops.cli.options import Ascii, Json, Lang, has_unicode, language
from timellm_ops.contract.counting import Count
from timellm_ops.store import RunStore, runs_dir

SCHEMA = "timellm-ops.compare/1"
_WIDTH = 100
"""Of the text where it goes to no terminal."""
_NARROWEST, _WIDEST = 60, 240


def compare(
    *runs: Annotated[str, Parameter(help="Ids, prefixes that fit one run each, or latest.")],
    json: Json = False,
    lang: Lang = None,
    ascii_only: Ascii = False,
) -> int:
    """Two or more runs side by side: config keys that differ, results, losses, what follows.

    A difference between single runs is no proof; the text says what can be told from them.
    """
    from timellm_dashboard.lines import text_of
    from timellm_dashboard.panels.comparison import draw_comparison
    from timellm_dashboard.runs.compare import compare as compare_runs
    from timellm_dashboard.runs.compared import MOST_RUNS
    from timellm_ops.cli.run_services import compared_runs

    if not 2 <= len(runs) <= MOST_RUNS:
        raise UsageError(f"compare: found {Count(len(runs)):run|runs}; expected 2 to {MOST_RUNS}")
    store = RunStore(runs_dir())
    layouts = [store.resolve(run) for run in runs]
    for place, layout in enumerate(layouts):
        if layout in layouts[:place]:
            raise UsageError(f"compare: {layout.run_id} is there twice; expected different runs")
    bare = ascii_only or not has_unicode()
    compared = compare_runs(
        compared_runs(layouts),
        lang=lang or ("en" if json else language()),
        ascii_only=bare and not json,
    )
    if json:
        document = {"schema": SCHEMA, **msgspec.structs.asdict(compared)}
        sys.stdout.write(msgspec.json.encode(document).decode() + "\n")
        return 0
    width = shutil.get_terminal_size((_WIDTH, 24)).columns if sys.stdout.isatty() else _WIDTH
    for row in draw_comparison(compared, max(_NARROWEST, min(_WIDEST, width))):
        sys.stdout.write(f"{text_of(row).rstrip()}\n")
    return 0
