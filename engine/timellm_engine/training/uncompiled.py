"""torch's optimisers, without torch's compiler.

`torch.optim` keeps some methods away from `torch.compile` by a wrapper whose first call imports
the whole compiler: as long as `import torch` takes, in every start of the engine. Here are the
same methods without their wrappers; nothing of what they compute is changed.
"""

import inspect
from typing import Any

import torch
from torch.optim import SGD, Adam, AdamW, Optimizer


class _Uncompiled(Optimizer):
    add_param_group: Any = inspect.unwrap(Optimizer.add_param_group)
    zero_grad: Any = inspect.unwrap(Optimizer.zero_grad)
    state_dict: Any = inspect.unwrap(Optimizer.state_dict)
    load_state_dict: Any = inspect.unwrap(Optimizer.load_state_dict)


class UncompiledAdam(_Uncompiled, Adam):
    """`torch.optim.Adam`."""

    step: Any = torch.no_grad()(inspect.unwrap(Adam.step))


class UncompiledAdamW(_Uncompiled, AdamW):
    """`torch.optim.AdamW`."""

    step: Any = torch.no_grad()(inspect.unwrap(AdamW.step))


class UncompiledSGD(_Uncompiled, SGD):
    """`torch.optim.SGD`."""

    step: Any = torch.no_grad()(inspect.unwrap(SGD.step))
