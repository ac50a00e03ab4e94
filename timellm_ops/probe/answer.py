"""What the NVML child says: one JSON object a line for every line it is sent.

An empty line asks for a reading, one with a number of watts for a power limit.
"""

import msgspec
from msgspec import Struct

from timellm_ops.contract.telemetry import GpuSample
from timellm_ops.probe.queries import Plain

_LIMIT = b"limit "


class Answer(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Either a reading or why there is none."""

    sample: GpuSample | None = None
    problem: str = ""
    absent: bool = False
    """There is no such GPU or driver on this machine."""
    others: tuple[str, ...] = ()
    """UUIDs of the GPUs that are here, where the one that was asked for is not."""
    asleep: bool = False
    """The GPU is powered down and was not woken."""
    lost: bool = False
    """The GPU has failed: it has fallen off the bus, or must be reset."""
    limit_w: float | None = None
    """Answers a line that asked for this power limit; `problem` says why it was not taken."""


class QueryAnswer(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What came of one query: a value, or the code of an NVML error."""

    value: Plain = None
    code: int | None = None
    problem: str = ""
    took_s: float = 0.0


_decoder = msgspec.json.Decoder(Answer)
_query_decoder = msgspec.json.Decoder(QueryAnswer)


def encode_limit(limit_w: float) -> bytes:
    """The line, with its line end, that asks for a power limit."""
    return b"%b%.3f\n" % (_LIMIT, limit_w)


def decode_limit(line: bytes) -> float | None:
    """The power limit, in watts, that a line asks for; `None`: it asks for a reading."""
    return float(line.removeprefix(_LIMIT)) if line.startswith(_LIMIT) else None


def encode_answer(answer: Answer | QueryAnswer) -> bytes:
    """One line, with its line end."""
    return msgspec.json.encode(answer) + b"\n"


def decode_answer(line: bytes) -> Answer:
    """The answer in one line. Raises `msgspec.MsgspecError` for anything else."""
    return _decoder.decode(line)


def decode_query_answer(line: bytes) -> QueryAnswer:
    """The same for a single query."""
    return _query_decoder.decode(line)
