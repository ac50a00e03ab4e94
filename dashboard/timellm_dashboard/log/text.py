"""From the bytes that a program printed to text that is safe to show, and what it is. Pure."""

import re

from timellm_dashboard.lines import Tone

LONGEST = 8192
"""Characters of a line that are shown, searched and copied."""
CUT_OFF = "…"
_TAB = 4

_ESCAPES = re.compile(
    r"\x1b\[[0-?]*[ -/]*[@-~]"  # CSI: colours, cursor movements
    r"|\x1b[\]PX^_][^\x07\x1b]*(?:\x07|\x1b\\|$)"  # OSC, DCS and other strings
    r"|\x1b[ -/]*[0-~]"  # two and three character sequences
    r"|\x9b[0-?]*[ -/]*[@-~]"
)
_UNSAFE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
"""Control characters besides tab and line end: a stretch without them needs no care by the line."""


def shown(raw: bytes, *, cut: bool = False) -> str:
    """The line `raw`, as a terminal would show it in the end, in printable characters.

    A carriage return begins the line anew, as progress bars do: the last state counts. Escape
    sequences go; other control characters and bytes that are no UTF-8 become U+FFFD. `cut`: `raw`
    is only the beginning of its line.
    """
    text = raw.decode("utf-8", "replace").rstrip("\r\n")
    if "\r" in text:
        states = text.split("\r")
        text = next((state for state in reversed(states) if state.strip()), "")
    if "\x1b" in text or "\x9b" in text:
        text = _ESCAPES.sub("", text)
    text = text.expandtabs(_TAB)
    if not text.isprintable():
        text = "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)
    if cut or len(text) > LONGEST:
        return text[:LONGEST] + CUT_OFF
    return text


def shown_lines(data: bytes) -> list[str]:
    """Every line of `data`, each as `shown` gives it. The last line end begins no further line."""
    if not data:
        return []
    text = data.decode("utf-8", "replace")
    if _UNSAFE.search(text):
        return [shown(raw) for raw in data.removesuffix(b"\n").split(b"\n")]
    rows = text.removesuffix("\n").expandtabs(_TAB).split("\n")
    if "".join(rows).isprintable() and max(map(len, rows)) <= LONGEST:
        return rows
    return [shown(row.encode()) for row in rows]


_KINDS: tuple[tuple[str, Tone], ...] = (
    (r"^Traceback \(most recent call last\)", "bad"),
    (r"^\s*(?:\w+\.)*\w*(?:Error|Exception|KeyboardInterrupt|SystemExit)\b", "bad"),
    (r"(?i)\b(?:out of memory|segmentation fault|core dumped|fatal|killed)\b", "bad"),
    (r"(?i)\berror\b", "bad"),
    (r'^\s+File ".*", line \d+', "held"),
    (r"(?i)\bwarn(?:ing)?\b|Warning:", "held"),
    (r"^EarlyStopping counter|^Early stopping", "held"),
    (r"Saving model", "good"),
    (r"^Epoch: \d+.*\| Train Loss", "accent"),
    (r"^\s*iters: \d+, epoch: \d+ \| loss", "plain"),
    (r"^\s*speed: .*left time|^Epoch: \d+ cost time", "muted"),
    (r"^Updating learning rate", "busy"),
    (r"^Use GPU|^>>>|^Args|^Namespace", "muted"),
)
_TONES: tuple[tuple[re.Pattern[str], Tone], ...] = tuple(
    (re.compile(pattern), tone) for pattern, tone in _KINDS
)


def tone_of(text: str) -> Tone:
    """What a line is: an epoch's results, a checkpoint, a traceback, or nothing in particular."""
    for pattern, tone in _TONES:
        if pattern.search(text):
            return tone
    return "plain"
