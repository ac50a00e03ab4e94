"""The keys that sentences name: a text has a mark, `<stop>`, where the key of that action stands.

A person may give an action other keys, and what is told must be what can be pressed.
"""

import re
from collections.abc import Mapping

Keys = Mapping[str, str]
"""By an action's id, its key as a person reads it."""

USUAL: Keys = {
    "pause": "p",
    "stop": "s",
    "stop_now": "S",
    "override": "o",
    "supervise": "a",
    "leave": "q",
    "next_screen": "]",
    "timeline_previous_mark": "N",
    "log_goto": "g",
    "log_times": "T",
    "log_follow": "f",
    "log_mark": "v",
    "log_next": "n",
    "log_previous": "N",
    "log_cancel": "Esc",
    "policies_change": "e",
    "runs_mark": "x",
    "runs_compare": "c",
    "runs_back": "Esc",
    "report_save": "w",
}
"""Of every action that a sentence names, the key that it has by itself."""

_MARK = re.compile(r"<([a-z_]+)>")


def keyed(text: str, keys: Keys = USUAL) -> str:
    """A text of ours with the keys in the places of its marks; another word between such signs
    stays. What other people have written is put into it later: it may look like a mark."""
    return _MARK.sub(lambda mark: keys.get(mark[1], mark[0]), text) if "<" in text else text
