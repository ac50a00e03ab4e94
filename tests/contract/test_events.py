"""Events on the wire: what is written is what is read, and nothing else gets through."""

import json
import math
from datetime import UTC, datetime
from typing import get_args

import msgspec
import pytest
from event_strategies import TEXT, events
from hypothesis import given
from hypothesis import strategies as st

from timellm_ops.contract import events as ev
from timellm_ops.contract.events import (
    JournalRecord,
    decode_event,
    decode_record,
    encode_event,
    encode_record,
)

FINITE = st.floats(allow_nan=False, allow_infinity=False)
ANY_TEXT = st.text(max_size=20)


@given(event=events(FINITE))
def test_every_event_reads_back_as_it_was_written(event: ev.Event) -> None:
    assert decode_event(encode_event(event)) == event


@given(event=events(FINITE), seq=st.integers(0, 2**53), offset=st.none() | st.integers(0, 2**53))
def test_every_record_is_one_line_that_reads_back(
    event: ev.Event, seq: int, offset: int | None
) -> None:
    line = encode_record(JournalRecord(seq=seq, event=event, engine_offset=offset))
    assert line.endswith(b"\n")
    assert line.count(b"\n") == 1
    record = decode_record(line)
    assert (record.seq, record.event, record.engine_offset) == (seq, event, offset)


@given(event=events(st.floats()))
def test_numbers_that_are_not_finite_are_on_record_too(event: ev.Event) -> None:
    written = encode_event(event)
    json.loads(written, parse_constant=lambda word: pytest.fail(f"{word} is not JSON"))
    again = encode_event(decode_event(written))
    assert encode_event(decode_event(again)) == again


@given(event=events(FINITE), data=st.data())
def test_a_torn_record_is_an_error_and_never_another_record(
    event: ev.Event, data: st.DataObject
) -> None:
    line = encode_record(JournalRecord(seq=7, event=event)).rstrip(b"\n")
    kept = data.draw(st.integers(0, len(line) - 1))
    with pytest.raises(msgspec.MsgspecError):
        decode_record(line[:kept])


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | TEXT,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            TEXT | st.sampled_from(["type", "seq", "event", "at", "loss"]),
            inner | st.sampled_from(["Progress", "Alert", "RunStarted"]),
            max_size=4,
        )
    ),
    max_leaves=8,
)


@given(line=st.binary(max_size=60) | JSON.map(lambda value: json.dumps(value).encode()))
def test_what_is_no_event_raises_one_kind_of_error(line: bytes) -> None:
    for decode in (decode_event, decode_record):
        try:
            decode(line)
        except msgspec.MsgspecError:
            continue


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"null",
        b"[]",
        b'{"type":["Progress"]}',
        b'{"type":"NoSuchEvent"}',
        b'{"type":"EngineStarted"}',
        b'{"type":"EngineStarted","pid":"7"}',
        b'{"type":"EngineStarted","pid":null}',
        b'{"type":"Alert","level":"loud","message":""}',
        b'{"type":"Alert","level":"info","message":"\xff"}',
        b'{"type":"Alert","level":"info","message":"x","at":"yesterday"}',
        b'{"type":"Progress","iteration":1,"epoch":1,"loss":null,"at":5}',
        b'{"type":"EngineStarted","pid":99999999999999999999}',
        b'{"type":"EngineStarted","pid":-99999999999999999999}',
        b"[" * 100_000,
        b'{"type":"PreflightDone","findings":' + b"[" * 100_000,
    ],
)
def test_garbage_is_refused(line: bytes) -> None:
    with pytest.raises(msgspec.MsgspecError):
        decode_event(line)
    with pytest.raises(msgspec.MsgspecError):
        decode_record(b'{"seq":1,"event":' + line + b"}")


def test_an_event_is_tagged_with_the_name_of_its_class() -> None:
    event = ev.Progress(at=datetime(2026, 1, 31, 21, 45, tzinfo=UTC), t=5.0, iteration=100,
                        epoch=1, loss=0.25)  # fmt: skip
    assert json.loads(encode_event(event)) == {
        "type": "Progress",
        "at": "2026-01-31T21:45:00Z",
        "t": 5.0,
        "iteration": 100,
        "epoch": 1,
        "loss": 0.25,
    }


def test_the_union_of_events_holds_every_event_class() -> None:
    assert set(get_args(ev.Event)) == set(ev.BaseEvent.__subclasses__())


def test_a_loss_that_diverged_is_null_in_the_file_and_nan_when_read() -> None:
    line = encode_event(ev.Progress(iteration=1, epoch=1, loss=math.nan, lr=math.inf))
    assert json.loads(line)["loss"] is None
    event = decode_event(line)
    assert isinstance(event, ev.Progress)
    assert math.isnan(event.loss)
    assert event.lr is None, "where a number may be missing, it is"


def test_an_unknown_field_of_a_later_version_is_passed_over() -> None:
    line = b'{"type":"Paced","duty":0.5,"colour":"red"}'
    assert decode_event(line) == ev.Paced(duty=0.5)


@given(text=ANY_TEXT)
def test_a_text_that_utf8_cannot_hold_does_not_break_the_record(text: str) -> None:
    line = encode_event(ev.Alert(level="info", message=text))
    event = decode_event(line)
    assert isinstance(event, ev.Alert)
    if not any("\ud800" <= c <= "\udfff" for c in text):
        assert event.message == text
