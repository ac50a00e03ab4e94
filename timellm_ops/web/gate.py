"""Who may come in: a pure function of what a request says of itself.

The server listens on the loopback address alone, which keeps other machines out. It does not keep
out other users of this machine, nor pages of other sites in this user's browser: hence the token,
the cookie, and the checks of Host (a foreign name that was made to lead here) and of Origin.
"""

import hmac

from msgspec import Struct

ADDRESS = "127.0.0.1"
NAMES = (ADDRESS, "localhost")
"""What a browser on this machine may call it."""

_METHODS = ("GET", "HEAD")
_SITES = ("", "none", "same-origin")
"""Of `Sec-Fetch-Site`: an old browser, a person's own doing, a page of ours."""


class Keys(Struct, frozen=True, kw_only=True):
    """The secrets of one server, and the port that it is reached by."""

    port: int
    token: str
    """In the address that is printed."""
    cookie: str
    """What a browser gets for the token, and shows from then on."""

    @property
    def cookie_name(self) -> str:
        """Of its own for each port: cookies are shared by all ports of a host."""
        return f"timellm-ops-{self.port}"


class Asked(Struct, frozen=True, kw_only=True):
    """What a request says of itself. A header that may come twice is given as often as it came."""

    method: str
    hosts: tuple[str, ...]
    origins: tuple[str, ...] = ()
    site: str = ""
    cookie: str = ""
    token: str = ""
    websocket: bool = False


def refusal(asked: Asked, keys: Keys) -> str:
    """Why the request is refused; empty: it may come in.

    With the right token it may come in once more to get the cookie; nothing else is served for it.
    """
    if asked.method not in _METHODS:
        return "only reading is possible here"
    if len(asked.hosts) != 1 or asked.hosts[0] not in _hosts(keys):
        return "this server is called by another name than its own"
    if asked.site not in _SITES:
        return "the request comes from another site"
    if len(asked.origins) > 1 or (asked.websocket and not asked.origins):
        return "the request does not say where it comes from"
    if asked.origins and asked.origins[0] != f"http://{asked.hosts[0]}":
        return "the request comes from another site"
    if asked.websocket:
        return "" if has_cookie(asked, keys) else _NO_TOKEN
    return "" if has_cookie(asked, keys) or has_token(asked, keys) else _NO_TOKEN


_NO_TOKEN = "the token is missing or wrong: open the address that timellm-ops web has printed"  # noqa: S105


def has_cookie(asked: Asked, keys: Keys) -> bool:
    """Whether the browser has shown the token before."""
    return _same(asked.cookie, keys.cookie)


def has_token(asked: Asked, keys: Keys) -> bool:
    """Whether the token is in the address."""
    return _same(asked.token, keys.token)


def _same(found: str, expected: str) -> bool:
    """In a time that does not tell how much of it is right. An empty key fits nothing."""
    if not expected:
        return False
    return hmac.compare_digest(found.encode("utf-8", "replace"), expected.encode())


def _hosts(keys: Keys) -> tuple[str, ...]:
    return tuple(f"{name}:{keys.port}" for name in NAMES)
