"""Whether a run may start on its GPU: it is here, nobody else trains there, and there is memory
left. Pure."""

from collections.abc import Sequence

from timellm_ops.contract.config import GpuSection
from timellm_ops.contract.sizes import part_text
from timellm_ops.contract.telemetry import GpuSample
from timellm_policies.vram import holders

FULL = 0.9
"""From such a share of its memory on, a GPU is full before a run has begun."""


def taken(sample: GpuSample, holder: str) -> str:
    """The one line for a GPU that run `holder` (empty: not known) has."""
    if not holder:
        return f"{_gpu(sample)} is in use by another run; {_OTHERWISE}"
    return (
        f"{_gpu(sample)} is in use by run {holder}: wait for it (timellm-ops attach {holder}), "
        f"stop it (timellm-ops stop {holder}), or {_OTHERWISE}"
    )


def full(sample: GpuSample) -> str:
    """The one line for a GPU that has no memory left to begin with; empty: it has some."""
    used, total = sample.memory_used_bytes, sample.memory_total_bytes
    if used is None or not total or used < FULL * total:
        return ""
    free = f"{part_text(total - used, total)} are free"
    who = f"held by {holders(sample.processes)}" if sample.processes else _UNNAMED
    return f"{_gpu(sample)} is full: {free}, {who}; end that first, or {_OTHERWISE}"


def elsewhere(gpu: GpuSection, others: Sequence[str]) -> str:
    """The one line for a config that asks for a GPU which is not among those that are here.

    `others`: the UUIDs of those that are; empty: that is not what is wrong, and no words.
    """
    if not others:
        return ""
    if gpu.uuid:
        return (
            f"gpu.uuid: found {gpu.uuid}; expected the UUID of a GPU that is here, or the "
            f"beginning of one alone: {', '.join(others)}"
        )
    many = f"0 to {len(others) - 1}" if len(others) > 1 else "0"
    here = f"{len(others)} GPUs are" if len(others) > 1 else "one GPU is"
    return f"gpu.index: found {gpu.index}; expected {many}: {here} here"


_UNNAMED = "the driver does not say by whom the rest is held"
_OTHERWISE = "set gpu.share = true to train beside it"


def _gpu(sample: GpuSample) -> str:
    return f"GPU {sample.index}{f' ({sample.name})' if sample.name else ''}"
