"""Random numbers that are the same on every machine and under every library's version."""

import hashlib
import math

import numpy as np

_RAW_UNIFORM_STD = math.sqrt(4 * (2**32 - 1) / 12)
"""Standard deviation of the sum of four independent whole numbers below 2^16."""


def normal_draws(key: str, count: int, std: float) -> np.ndarray[tuple[int], np.dtype[np.float32]]:
    """Nearly normal numbers that depend on `key` alone.

    Four 16-bit numbers of each word of the Philox stream are summed (Irwin–Hall), which whole
    numbers do exactly; a logarithm or a cosine would differ in the last bit between platforms.
    Bounded by 3.5 standard deviations.
    """
    digest = hashlib.sha256(key.encode()).digest()
    stream = np.random.Philox(key=int.from_bytes(digest[:16], "little"))
    words = stream.random_raw(count)
    sums = np.zeros(words.shape, dtype=np.int64)
    for shift in (0, 16, 32, 48):
        sums += ((words >> np.uint64(shift)) & np.uint64(0xFFFF)).astype(np.int64)
    centred = sums.astype(np.float64) - 2 * 65535.0
    return (centred * (std / _RAW_UNIFORM_STD)).astype(np.float32)
