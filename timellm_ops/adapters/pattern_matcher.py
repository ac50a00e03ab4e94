"""Which patterns of a file a line matches, and what it says by each."""

import math
from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field

from timellm_ops.adapters.bounded_match import SearchClock, TooSlow
from timellm_ops.adapters.pattern_fields import FIELDS, Fields, Value, convert
from timellm_ops.adapters.pattern_file import CompiledPattern, Pattern, Patterns


@dataclass(frozen=True)
class Match:
    """What one line says by one pattern. `fields`: the groups that were there and readable."""

    pattern: CompiledPattern
    fields: dict[str, Value]

    @property
    def said(self) -> Pattern:
        """The pattern as it is in the file."""
        return self.pattern.said

    def number(self, name: str) -> float | None:
        """A field as a number; `None` where it is not there."""
        found = self.fields.get(name)
        return None if found is None or isinstance(found, str) else float(found)

    def count(self, name: str) -> int | None:
        """A field that counts something; `None` where it is not there."""
        found = self.fields.get(name)
        return found if isinstance(found, int) else None

    def text(self, name: str) -> str:
        """A field as a text; empty where it is not there."""
        found = self.fields.get(name)
        return found if isinstance(found, str) else ""

    def finite(self, name: str) -> float | None:
        """A field as a number that is neither infinite nor NaN."""
        found = self.number(name)
        return found if found is not None and math.isfinite(found) else None


@dataclass
class Matcher:
    """Searches lines for patterns, and leaves out a pattern that has taken too long."""

    patterns: Patterns
    clock: SearchClock = field(default_factory=SearchClock)
    slow: set[int] = field(default_factory=set)
    """Numbers of the patterns that are not searched for any more."""

    def matches(self, text: str) -> Iterator[Match | CompiledPattern]:
        """What `text` says, in the order of the file; a pattern where its search was ended just
        now. To be used within `clock.limited()`."""
        for pattern in self.patterns.compiled:
            if pattern.number in self.slow:
                continue
            try:
                found = self.clock.search(pattern.regex, text)
            except TooSlow:
                self.slow.add(pattern.number)
                yield pattern
                continue
            if found is None:
                continue
            shown = {name: text for name, text in found.groupdict().items() if text is not None}
            fields = {
                name: value
                for name, text in shown.items()
                if (value := convert(text, pattern.conversions[name])) is not None
            }
            if _is_said(FIELDS[pattern.said.event], shown.keys(), fields.keys()):
                yield Match(pattern, fields)


def _is_said(fields: Fields, shown: AbstractSet[str], read: AbstractSet[str]) -> bool:
    """Whether the groups of a line that could be read are enough for the event."""
    must = set(fields.must) | (shown & set(fields.any_of[:1]))
    return must <= read and (not fields.any_of or not read.isdisjoint(fields.any_of))


def too_slow(pattern: CompiledPattern) -> str:
    """What a person is told of a pattern whose search was ended."""
    return (
        f"{pattern.name} is not searched for any more: a line took it too long; a repetition within"
        " a repetition, such as (a+)+, does that"
    )
