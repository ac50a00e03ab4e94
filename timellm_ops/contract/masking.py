"""Secrets of the environment, kept out of records and logs: hub tokens, passwords, keys. Pure.

A command line, an exception or a script's last line may hold one, and a run's folder is what people
send around when they ask for help.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import msgspec

MASK = "***"
SHORTEST = 8
"""A shorter value is no secret worth the name, and would be found in ordinary words."""

_SECRET_WORDS = frozenset({"TOKEN", "SECRET", "PASSWD", "PASSPHRASE", "CREDENTIALS", "APIKEY"})
_KEYS = re.compile(r"(^|_)(API|ACCESS|PRIVATE|AUTH)_KEY(_|$)")
_ABOUT_ONE = frozenset({"FILE", "PATH", "DIR", "URL", "ID", "NAME", "TYPE", "TTL", "PARALLELISM"})
"""`HF_TOKEN_PATH` says where a secret lies, and is none."""
_HUB_TOKEN = re.compile(r"\b(?:hf|api_org)_[A-Za-z0-9]{20,}")
_HUB_TOKEN_BYTES = re.compile(_HUB_TOKEN.pattern.encode())


def secrets_of(*environments: Mapping[str, str]) -> tuple[str, ...]:
    """The values that variables hold whose names say that they are secret; the longest first."""
    found = {
        value.strip()
        for environment in environments
        for name, value in environment.items()
        if _names_a_secret(name)
    }
    kept = (value for value in found if len(value) >= SHORTEST and not value.isdigit())
    return tuple(sorted(kept, key=lambda value: (-len(value), value)))


def _names_a_secret(name: str) -> bool:
    words = name.upper().split("_")
    if words[-1] in _ABOUT_ONE:
        return False
    named = any(word in _SECRET_WORDS or word.endswith("PASSWORD") for word in words)
    return named or _KEYS.search(name.upper()) is not None


class Mask:
    """Puts `***` in the place of each of `secrets`, and of what looks like a token of the hub."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        self._secrets = tuple(secrets)
        # As JSON has them, for a line to be passed over in a microsecond where there is none.
        self._encoded = tuple(msgspec.json.encode(secret)[1:-1] for secret in self._secrets)

    def text(self, text: str) -> str:
        """`text` without secrets."""
        for secret in self._secrets:
            if secret in text:
                text = text.replace(secret, MASK)
        return _HUB_TOKEN.sub(MASK, text)

    def json_line(self, line: bytes, is_right: Callable[[bytes], object]) -> bytes:
        """One JSON object, with its line end, without secrets in its texts.

        Keys and numbers stay. `is_right` raises `msgspec.MsgspecError` for what is no such object
        any more; then a secret is taken to be a word of the format where it is a whole text.
        """
        held = any(secret in line for secret in self._encoded)
        if not held and _HUB_TOKEN_BYTES.search(line) is None:
            return line
        told = msgspec.json.decode(line)
        masked = msgspec.json.encode(self._walked(told)) + b"\n"
        try:
            is_right(masked)
        except msgspec.MsgspecError:
            return msgspec.json.encode(self._walked(told, but_whole=True)) + b"\n"
        return masked

    def _walked(self, value: Any, *, but_whole: bool = False) -> Any:
        match value:
            case str():
                return value if but_whole and value in self._secrets else self.text(value)
            case list():
                return [self._walked(item, but_whole=but_whole) for item in value]
            case dict():
                return {k: self._walked(v, but_whole=but_whole) for k, v in value.items()}
            case _:
                return value
