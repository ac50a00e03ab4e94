"""`replay`: a past run through the same screens, at any speed."""

import gc
import sys
import time
from array import array
from typing import Annotated

from cyclopts import Parameter

from timellm_dashboard.replay.place import Course, NoSuchPlace, place_of
from timellm_dashboard.replay.replay import FASTEST, SLOWEST, Replay, Schedule
from timellm_dashboard.words.replay import replay_words
from timellm_ops.cli.errors import UsageError
from timellm_ops.cli.options import Ascii, Json, Lang, Plain, RunRef, Style, style_of
from timellm_ops.cli.rules_shown import rules_of
from timellm_ops.cli.services import own_services
from timellm_ops.cli.thermal import limits_of
from timellm_ops.client import RunClient
from timellm_ops.contract.events import JournalRecord
from timellm_ops.contract.layout import RunLayout
from timellm_ops.contract.validation import one_line
from timellm_ops.store import RunStore, runs_dir

_SPEED = 60.0


def replay(
    run: RunRef = "latest",
    *,
    speed: Annotated[
        float, Parameter(help="Seconds of the run in a second; 60 by default.")
    ] = _SPEED,
    begin: Annotated[
        str,
        Parameter(
            name=("--from", "--at"),
            help="Where to begin: 2:30:00 from the start, 14:05 by the clock, epoch 3, step 1200,"
            " 50%; --from=-30m: before the end.",
        ),
    ] = "",
    plain: Plain = False,
    json: Json = False,
    lang: Lang = None,
    ascii_only: Ascii = False,
) -> int:
    """Show a past run again, or what there is so far of one that goes on.

    Space holds it, < and > change the speed, arrows move by a minute and with shift by ten, home
    and end go to its ends, g to a time, an epoch or a step that is typed. Nothing can be asked of
    the run meanwhile.
    """
    style = style_of(plain=plain, json=json, detach=False, lang=lang, ascii_only=ascii_only)
    if not SLOWEST <= speed <= FASTEST:
        raise UsageError(f"--speed: found {speed:g}; expected {SLOWEST:g} to {FASTEST:g}")
    layout = RunStore(runs_dir()).resolve(run)
    records, damaged = _all_records(layout)
    course = Course(records, Schedule(records))
    if course.total_s <= 0.0:
        raise UsageError(
            f"{layout.run_id}: found no times in its record; expected a run that was supervised:"
            f" timellm-ops show {layout.run_id} has all there is"
        )
    place = _place(begin, course) if begin else 0.0
    made = Replay(records, monotonic=time.monotonic, speed=speed, at_s=place, damaged=damaged)
    if style.form == "dashboard":
        return _on_screen(layout, made, style, records)
    return _as_lines(layout, made, style)


def _place(text: str, course: Course) -> float:
    try:
        words = replay_words("en", ascii_only=True)
        return place_of(one_line(text), course, words, here_s=None, zone=None)
    except NoSuchPlace as error:
        raise UsageError(f"--from: {error}") from None


def _all_records(layout: RunLayout) -> tuple[list[JournalRecord], int]:
    """The whole journal, and how many of its lines are damaged.

    It is kept to the end: the collector need not look for what to free in it, which takes a third
    of the time of a long one.
    """
    collecting = gc.isenabled()
    gc.disable()
    try:
        client = RunClient(layout)
        records = list(client.all())
        gc.freeze()
    finally:
        if collecting:
            gc.enable()
    return records, client.damaged()


def _on_screen(layout: RunLayout, made: Replay, style: Style, records: list[JournalRecord]) -> int:
    from timellm_dashboard.replay.app import run_replay
    from timellm_ops.adapters.log_moments import log_ends

    try:
        ends = log_ends(records, layout.engine_log)
    except OSError:
        ends = array("Q")  # the screen of the log says that it cannot be read

    run_replay(
        made,
        lang=style.lang,
        ascii_only=style.ascii_only,
        limits=limits_of(layout),
        rules=rules_of(layout),
        services=own_services(layout),
        log_ends=ends,
    )
    return 0


def _as_lines(layout: RunLayout, made: Replay, style: Style) -> int:
    from timellm_dashboard.jsonl import follow_json
    from timellm_dashboard.plain import follow_plain

    if style.form == "json":
        follow_json(
            made,
            _write_line,
            sleep=time.sleep,
            monotonic=made.monotonic,
            now=made.now,
            stop=lambda: made.finished,
            limits=limits_of(layout),
        )
        return 0
    follow_plain(
        made,
        _write_line,
        lang=style.lang,
        ascii_only=style.ascii_only,
        sleep=time.sleep,
        monotonic=made.monotonic,
        now=made.now,
        stop=lambda: made.finished,
        limits=limits_of(layout),
    )
    return 0


def _write_line(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()
