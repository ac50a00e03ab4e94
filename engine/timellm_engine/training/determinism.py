"""The same bits every time, as far as the device has kernels for that."""

import os

import torch
from torch.utils import deterministic

from timellm_engine.errors import PreflightError

_WORKSPACE = "CUBLAS_WORKSPACE_CONFIG"
_REPEATABLE_WORKSPACES = (":4096:8", ":16:8")
_COMPLAINTS = ("does not have a deterministic implementation", "Deterministic behavior was enabled")
"""How torch begins to say, as a `RuntimeError`, that a kernel cannot be had."""


def use_deterministic_kernels(wanted: bool) -> None:
    """From here on in this process, take only kernels that repeat themselves, or any.

    To be called before CUDA is first used. It changes nothing on a CPU, whose kernels are all of
    that kind, and nothing of what is computed costs more there. Raises `PreflightError` where the
    environment forbids it.
    """
    if wanted:
        workspace = os.environ.setdefault(_WORKSPACE, _REPEATABLE_WORKSPACES[0])
        if workspace not in _REPEATABLE_WORKSPACES:
            raise PreflightError(
                f"run.deterministic: found true, and {_WORKSPACE}={workspace} in the environment; "
                f"expected {' or '.join(_REPEATABLE_WORKSPACES)} there, or nothing"
            )
    # The same as `torch.use_deterministic_algorithms`, which also imports torch's compiler.
    torch.set_deterministic_debug_mode("error" if wanted else "default")
    # Nothing here reads memory that it has not set, and setting it all would cost time.
    deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    torch.backends.cudnn.deterministic = wanted
    torch.backends.cudnn.benchmark = False


def refused_kernel(error: RuntimeError) -> PreflightError | None:
    """By the config's key, if `error` says that there is no kernel that repeats itself."""
    said = str(error)
    if not any(complaint in said for complaint in _COMPLAINTS):
        return None
    before, complaint, _ = said.partition(_COMPLAINTS[0])
    kernel = before.split()[-1] if complaint and before.split() else "an operation"
    return PreflightError(
        f"run.deterministic: found true, but this device has no kernel for {kernel} that gives the "
        'same bits every time; expected false, or train.device = "cpu"'
    )
