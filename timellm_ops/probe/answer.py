"""What the NVML child says: one JSON object a line for every line it is sent."""

import msgspec
from msgspec import Struct

from timellm_ops.contract.telemetry import GpuSample


class Answer(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Either a reading or why there is none."""

    sample: GpuSample | None = None
    problem: str = ""
    absent: bool = False
    """There is no such GPU or driver on this machine."""
    asleep: bool = False
    """The GPU is powered down and was not woken."""


_decoder = msgspec.json.Decoder(Answer)


def encode_answer(answer: Answer) -> bytes:
    """One line, with its line end."""
    return msgspec.json.encode(answer) + b"\n"


def decode_answer(line: bytes) -> Answer:
    """The answer in one line. Raises `msgspec.MsgspecError` for anything else."""
    return _decoder.decode(line)
