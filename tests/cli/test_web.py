"""`web` as a process of its own: who is let in, what is shown, what is left when it ends."""

import asyncio
import re
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import psutil
import pytest
from conftest import PATIENCE_S, until
from web_server import RUN_ID, Served, end, serve

from timellm_ops.cli.errors import MissingExtra
from timellm_ops.cli.web import assets_of_the_terminal
from timellm_ops.client import RunClient
from timellm_ops.contract.commands import PauseRun

aiohttp = pytest.importorskip("aiohttp", reason="the extra `web` is not installed")
pytest.importorskip("textual_serve", reason="the extra `web` is not installed")

pytestmark = pytest.mark.slow
SIZE = {"width": "100", "height": "30"}


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """One server for all tests that leave it as it is."""
    made = serve(tmp_path_factory.mktemp("web"))
    yield made
    end(made)


@pytest.fixture
def own_server(tmp_path: Path) -> Iterator[Served]:
    made = serve(tmp_path)
    yield made
    end(made)


@asynccontextmanager
async def client(
    served: Served, *, with_cookie: bool = True
) -> AsyncIterator["aiohttp.ClientSession"]:
    jar = aiohttp.CookieJar(unsafe=True)  # takes cookies of addresses, as a browser does
    async with aiohttp.ClientSession(cookie_jar=jar) as session:
        if with_cookie:
            async with session.get(served.address) as answer:
                assert answer.status == 200
        yield session


@asynccontextmanager
async def window(
    session: "aiohttp.ClientSession", served: Served
) -> AsyncIterator["aiohttp.ClientWebSocketResponse"]:
    origin = {"Origin": served.base}
    async with session.ws_connect(f"{served.base}/ws", params=SIZE, headers=origin) as found:
        yield found


async def seen(window: "aiohttp.ClientWebSocketResponse", text: str) -> str:
    """What the window shows until `text` is in it."""
    drawn = ""
    async with asyncio.timeout(PATIENCE_S):
        async for message in window:
            if message.type is aiohttp.WSMsgType.BINARY:
                drawn += message.data.decode()
            if text in drawn:
                return drawn
    raise AssertionError(f"{text} was not seen in {drawn!r}")


PLACES = ("/", "/ws", "/page.css", "/page.js", "/static/js/textual.js", "/nothing")


@pytest.mark.parametrize("token", ["", "?token=", "?token=" + "x" * 43])
async def test_without_the_token_there_is_nothing(served: Served, token: str) -> None:
    async with client(served, with_cookie=False) as session:
        for place in PLACES:
            origin = {"Origin": served.base}
            async with session.get(f"{served.base}{place}{token}", headers=origin) as answer:
                assert answer.status == 403, place
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            await session.ws_connect(f"{served.base}/ws{token}", headers=origin)
        assert refused.value.status == 403


async def test_the_token_gives_a_cookie_and_goes_from_the_address(served: Served) -> None:
    async with client(served, with_cookie=False) as session:
        async with session.get(served.address, allow_redirects=False) as answer:
            assert (answer.status, answer.headers["Location"]) == (303, "/")
            (cookie,) = answer.headers.getall("Set-Cookie")
            assert {"HttpOnly", "SameSite=Strict", "Path=/"} <= set(cookie.split("; "))
            assert served.address.split("=")[1] not in cookie
        async with session.get(f"{served.base}/") as answer:
            page = await answer.text()
            assert answer.status == 200
            assert RUN_ID in page
            assert not re.search(r"https?://", page)
            assert answer.headers["Cache-Control"] == "no-store"
            assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
            assert "script-src 'self';" in answer.headers["Content-Security-Policy"]
            assert answer.headers["X-Frame-Options"] == "DENY"
            assert "Server" not in answer.headers
        for place in re.findall(r'(?:src|href)="(/[^"]+)"', page):
            async with session.get(f"{served.base}{place}") as answer:
                assert answer.status == 200, place


async def test_the_token_opens_the_first_page_alone(served: Served) -> None:
    token = served.address.split("/?")[1]
    async with client(served, with_cookie=False) as session:
        async with session.get(f"{served.base}/page.css?{token}") as answer:
            assert answer.status == 403
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            await session.ws_connect(f"{served.base}/ws?{token}", headers={"Origin": served.base})
        assert refused.value.status == 403


