"""Arbitrary events, built from the annotations of their classes."""

import types
from datetime import UTC, datetime
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import msgspec
from hypothesis import strategies as st

from timellm_ops.contract import events as ev
from timellm_ops.contract.commands import STOP_MODES

WHOLE = st.integers(-(2**63), 2**63 - 1)
TEXT = st.text(st.characters(exclude_categories=("Cs",)), max_size=20)

MEANT: dict[str, st.SearchStrategy[Any]] = {
    "what": st.sampled_from(
        ["pause", "resume", *(f"stop {mode}" for mode in STOP_MODES), "stop", "stop gently"]
    ),
    "rule": st.sampled_from(["user", "thermal", "telemetry"]),
    "epoch": st.integers(0, 4),
}
"""Fields, by name, whose values mean something: any value, but often one of these."""


def events(numbers: st.SearchStrategy[float]) -> st.SearchStrategy[ev.Event]:
    """Any event of any class, its floats drawn from `numbers`."""
    return st.one_of([struct_of(kind, numbers) for kind in get_args(ev.Event)])


def struct_of(kind: type[Any], numbers: st.SearchStrategy[float]) -> st.SearchStrategy[Any]:
    drawn = {
        field.name: value_of(field.type, numbers) | MEANT.get(field.name, st.nothing())
        for field in msgspec.structs.fields(kind)
    }
    return st.builds(kind, **drawn)


def value_of(hint: Any, numbers: st.SearchStrategy[float]) -> st.SearchStrategy[Any]:
    origin = get_origin(hint)
    if origin is Literal:
        return st.sampled_from(get_args(hint))
    if origin in (Union, types.UnionType):
        return st.one_of([value_of(inner, numbers) for inner in get_args(hint)])
    if origin is Annotated:
        return value_of(get_args(hint)[0], numbers)
    if origin is tuple:
        return st.lists(value_of(get_args(hint)[0], numbers), max_size=3).map(tuple)
    if isinstance(hint, type) and issubclass(hint, msgspec.Struct):
        return struct_of(hint, numbers)
    plain = {
        type(None): st.none(),
        msgspec.UnsetType: st.just(msgspec.UNSET),
        bool: st.booleans(),
        int: WHOLE,
        float: numbers,
        str: TEXT,
        datetime: st.datetimes(timezones=st.just(UTC)),
    }
    return plain[hint]
