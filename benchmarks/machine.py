"""What this machine can do: products of given sizes, memory, exponentials. The best of a few tries.

Products by torch's own call, and by oneDNN with a weight that is laid out, where that is known to
be faster. A floor is made of the best that was ever seen, so other work on the machine can only
delay it.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from timellm_engine.model import onednn

COPIED_BYTES = 256 << 20
FEWEST_TRIES, TRIED_S = 3, 0.3
IN_CACHE = 1 << 16
"""Numbers whose exponentials are taken at once, so that they stay in the cache."""


@dataclass(frozen=True)
class Machine:
    """Its best rates, a second."""

    flop_s: dict[str, float]
    """By the product that they were measured with."""
    bytes_s: float
    exps_s: float


def measure(
    products: dict[str, tuple[int, int, int]],
    dtype: torch.dtype,
    device: str,
    *,
    laid_out: bool = True,
) -> Machine:
    """Rates of these products, `[left, between]` times `[between, right]`, and of the rest.

    Without `laid_out`, by torch's own call alone.
    """
    rates = {
        name: 2 * left * between * right / min(best_s(way, device) for way in ways)
        for name, (left, between, right) in products.items()
        for ways in [_ways((left, between, right), dtype, device)[: None if laid_out else 1]]
    }
    source = torch.ones(COPIED_BYTES // 4, device=device)
    target = torch.empty_like(source)
    copied_s = best_s(lambda: target.copy_(source), device)
    numbers = torch.rand(IN_CACHE, device=device)
    results = torch.empty_like(numbers)

    def exponentials() -> None:
        for _ in range(100):
            torch.exp(numbers, out=results)

    exps_s = best_s(exponentials, device)
    return Machine(rates, 2 * COPIED_BYTES / copied_s, 100 * IN_CACHE / exps_s)


def _ways(
    size: tuple[int, int, int], dtype: torch.dtype, device: str
) -> list[Callable[[], Tensor]]:
    """The product, as it can be called for."""
    left, between, right = size
    one = torch.randn(left, between, device=device).to(dtype)
    other = torch.randn(between, right, device=device).to(dtype)
    result = torch.empty(left, right, dtype=dtype, device=device)
    ways: list[Callable[[], Tensor]] = [lambda: torch.mm(one, other, out=result)]
    if device == "cpu" and onednn.is_faster(dtype):
        across = onednn.laid_out(other.t())
        ways.append(lambda: onednn.product(one, across))
    return ways


def best_s(work: Callable[[], object], device: str) -> float:
    """Seconds of the fastest of many tries, after one that is not counted."""
    work()
    taken: list[float] = []
    while len(taken) < FEWEST_TRIES or sum(taken) < TRIED_S:
        began = now(device)
        work()
        taken.append(now(device) - began)
    return min(taken)


def now(device: str) -> float:
    """Seconds, once the device has done what it was told to."""
    if device == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter()
