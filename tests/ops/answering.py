"""A supervisor's end of a control socket that answers in a thread."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from timellm_ops.contract.commands import AnyRequest, Reply
from timellm_ops.control_socket import ControlServer

Answer = Callable[[AnyRequest], Reply]


def taken(request: AnyRequest) -> Reply:
    """An answer that tells requests apart."""
    return Reply(ok=True, message=f"{type(request).__name__} of {request.who}")


@contextmanager
def answering(path: Path, answer: Answer = taken) -> Iterator[ControlServer]:
    """A server on `path` that answers every request until the end of the block."""
    server = ControlServer(path)
    over = threading.Event()

    def serve() -> None:
        while not over.is_set():
            for pending in server.poll(0.02):
                pending.reply(answer(pending.request))

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield server
    finally:
        over.set()
        thread.join()
        server.close()
