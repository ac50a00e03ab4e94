"""The top of the screen: which run, and how it is."""

from timellm_dashboard.lines import Line, Span, between, clip, line, wrap_line
from timellm_dashboard.viewmodel.view import View
from timellm_dashboard.words.read_only import read_only_words


def draw_title(view: View, width: int) -> Line:
    """`etth1 · 20260131-214503-etth1-7f3a          2 h 13 min so far · 12:04`."""
    run = view.run
    name = run.name or run.run_id
    dot = " | " if view.ascii_only else " · "
    left = [Span(clip(name, width, "..." if view.ascii_only else "…"), "strong")]
    if run.run_id and run.run_id != name:
        left.append(Span(f"{dot}{run.run_id}", "muted"))
    if view.replay:
        at = line(Span(view.replay, "held"))
        titled = between(tuple(left), at, width)
        return titled if titled != tuple(left) else between(tuple(left[:1]), at, width)
    clock = view.outcome.ended_text if view.outcome is not None else view.clock
    elapsed = view.progress.elapsed
    only = [read_only_words(view.lang).title] if view.read_only else []
    parts = [elapsed.text] if elapsed.value is not None and run.begun else []
    parts += [clock] if clock else []
    for shown in ([*only, *parts], [*only, *parts[-1:]], only or parts[-1:]):
        titled = between(tuple(left), line(Span(dot.join(shown), "muted")), width)
        if titled != tuple(left):
            return titled
    return tuple(left)


def draw_headline(view: View, width: int, height: int = 2) -> list[Line]:
    """The state and its reason, then what the run is, in at most `height` rows."""
    head = view.headline
    dot = " | " if view.ascii_only else " · "
    spans = [Span(f"{head.glyph} {head.word}", head.mood)]
    if head.reason:
        spans += [Span(dot, "muted"), Span(head.reason)]
    rows, ellipsis = wrap_line(spans, width, indent=2), "..." if view.ascii_only else "…"
    if len(rows) > height:
        cut = " ".join("".join(span.text for span in row).strip() for row in rows[height - 1 :])
        rows = [*rows[: height - 1], line("  ", clip(cut, width - 2, ellipsis))]
    if len(rows) < height and view.run.facts:
        facts = clip(view.run.facts, width - 2, ellipsis)
        rows.append(line(Span(f"  {facts}", "muted")))
    return rows + [()] * (height - len(rows))
