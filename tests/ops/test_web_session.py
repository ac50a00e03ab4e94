"""A window's process: what it draws comes through, and it ends, whatever it is like."""

import sys

import psutil
import pytest

from timellm_ops.web.session import Session, SessionStuck

DRAWS = r"""
import os, sys
def packet(kind, payload):
    return kind + len(payload).to_bytes(4, "big") + payload
out = sys.stdout.buffer
out.write(b"a warning\n__GANGLION__\n" + packet(b"D", os.environ["COLUMNS"].encode()))
out.write(packet(b"M", b'{"type": "open_url", "url": "http://evil.example"}'))
out.write(packet(b"D", b"x" * 300_000))
out.flush()
kind, size = sys.stdin.buffer.read(1), int.from_bytes(sys.stdin.buffer.read(4), "big")
out.write(packet(b"D", kind + sys.stdin.buffer.read(size)) + packet(b"M", b'{"type": "exit"}'))
out.write(packet(b"D", b"never shown"))
out.flush()
"""
STUBBORN = r"""
import signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("__GANGLION__", flush=True)
time.sleep(600)
"""


async def start(script: str, width: int = 120) -> Session:
    return await Session.start([sys.executable, "-c", script], {}, width, 40)


async def test_what_is_drawn_comes_and_what_is_typed_goes() -> None:
    session = await start(DRAWS)
    frames = session.frames()
    assert await anext(frames) == b"120"
    assert await anext(frames) == b"x" * 300_000
    await session.type("é")
    assert await anext(frames) == b"D" + "é".encode()
    assert [frame async for frame in frames] == []
    await session.end()


@pytest.mark.parametrize(("asked", "given"), [(1, b"20"), (10**9, b"500")])
async def test_a_screen_has_a_size_that_can_be_drawn(asked: int, given: bytes) -> None:
    session = await start(DRAWS, asked)
    assert await anext(session.frames()) == given
    await session.end()


@pytest.mark.parametrize(
    "script",
    [
        "",
        "raise SystemExit(3)",
        "print('something else\\n' * 9)",
        "print('x' * 1_000_000)",
        "print('__GANGLION__'); print('Dxyzabcd')",
        "import sys; sys.stdout.buffer.write(b'__GANGLION__\\nD\\xff\\xff\\xff\\xff')",
    ],
)
async def test_what_is_no_dashboard_shows_nothing_and_ends(script: str) -> None:
    session = await start(script)
    assert [frame async for frame in session.frames()] == []
    await session.end()
    assert not psutil.pid_exists(session.pid)


async def test_one_that_will_not_end_is_ended() -> None:
    session = await start(STUBBORN)
    await session.end(patience_s=0.2)
    await session.end(patience_s=0.2)
    assert not psutil.pid_exists(session.pid)


async def test_one_that_has_ended_takes_nothing() -> None:
    session = await start("")
    await session.end()
    with pytest.raises(SessionStuck):
        await session.type("p")
