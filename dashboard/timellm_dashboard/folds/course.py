"""Values over a coordinate that goes forward, appended one by one or many in one go."""

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence


class Course(ABC):
    """What takes values in their order."""

    @abstractmethod
    def add(self, x: float, value: float | None) -> None:
        """Append a value; `None`, or one that is not finite, is unknown."""

    def extend(self, xs: Sequence[float], values: Sequence[float | None]) -> None:
        """Append values one after the other, in one go: the same as to add each of them."""
        known = [value for value in values if value is not None]
        if len(known) == len(values) and all(map(math.isfinite, known)):
            self._extend_known(xs, known)
            return
        for x, value in zip(xs, values, strict=True):
            self.add(x, value)

    @abstractmethod
    def _extend_known(self, xs: Sequence[float], values: Sequence[float]) -> None:
        """The same for values that are all known and finite, which nearly all are."""
