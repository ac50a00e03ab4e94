"""A person's own keys in place of the registry's: checked before anything is drawn."""

import re
from collections.abc import Collection, Iterator, Mapping

from textual.keys import _character_to_key, format_key

from timellm_dashboard.actions import ACTIONS, Action
from timellm_dashboard.words.ascii import to_ascii
from timellm_dashboard.words.keys import USUAL, Keys, keyed
from timellm_dashboard.words.text import Lang
from timellm_ops.contract.suggestion import meant

Keymap = Mapping[str, tuple[str, ...]]
"""By an action's id, the keys that do it, as Textual names them."""

FIXED = ("ctrl_c",)
"""What is not to be moved: whoever presses Ctrl+C must hear how to leave."""
_NAMED = re.compile(r"(?:(?:ctrl|shift|alt)\+)*(?:[a-z0-9]|[a-z][a-z0-9_]+)")


class KeymapProblem(ValueError):  # noqa: N818 - it says what is wrong
    """A key map that cannot be used: the action's id, what was found, and what would be right."""

    def __init__(self, action_id: str, found: str, expected: str) -> None:
        self.action_id, self.found, self.expected = action_id, found, expected
        self.also: tuple[KeymapProblem, ...] = ()
        """What else is wrong with the same map."""
        super().__init__(f"{action_id}: found {found}; expected {expected}")

    @property
    def all(self) -> "tuple[KeymapProblem, ...]":
        """This one and what else is wrong."""
        return (self, *self.also)


def parse_keymap(raw: Mapping[str, object]) -> Keymap:
    """The keys that `raw` gives to actions, each one key or several.

    Raises `KeymapProblem` for unknown actions, for what is no key, and, where there is none of
    these, for keys that would do two things on one screen.
    """
    movable = {found.id: found for found in ACTIONS if found.id not in FIXED}
    keymap: dict[str, tuple[str, ...]] = {}
    problems: list[KeymapProblem] = []
    for action_id, wanted in raw.items():
        try:
            keymap[action_id] = _keys(action_id, wanted, movable)
        except KeymapProblem as problem:
            problems.append(problem)
    if not problems:
        problems += [
            KeymapProblem(
                second.id, f'"{key}", which is also {first.id}', "a key that does one thing"
            )
            for first, second, key in _clashes(keymap)
        ]
    if problems:
        problems[0].also = tuple(problems[1:])
        raise problems[0]
    return keymap


def keys_of(found: Action, keymap: Keymap) -> tuple[str, ...]:
    """The keys that do it, as Textual names them."""
    return keymap.get(found.id, found.keys)


def shown_key(found: Action, keymap: Keymap, *, ascii_only: bool = False) -> str:
    """The key as a person reads it."""
    shown = found.shown_keys
    if found.id in keymap:
        shown = "/".join(format_key(key).replace("ctrl+", "^") for key in keymap[found.id])
    return to_ascii(shown) if ascii_only else shown


def told_keys(keymap: Keymap) -> Keys:
    """The keys that sentences name, as they are bound."""
    known = {found.id: found for found in ACTIONS}
    return {
        name: shown_key(known[name], keymap) if name in keymap else usual
        for name, usual in USUAL.items()
    }


def help_of(found: Action, lang: Lang, keymap: Keymap) -> str:
    """What it does. Other keys that it has by itself are told of for as long as it has them."""
    text = keyed(found.help.in_(lang), told_keys(keymap))
    if found.also is None or found.id in keymap:
        return text
    return f"{text}{'；' if lang == 'zh' else '; '}{found.also.in_(lang)}"


def _keys(action_id: str, wanted: object, movable: Collection[str]) -> tuple[str, ...]:
    if action_id not in movable:
        raise KeymapProblem(action_id, "an action that does not exist", meant(action_id, movable))
    if wanted == []:
        raise KeymapProblem(action_id, "no key", "at least one")
    return tuple(_key(action_id, key) for key in (wanted if isinstance(wanted, list) else [wanted]))


def _key(action_id: str, wanted: object) -> str:
    if isinstance(wanted, str) and len(wanted) == 1 and wanted.isprintable():
        return str(_character_to_key(wanted))
    if isinstance(wanted, str) and _NAMED.fullmatch(wanted):
        return wanted
    shown = f'"{wanted}"' if isinstance(wanted, str) else str(wanted)
    raise KeymapProblem(
        action_id, f"{shown:.60}", 'keys such as "x", "?", "f5", "space" or "ctrl+x"'
    )


def _clashes(keymap: Keymap) -> Iterator[tuple[Action, Action, str]]:
    """Two actions of one screen with the same key, where a person has given it to either."""
    for index, second in enumerate(ACTIONS):
        for first in ACTIONS[:index]:
            together = first.on is None or second.on is None or first.on == second.on
            mapped = first.id in keymap or second.id in keymap
            for key in keys_of(second, keymap):
                if together and mapped and key in keys_of(first, keymap):
                    yield first, second, key
