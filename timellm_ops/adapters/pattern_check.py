"""What a pattern file makes of a log: for a person who writes one."""

from collections.abc import Iterable

from msgspec import Struct

from timellm_ops.adapters.log_pieces import LogPieces
from timellm_ops.adapters.pattern_file import CompiledPattern, Patterns
from timellm_ops.adapters.pattern_log import PatternLog
from timellm_ops.adapters.pattern_matcher import Matcher, too_slow

FIRST_UNMATCHED = 20
"""Different lines without a match that are shown."""
_SHOWN_CHARACTERS = 200


class FoundLine(Struct, frozen=True):
    """A line of the log. `line` counts line ends, from 1; a bar that is redrawn has the line of
    what follows it."""

    line: int
    text: str


class PatternCount(Struct, frozen=True, kw_only=True):
    """What one pattern has matched."""

    number: int
    event: str
    matches: int
    first: FoundLine | None = None


class CheckedLog(Struct, frozen=True, kw_only=True):
    """All that is to be said of a log and a pattern file."""

    pieces: int
    """Lines and states of progress bars that hold anything but spaces."""
    matched: int
    counts: tuple[PatternCount, ...]
    events: dict[str, int]
    """What comes of the log, by the kind of event."""
    unmatched: tuple[FoundLine, ...]
    """The first different ones, apart from the numbers in them."""
    slow: tuple[str, ...] = ()
    """Patterns whose search was ended, each as one sentence."""


def check_log(patterns: Patterns, blocks: Iterable[bytes]) -> CheckedLog:
    """Read a whole log, in blocks, with `patterns`."""
    matcher, pieces, log = Matcher(patterns), LogPieces(), PatternLog(patterns)
    counts = [
        PatternCount(number=p.number, event=p.said.event, matches=0) for p in patterns.compiled
    ]
    unmatched: dict[str, FoundLine] = {}
    events: dict[str, int] = {}
    seen = matched = 0
    line_ends = _LineEnds()
    slow: list[str] = []
    for block in blocks:
        line_ends.feed(block)
        for event, _ in log.feed(block):
            _count(events, type(event).__name__)
        with matcher.clock.limited():
            for piece in pieces.feed(block):
                if not piece.text.strip():
                    continue
                seen += 1
                found = FoundLine(line_ends.line_of(piece.end), _shown(piece.text))
                any_match = False
                for match in matcher.matches(piece.text):
                    if isinstance(match, CompiledPattern):
                        slow.append(too_slow(match))
                        continue
                    any_match = True
                    at = match.pattern.number - 1
                    before = counts[at]
                    counts[at] = PatternCount(
                        number=before.number,
                        event=before.event,
                        matches=before.matches + 1,
                        first=before.first or found,
                    )
                matched += any_match
                if not any_match and len(unmatched) < FIRST_UNMATCHED:
                    unmatched.setdefault(_without_numbers(piece.text), found)
    for event, _ in log.finish():
        _count(events, type(event).__name__)
    return CheckedLog(
        pieces=seen,
        matched=matched,
        counts=tuple(counts),
        events=events,
        unmatched=tuple(unmatched.values()),
        slow=tuple(slow),
    )


class _LineEnds:
    """Which line a byte of a log is in. Asked with ever larger offsets of the newest block."""

    def __init__(self) -> None:
        self._block, self._start, self._at, self._lines = b"", 0, 0, 0

    def feed(self, block: bytes) -> None:
        """The next bytes of the log."""
        self._lines += self._block.count(b"\n", self._at)
        self._start += len(self._block)
        self._block, self._at = block, 0

    def line_of(self, end: int) -> int:
        """The line, from 1, of what ends with byte `end` of the log."""
        upto = end - self._start
        self._lines += self._block.count(b"\n", self._at, upto - 1)
        line = self._lines + 1
        self._lines += self._block.count(b"\n", max(self._at, upto - 1), upto)
        self._at = upto
        return line


def _count(counts: dict[str, int], name: str) -> None:
    counts[name] = counts.get(name, 0) + 1


def _without_numbers(text: str) -> str:
    return "".join(c for c in text if not c.isdigit() and c not in " .▏▎▍▌▋▊▉█")


def _shown(text: str) -> str:
    kept = "".join(c if c.isprintable() else " " for c in text).strip()
    return kept if len(kept) <= _SHOWN_CHARACTERS else f"{kept[:_SHOWN_CHARACTERS]}…"
