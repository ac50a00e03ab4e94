"""Small diagrams in characters. Each of their signs has a stand-in of one character in ASCII, and
labels are padded by cells, so that they line up in every language and on every terminal."""

from collections.abc import Sequence

from rich.cells import cell_len

from timellm_dashboard.answers.answer import DIAGRAM_CELLS, Diagram
from timellm_dashboard.lines import pad
from timellm_dashboard.words import format as fmt

FULL, HALF, LIGHT = "█", "▒", "░"
_LABEL_CELLS = 16


def windows_diagram(seq_len: int, pred_len: int, windows: int, label: str) -> Diagram:
    """Windows of look-back and horizon, each one step after the one before it; `label` is what
    one is called."""
    cells = 30
    out = min(12, max(3, round(cells * pred_len / seq_len)))
    window = FULL * cells + HALF * out
    rows = [_labelled("", f"{1:<{cells}}{seq_len + 1}")]
    shown = [(1, 0), (2, 1), (3, 2)][:windows]
    rows += [_labelled(f"{label} {n}", " " * at + window) for n, at in shown]
    if windows > len(shown):
        last = DIAGRAM_CELLS - _LABEL_CELLS - len(window)
        rows.append(_labelled("", " " * (len(shown) + 3) + ". . ."))
        rows.append(_labelled(f"{label} {windows:,}", " " * last + window))
    return Diagram(tuple(row.rstrip() for row in rows))


def patches_diagram(
    seq_len: int, patch_len: int, stride: int, patches: int, label: str, repeated: str
) -> Diagram:
    """The first patches of a window and its last one, which lies over the repeated end.

    `repeated` says so beside it.
    """
    cells = 16
    step = max(1, round(cells * stride / patch_len))
    shown = min(patches - 1, 1 + (DIAGRAM_CELLS - _LABEL_CELLS - cells) // step, 4)
    ruler = ""
    for number in range(shown):
        ruler = f"{ruler:<{number * step}}"[: number * step] + str(number * stride + 1)
    rows = [_labelled("", ruler)]
    rows += [_labelled(f"{label} {n + 1}", " " * (n * step) + FULL * cells) for n in range(shown)]
    if patches - 1 > shown:
        rows.append(_labelled("", " " * min(shown * step, 40) + ". . ."))
    own = round(cells * own_steps(seq_len, patch_len, stride, patches) / patch_len)
    rows.append(
        _labelled(
            f"{label} {patches:,}",
            FULL * own + LIGHT * (cells - own) + "  " + repeated,
        )
    )
    return Diagram(tuple(row.rstrip() for row in rows))


def own_steps(seq_len: int, patch_len: int, stride: int, patches: int) -> int:
    """Steps of the last patch that lie within the window; the others repeat its end."""
    return min(patch_len, max(0, seq_len - (patches - 1) * stride))


def path_diagram(stages: Sequence[tuple[str, str, str]]) -> Diagram:
    """What a tensor goes through: (name, shape, what is done to it on the way to the next one)."""
    names = max(cell_len(name) for name, _, _ in stages) + 2
    rows = []
    for name, shape, then in stages:
        rows.append(f"{pad(name, names)}[{shape}]")
        if then:
            rows.append(f"  │  {then}")
    return Diagram(tuple(rows))


def shares_diagram(parts: Sequence[tuple[str, float]], cells: int = 60) -> Diagram:
    """A bar in parts, each named below its beginning, or in a row of its own where names would
    touch."""
    total = sum(size for _, size in parts) or 1.0
    signs = (FULL, HALF, LIGHT)
    widths = [max(1, round(cells * size / total)) for _, size in parts]
    bar = "".join(signs[i % 3] * width for i, width in enumerate(widths))
    names = ""
    for (name, _), start in zip(parts, _starts(widths), strict=True):
        if cell_len(names) > start:
            rows = [f"{signs[i % 3]} {name}" for i, (name, _) in enumerate(parts)]
            return Diagram((bar, *rows))
        names = pad(names, start) + name + " "
    return Diagram((bar, names.rstrip()))


def _starts(widths: Sequence[int]) -> list[int]:
    return [sum(widths[:i]) for i in range(len(widths))]


def bars_diagram(rows: Sequence[tuple[str, float, str]], cells: int = 28) -> Diagram:
    """A bar for each (label, size, text), the largest one over all of `cells`."""
    labels = max(cell_len(label) for label, _, _ in rows)
    largest = max((size for _, size, _ in rows), default=0.0) or 1.0
    return Diagram(
        tuple(
            f"{pad(label, labels)}  {pad(FULL * _length(size, largest, cells), cells)}  {text}"
            for label, size, text in rows
        )
    )


def _length(size: float, largest: float, cells: int) -> int:
    return max(1, round(cells * size / largest)) if size > 0 else 0


def timeline_diagram(
    total: int, here: int, marks: Sequence[tuple[int, str]], label: str, cells: int = 60
) -> Diagram:
    """Steps from 0 to `total`, done up to `here`; below, what stands at which step."""

    def place(step: int) -> int:
        return min(cells, round(cells * min(step, total) / max(1, total)))

    line = ["─"] * (cells + 1)
    line[: place(here)] = ["━"] * place(here)
    for step, _ in marks:
        line[place(step)] = "┴"
    first, last = label, fmt.count(total)
    ruler = pad(first, cells + 1 - cell_len(last)) + last
    rows = [ruler, "".join(line)]
    for step, text in marks:
        at = place(step)
        if at + 2 + cell_len(text) <= DIAGRAM_CELLS:
            rows.append(" " * at + "└ " + text)
        else:
            room = at - 1
            rows.append(pad(text, max(0, room), "right") + " ┘")
    return Diagram(tuple(rows))


def _labelled(label: str, text: str) -> str:
    return pad(label, _LABEL_CELLS) + text
