"""A configuration file with every key, its default and what it means: `configs/custom.toml`."""

import json
import textwrap
from collections.abc import Iterator
from typing import get_type_hints

import msgspec

from timellm_ops.configschema import key_texts
from timellm_ops.contract.config import Config
from timellm_ops.contract.section import Section

_HEAD = """\
# Your own series, and every key that a config can have, with its default.
#     timellm-ops run configs/custom.toml --set data.path=/path/to/series.csv
# Only [data] must be there: leave out whatever you do not want to change.
# Editors check and complete it with the schema: timellm-ops config schema > schema.json
"""
_OF_YOUR_OWN = {"data.dataset": "custom", "data.path": "series.csv"}
_EXAMPLES: dict[str, float] = {
    "backbone.layers": 6,
    "train.clip_norm": 1.0,
    "train.threads": 4,
    "checkpoint.every_steps": 500,
    "policy.thermal.emergency_c": 95.0,
    "policy.power.limit_w": 90.0,
    "policy.governor.set_point_c": 80.0,
    "policy.governor.lowest_power_w": 70.0,
}
"""Of the keys that are absent by default, for which TOML has no value."""
_WIDTH = 98


def config_template() -> str:
    """The whole file."""
    return "\n".join((_HEAD, *_section(Config, ""))).rstrip() + "\n"


def _section(section: type[Section], path: str) -> Iterator[str]:
    """The lines of a section and of those below it."""
    texts, fields = key_texts(section), {f.name: f for f in msgspec.structs.fields(section)}
    below = {
        name: hint
        for name, hint in get_type_hints(section).items()
        if isinstance(hint, type) and issubclass(hint, Section)
    }
    keys = [name for name in fields if name not in below]
    if keys:
        text = (section.__doc__ or "").partition("`: ")[2]
        yield f"# {text[:1].upper()}{text[1:]}"
        yield f"[{path}]"
        for name in keys:
            yield from textwrap.wrap(
                texts[name], _WIDTH, initial_indent="# ", subsequent_indent="# "
            )
            yield _line(name, f"{path}.{name}", fields[name].default)
        yield ""
    for name, hint in below.items():
        yield from _section(hint, f"{path}.{name}" if path else name)


def _line(name: str, key: str, default: object) -> str:
    if key in _EXAMPLES:
        return f"# {name} = {json.dumps(_EXAMPLES[key])}"
    return f"{name} = {json.dumps(_OF_YOUR_OWN.get(key, default))}"
