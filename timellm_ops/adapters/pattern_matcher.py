"""Which patterns of a file a line matches, and what it says by each."""

import math
from collections.abc import Iterator
from dataclasses import dataclass, field

from timellm_ops.adapters.bounded_match import SearchClock, TooSlow
from timellm_ops.adapters.pattern_fields import FIELDS, Value, convert
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
            fields = {
                name: value
                for name, text_of in found.groupdict().items()
                if text_of is not None
                and (value := convert(text_of, pattern.conversions[name])) is not None
            }
            if all(name in fields for name in FIELDS[pattern.said.event].must):
                yield Match(pattern, fields)


def too_slow(pattern: CompiledPattern) -> str:
    """What a person is told of a pattern whose search was ended."""
    return (
        f"{pattern.name} is not searched for any more: a line took it too long; a repetition within"
        " a repetition, such as (a+)+, does that"
    )
