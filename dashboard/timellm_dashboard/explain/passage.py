"""A passage of the help: what something on the screen means."""

from collections.abc import Callable

from msgspec import Struct

from timellm_dashboard.actions import Said
from timellm_dashboard.viewmodel.view import View


class Explanation(Struct, frozen=True, kw_only=True):
    """A passage of the help. `now` is what the run shows for it at this moment."""

    id: str
    title: Said
    body: Said
    now: Callable[[View], str] = lambda _: ""
    covers: tuple[str, ...] = ()
    """Fields of the view that it explains, by their paths: `gpu.power`, or `results` for all."""
