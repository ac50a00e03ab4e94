"""What the C library does with memory that a training step gives back.

glibc hands the end of its heap back to the system whenever enough of it is free, and the next step
has every page of its activations made and cleared again. Kept, they are there.
"""

import ctypes
import sys

from timellm_ops.contract.engine_memory import MMAP_BYTES

_KEPT_BYTES = 64 << 20
"""Of the end of the heap: with that much free it goes back to the system."""
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3


def keep_freed_memory() -> bool:
    """Keep pieces that are freed, and an end of the heap, for the next step; whether the C library
    can."""
    library = _glibc()
    if library is None:
        return False
    # Setting one of them stops glibc from choosing the other by what it sees.
    asked = ((_M_MMAP_THRESHOLD, MMAP_BYTES), (_M_TRIM_THRESHOLD, _KEPT_BYTES))
    return all(bool(library.mallopt(option, size)) for option, size in asked)


def give_back_freed_memory() -> bool:
    """Give all of it back to the system, as after loading: pieces of what was loaded are no
    measure for those of a step. Whether the C library can."""
    library = _glibc()
    return library is not None and bool(library.malloc_trim(0))


def _glibc() -> ctypes.CDLL | None:
    if not sys.platform.startswith("linux"):
        return None
    try:
        library = ctypes.CDLL(None)
    except OSError:
        return None
    has_both = hasattr(library, "mallopt") and hasattr(library, "malloc_trim")
    return library if has_both else None  # others than glibc