FOREIGN = {
    "origin": {"Origin": "http://evil.example"},
    "origin of another port": {"Origin": "http://127.0.0.1:1"},
    "origin of nowhere": {"Origin": "null"},
    "host": {"Host": "evil.example", "Origin": "http://evil.example"},
    "site": {"Sec-Fetch-Site": "cross-site"},
}


@pytest.mark.parametrize("headers", FOREIGN.values(), ids=FOREIGN.keys())
async def test_a_foreign_page_gets_nothing_in_spite_of_the_cookie(
    served: Served, headers: dict[str, str]
) -> None:
    async with client(served) as session:
        for place in ("/", "/static/js/textual.js"):
            async with session.get(f"{served.base}{place}", headers=headers) as answer:
                assert answer.status == 403
        known = {"Origin": served.base, **headers}
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            await session.ws_connect(f"{served.base}/ws", headers=known)
        assert refused.value.status == 403


async def test_nothing_can_be_written_and_no_folder_be_read(served: Served) -> None:
    async with client(served) as session:
        for method in ("POST", "PUT", "DELETE", "OPTIONS"):
            async with session.request(method, f"{served.base}/") as answer:
                assert answer.status == 403
        for place in ("/static/", "/static/js/", "/static/..%2fserver.py"):
            async with session.get(aiohttp.client.URL(f"{served.base}{place}", encoded=True)) as it:
                assert it.status in (403, 404)


def test_it_listens_on_the_loopback_address_alone(served: Served) -> None:
    found = psutil.Process(served.process.pid).net_connections("inet")
    assert {c.laddr.ip for c in found if c.status == psutil.CONN_LISTEN} == {"127.0.0.1"}


async def test_a_window_shows_the_run_and_asks_nothing_of_it(served: Served) -> None:
    RunClient(served.layout).send(PauseRun(who="test"))
    assert served.requests() == 1  # a request would be noticed
    async with client(served) as session, window(session, served) as found:
        drawn = await seen(found, "0.4242")
        assert "read only" in drawn
        assert "TRAINING" in drawn
        for key in "psSo":
            await found.send_json(["stdin", key])
            await seen(found, "this view is read only")
        await found.send_json(["stdin", "5"])
        await seen(found, str(served.layout.root.parent)[:20])
        assert served.requests() == 0


async def test_nonsense_ends_nothing(served: Served) -> None:
    async with client(served) as session, window(session, served) as found:
        await seen(found, "TRAINING")
        for text in ("", "x", "{}", '["resize", {"width": -5, "height": 1e9}]', '["stdin", null]'):
            await found.send_str(text)
        await found.send_bytes(b"\xff")
        await found.send_json(["resize", {"width": -5, "height": 10**9}])
        await found.send_json(["ping", 7])
        async with asyncio.timeout(PATIENCE_S):
            async for message in found:
                if message.type is aiohttp.WSMsgType.TEXT:
                    assert message.json() == ["pong", 7]
                    break
    until(lambda: not served.sessions, "the end of the window's process")


async def test_there_is_an_end_to_windows(own_server: Served) -> None:
    async with client(own_server) as session:
        opened = [
            await session.ws_connect(f"{own_server.base}/ws", headers={"Origin": own_server.base})
            for _ in range(4)
        ]
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            await session.ws_connect(f"{own_server.base}/ws", headers={"Origin": own_server.base})
        assert refused.value.status == 503
        for found in opened:
            await found.close()
    until(lambda: not own_server.sessions, "the end of all windows' processes")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
async def test_no_dashboard_outlives_the_server(own_server: Served, number: int) -> None:
    async with client(own_server) as session, window(session, own_server) as found:
        await seen(found, "TRAINING")
        sessions = own_server.sessions
        assert len(sessions) == 1
        own_server.process.send_signal(number)
        code = own_server.process.wait(PATIENCE_S)
        assert code == (-9 if number == signal.SIGKILL else 0)
        until(lambda: not any(process.is_running() for process in sessions), "their end")


def test_without_its_packages_it_says_which_to_install() -> None:
    with pytest.raises(MissingExtra, match=r"timellm-ops\[web\]"):
        assets_of_the_terminal(lambda _: None)
