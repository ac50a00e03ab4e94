"""Work whose memory is gone when it is done, on the machine and on the card."""

import multiprocessing
from collections.abc import Callable


def in_own_process(work: Callable[..., object], *arguments: object) -> None:
    """Do `work` in a new process and wait for it.

    What it took of a card, CUDA's context included, is given back with the process, and the
    largest resident set of this one, which Linux counts for those that it begins, stays small.

    Raises:
        SystemExit: the process ended with another code than 0; its error is on standard error.
    """
    child = multiprocessing.get_context("spawn").Process(target=work, args=arguments)
    child.start()
    child.join()
    if child.exitcode:
        raise SystemExit(f"{work.__name__} failed with exit code {child.exitcode}")
