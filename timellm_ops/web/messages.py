"""What a browser's terminal says: typed, or refused."""

import msgspec
from msgspec import Struct


class Keys(Struct, frozen=True):
    """What was typed, clicked or scrolled, as a terminal sends it."""

    text: str


class Size(Struct, frozen=True):
    """The window's size in cells."""

    width: int
    height: int


class Ping(Struct, frozen=True):
    """To be answered with the same."""

    data: object


class Focus(Struct, frozen=True):
    """The window is in front, or no longer."""

    focused: bool


Said = Keys | Size | Ping | Focus


def parse(message: str) -> Said | None:
    """A message, which is a JSON array that begins with its kind; `None`: none of ours."""
    try:
        match msgspec.json.decode(message):
            case ["stdin", str(text)]:
                return Keys(text)
            case ["resize", {"width": int(width), "height": int(height)}]:
                return Size(width, height)
            case ["ping", data]:
                return Ping(data)
            case ["focus", *_]:
                return Focus(focused=True)
            case ["blur", *_]:
                return Focus(focused=False)
            case _:
                return None
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return None
