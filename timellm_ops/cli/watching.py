"""Watch a run until it ends or the person leaves: dashboard, plain lines or JSON lines."""

import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime

from timellm_dashboard.words.phrases import said
from timellm_dashboard.words.text import words
from timellm_ops.cli.interrupts import Interrupts
from timellm_ops.cli.options import Language, Style
from timellm_ops.cli.preferences import taste_of
from timellm_ops.cli.rules_shown import rules_of
from timellm_ops.cli.runs import ensure_supervised, state_of
from timellm_ops.cli.thermal import limits_of
from timellm_ops.cli.watching_texts import watching_texts
from timellm_ops.client import RunClient
from timellm_ops.contract.layout import RunLayout
from timellm_ops.contract.state import RunState

_TAKE_OVERS = 3
"""How often a watching client replaces a supervisor that has died, before it gives up."""


def watch(layout: RunLayout, style: Style, interrupts: Interrupts | None) -> int:
    """Show the run; returns its exit code, or 0 where the person left it going.

    `interrupts` is what has listened to Ctrl+C since before the run began; `None` for the
    dashboard, where Ctrl+C is a key.
    """
    if interrupts is None:
        return _watch_on_screen(layout, style)
    interrupts.client = RunClient(layout)
    return _watch_as_lines(layout, style, interrupts)


def listen(style: Style, *, owns_run: bool) -> Interrupts | None:
    """Take Ctrl+C over where the run will be shown as lines."""
    return Interrupts(owns_run=owns_run) if style.form in ("plain", "json") else None


def _watch_on_screen(layout: RunLayout, style: Style) -> int:
    from timellm_dashboard.app import run_dashboard
    from timellm_ops.cli.run_services import services_of

    taste = taste_of(style.preferences)
    state = run_dashboard(
        RunClient(layout),
        lang=style.lang,
        ascii_only=style.ascii_only,
        now=_wall,
        monotonic=time.monotonic,
        limits=limits_of(layout),
        rules=rules_of(layout),
        taste=taste,
        services=services_of(layout),
        run_id=layout.run_id,
    )
    if state.run_id not in ("", layout.run_id):
        state = state_of(layout)  # another run was shown last; this is about the one asked for
    for text in farewell(layout, state, style.shown_lang):
        sys.stdout.write(f"{text}\n")
    return state.exit_code or 0


def _watch_as_lines(layout: RunLayout, style: Style, interrupts: Interrupts) -> int:
    state = _follow(layout, style, interrupts)
    for _ in range(_TAKE_OVERS):
        if state.ended or interrupts.asked_to_leave() or not ensure_supervised(layout):
            break
        sys.stderr.write(f"{watching_texts(style.shown_lang).adopted_meanwhile}\n")
        state = _follow(layout, style, interrupts)
    if state.ended:
        return state.exit_code or 0
    sys.stderr.write(f"{left(layout, state, style.shown_lang)}\n")
    return 0


def _follow(layout: RunLayout, style: Style, interrupts: Interrupts) -> RunState:
    from timellm_dashboard.jsonl import follow_json
    from timellm_dashboard.plain import follow_plain

    if style.form == "json":
        return follow_json(
            RunClient(layout),
            _write_line,
            sleep=interrupts.sleep,
            monotonic=time.monotonic,
            now=_wall,
            stop=interrupts.asked_to_leave,
            limits=limits_of(layout),
            rules=rules_of(layout),
            run_id=layout.run_id,
        )
    return follow_plain(
        RunClient(layout),
        _write_line,
        lang=style.lang,
        ascii_only=style.ascii_only,
        sleep=interrupts.sleep,
        monotonic=time.monotonic,
        now=_wall,
        stop=interrupts.asked_to_leave,
        limits=limits_of(layout),
        rules=rules_of(layout),
        run_id=layout.run_id,
    )


def farewell(layout: RunLayout, state: RunState, lang: Language) -> Iterator[str]:
    """What is said when the dashboard has closed: how the run ended, or what becomes of it."""
    if state.outcome is None:
        yield left(layout, state, lang)
        return
    texts = watching_texts(lang)
    phase: str = state.phase if lang == "en" else getattr(words(lang), state.outcome)
    reason = said(state.end_reason, lang)
    yield texts.ended.format(run=layout.run_id, phase=phase, reason=reason)
    yield texts.all_of_it.format(folder=layout.root)


def left(layout: RunLayout, state: RunState, lang: Language) -> str:
    """What becomes of a run that has not ended when its watcher leaves, and how to come back."""
    texts = watching_texts(lang)
    if state.engine == "imported":
        text = texts.imported
    elif RunClient(layout).supervised():
        text = texts.goes_on
    else:
        text = texts.alone if state.run_id else texts.never_began
    return text.format(run=layout.run_id)


def _write_line(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def _wall() -> datetime:
    return datetime.now(UTC)
