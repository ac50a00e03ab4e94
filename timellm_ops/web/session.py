"""One dashboard for one browser window: a process that draws into a pipe.

The pipe carries packets: a letter, the length in four bytes (big-endian), the payload. `D` is what
a terminal would get or send, `M` is JSON about it.
"""

import asyncio
import contextlib
import json
import os
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Self

_PRELUDE = b"__GANGLION__\n"
"""What Textual writes before its first packet."""
_MOST_BYTES = 1 << 24
"""Of a packet: a screen of the largest size takes far less."""
_PATIENCE_S = 3.0
"""For the process to take a key, and to end after its input has ended."""
_BLOCK = 1 << 16
_SMALLEST, _LARGEST = (20, 6), (500, 200)


class SessionStuck(Exception):  # noqa: N818 - it says what happened
    """The process takes no input any more."""


class Session:
    """A dashboard's process. It ends when its input ends, so also with this process."""

    def __init__(self, process: Process) -> None:
        assert process.stdin is not None  # noqa: S101 - both are pipes
        assert process.stdout is not None  # noqa: S101
        self._process, self._input, self._output = process, process.stdin, process.stdout

    @property
    def pid(self) -> int:
        """Of its process."""
        return self._process.pid

    @classmethod
    async def start(
        cls, command: Sequence[str], environment: Mapping[str, str], width: int, height: int
    ) -> Self:
        """Start `command` with a screen of so many cells. Raises `OSError`."""
        width, height = _fitting(width, height)
        process = await asyncio.create_subprocess_exec(
            *command,
            stdin=PIPE,
            stdout=PIPE,
            stderr=DEVNULL,
            env={**environment, "COLUMNS": str(width), "ROWS": str(height)},
            start_new_session=True,  # Ctrl+C is for the server, which then ends its sessions
        )
        return cls(process)

    async def frames(self) -> AsyncIterator[bytes]:
        """What a terminal would get, until the dashboard ends or says something else."""
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError, ValueError):
            while await self._output.readline() != _PRELUDE:
                if self._output.at_eof():
                    return
            while True:
                kind = await self._output.readexactly(1)
                size = int.from_bytes(await self._output.readexactly(4), "big")
                if size > _MOST_BYTES:
                    return
                payload = await self._output.readexactly(size)
                if kind == b"D":
                    yield payload
                elif kind == b"M" and _type_of(payload) == "exit":
                    return

    async def type(self, keys: str) -> None:
        """Pass on what a terminal would send. Raises `SessionStuck`."""
        await self._send(b"D", keys.encode("utf-8", "replace"))

    async def resize(self, width: int, height: int) -> None:
        """The screen has another size, in cells. Raises `SessionStuck`."""
        width, height = _fitting(width, height)
        await self._tell({"type": "resize", "width": width, "height": height})

    async def focus(self, *, focused: bool) -> None:
        """The window is in front, or no longer. Raises `SessionStuck`."""
        await self._tell({"type": "focus" if focused else "blur"})

    async def _tell(self, message: dict[str, object]) -> None:
        await self._send(b"M", json.dumps(message).encode())

    async def _send(self, kind: bytes, payload: bytes) -> None:
        try:
            self._input.write(kind + len(payload).to_bytes(4, "big") + payload)
            await asyncio.wait_for(self._input.drain(), _PATIENCE_S)
        except (OSError, RuntimeError, TimeoutError) as error:
            raise SessionStuck from error

    async def end(self, patience_s: float = _PATIENCE_S) -> None:
        """End the process: by the end of its input, else by force. May be called twice, but not
        while somebody else reads its frames."""
        with contextlib.suppress(OSError, RuntimeError):
            self._input.close()
        draining = asyncio.create_task(self._drain())  # or it waits for room in the pipe
        try:
            for harder in (self._process.terminate, self._process.kill, None):
                if await self._has_ended(patience_s):
                    return
                if harder is not None:
                    with contextlib.suppress(ProcessLookupError):
                        harder()
        finally:
            draining.cancel()
            await asyncio.gather(draining, return_exceptions=True)

    async def _drain(self) -> None:
        while await self._output.read(_BLOCK):
            pass

    async def _has_ended(self, patience_s: float) -> bool:
        try:
            await asyncio.wait_for(self._process.wait(), patience_s)
        except TimeoutError:
            return False
        return True


def environment_of_a_session(
    driver: str, environment: Mapping[str, str] = os.environ
) -> dict[str, str]:
    """The environment in which Textual draws into a pipe by that `driver` (`module:Class`)."""
    return {
        **environment,
        "TEXTUAL_DRIVER": driver,
        "TEXTUAL_COLOR_SYSTEM": "truecolor",
        "TERM": "xterm-256color",
        "PYTHONIOENCODING": "utf-8",
    }


def _fitting(width: int, height: int) -> tuple[int, int]:
    return (
        max(_SMALLEST[0], min(_LARGEST[0], width)),
        max(_SMALLEST[1], min(_LARGEST[1], height)),
    )


def _type_of(payload: bytes) -> str:
    try:
        found = json.loads(payload)
    except (ValueError, RecursionError):
        return ""
    return str(found.get("type", "")) if isinstance(found, dict) else ""
