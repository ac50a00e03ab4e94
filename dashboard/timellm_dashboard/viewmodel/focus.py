"""What part of the run a timeline shows, and where its cursor is: zoom and pan, as pure functions.

All places are seconds under supervision; `extent_s` is the present.
"""

from msgspec import Struct

SHORTEST_SPAN_S = 60.0
_ZOOM = 2.0
_PAN_SHARE = 0.5


class Focus(Struct, frozen=True, kw_only=True):
    """A window and a cursor. As it is made, it shows the whole run and reads the present."""

    span_s: float | None = None
    """Width of the window; `None`: the whole run."""
    end_s: float | None = None
    """Its right edge; `None`: it follows the present."""
    cursor_s: float | None = None
    """`None`: at the present."""

    def window(self, extent_s: float) -> tuple[float, float]:
        """The window's edges. It is never empty and never wider than the run."""
        extent_s = max(extent_s, 1.0)
        if self.span_s is None or self.span_s >= extent_s:
            return 0.0, extent_s
        end_s = extent_s if self.end_s is None else min(self.end_s, extent_s)
        end_s = max(end_s, self.span_s)
        return end_s - self.span_s, end_s

    def place(self, extent_s: float) -> float:
        """Where the cursor is."""
        return extent_s if self.cursor_s is None else min(self.cursor_s, extent_s)

    def at(self, place_s: float, extent_s: float) -> "Focus":
        """With the cursor at `place_s`, and the window moved so far that it is in it. At the
        present it stays there."""
        if place_s >= extent_s:
            return self.following()
        place_s = max(0.0, place_s)
        if self.span_s is None:
            return Focus(cursor_s=place_s)
        start_s, end_s = self.window(extent_s)
        if place_s < start_s:
            end_s = place_s + (end_s - start_s)
        return Focus(span_s=self.span_s, end_s=max(end_s, place_s), cursor_s=place_s)

    def zoomed(self, steps: int, extent_s: float, about_s: float | None = None) -> "Focus":
        """Nearer by `steps` halvings, or farther where they are negative. What lies at `about_s`,
        or at the cursor, stays where it is on the screen."""
        start_s, end_s = self.window(extent_s)
        span_s = max(SHORTEST_SPAN_S, (end_s - start_s) / _ZOOM**steps)
        if span_s >= extent_s:
            return self.whole()
        about_s = min(max(self.place(extent_s) if about_s is None else about_s, start_s), end_s)
        share = (about_s - start_s) / (end_s - start_s)
        return self._ending(about_s + (1.0 - share) * span_s, span_s, extent_s)

    def panned(self, windows: int, extent_s: float) -> "Focus":
        """Farther on by so many half windows, or back. The cursor comes along where it must."""
        if self.span_s is None or self.span_s >= extent_s:
            return self
        _, end_s = self.window(extent_s)
        return self._ending(end_s + windows * _PAN_SHARE * self.span_s, self.span_s, extent_s)

    def whole(self) -> "Focus":
        """The whole run, with the cursor where it is."""
        return Focus(cursor_s=self.cursor_s)

    def following(self) -> "Focus":
        """Following the present, as near as it is."""
        return Focus(span_s=self.span_s)

    def _ending(self, end_s: float, span_s: float, extent_s: float) -> "Focus":
        """A window that ends at `end_s`, as far as there is one. It follows the present only if
        the cursor does."""
        end_s = min(max(end_s, span_s), extent_s)
        if end_s >= extent_s and self.cursor_s is None:
            return Focus(span_s=span_s)
        cursor_s = min(max(self.place(extent_s), end_s - span_s), end_s)
        return Focus(span_s=span_s, end_s=end_s, cursor_s=cursor_s)
