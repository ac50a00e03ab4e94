"""The server: a page with a terminal in it, and a dashboard's process behind every terminal."""

import asyncio
import contextlib
import secrets
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import Literal, assert_never

from aiohttp import WSMsgType, web
from msgspec import Struct
from multidict import MultiMapping

from timellm_ops.web.gate import ADDRESS, Asked, Keys, has_cookie, has_token, refusal
from timellm_ops.web.messages import Focus, Ping, Size, parse
from timellm_ops.web.messages import Keys as Typed
from timellm_ops.web.page import SCRIPT, STYLE, page
from timellm_ops.web.session import Session, SessionStuck

MOST_SESSIONS = 4
"""Windows at once: each is a process of some 50 MB."""

_Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
_MOST_MESSAGE_BYTES = 1 << 16
_HEARTBEAT_S = 15.0
_GOING_AWAY = 1001
_TOKEN_BYTES = 32


class Dashboards(Struct, frozen=True, kw_only=True):
    """What is served."""

    title: str
    """Of the page: which run."""
    command: Sequence[str]
    """Starts one dashboard that draws into a pipe."""
    environment: Mapping[str, str]
    assets: Path
    """The folder with `js/textual.js`, `css/` and `fonts/` of the terminal."""
    lang: Literal["en", "zh"] = "en"
    """Of what the page itself says."""


class WebServer:
    """Serves dashboards on the loopback address until it is told to stop."""

    def __init__(self, served: Dashboards) -> None:
        self._served = served
        self._keys = Keys(port=0, token="", cookie="")
        self._sockets: set[web.WebSocketResponse] = set()
        self._sessions = 0

    async def serve(
        self, port: int, *, started: Callable[[str], None], stop: asyncio.Event
    ) -> None:
        """Listen on `port` (0: a free one), call `started` with the address, serve until `stop`.

        Every process that it started has ended when it returns. Raises `OSError`, as for a port
        that is taken.
        """

        async def guard(request: web.Request, handler: _Handler) -> web.StreamResponse:
            return await self._guard(request, handler)

        app = web.Application(middlewares=[web.middleware(guard)])
        app.router.add_get("/", self._page)
        app.router.add_get("/page.css", self._style)
        app.router.add_get("/page.js", self._script)
        app.router.add_get("/ws", self._terminal)
        app.router.add_static("/static", self._served.assets)
        app.on_response_prepare.append(self._protect)
        app.on_shutdown.append(self._close)
        # No access log: the token is part of an address.
        runner = web.AppRunner(app, access_log=None, handle_signals=False, shutdown_timeout=10.0)
        await runner.setup()
        try:
            site = web.TCPSite(runner, ADDRESS, port, reuse_address=True)
            await site.start()
            bound = runner.addresses[0][1]
            self._keys = Keys(
                port=bound,
                token=secrets.token_urlsafe(_TOKEN_BYTES),
                cookie=secrets.token_urlsafe(_TOKEN_BYTES),
            )
            started(f"http://{ADDRESS}:{bound}/?token={self._keys.token}")
            await stop.wait()
        finally:
            await runner.cleanup()

    # --- who may come in -------------------------------------------------------------------------

    async def _guard(self, request: web.Request, handler: _Handler) -> web.StreamResponse:
        asked = _asked(request, self._keys)
        reason = refusal(asked, self._keys)
        if reason:
            return web.Response(status=403, text=f"{reason}\n")
        if asked.token:
            return self._exchange(asked, request)
        return await handler(request)

    def _exchange(self, asked: Asked, request: web.Request) -> web.Response:
        """A cookie for the token, and the address without it."""
        answer = web.Response(status=303, headers={"Location": "/"})
        if request.path == "/" and has_token(asked, self._keys):
            answer.set_cookie(
                self._keys.cookie_name,
                self._keys.cookie,
                httponly=True,
                samesite="Strict",
                path="/",
            )
        elif not has_cookie(asked, self._keys):
            return web.Response(status=403, text="the token belongs to the first page\n")
        return answer

    async def _protect(self, request: web.Request, response: web.StreamResponse) -> None:  # noqa: ARG002
        """What every answer says to the browser about itself."""
        response.headers.update(_HEADERS)
        host = f"{ADDRESS}:{self._keys.port}"
        response.headers["Content-Security-Policy"] = _POLICY.format(
            sockets=f"ws://{host} ws://localhost:{self._keys.port}"
        )
        response.headers.pop("Server", None)

    # --- what there is ---------------------------------------------------------------------------

    async def _page(self, request: web.Request) -> web.Response:
        text = page(
            title=self._served.title, socket=f"ws://{request.host}/ws", lang=self._served.lang
        )
        return web.Response(text=text, content_type="text/html")

    async def _style(self, request: web.Request) -> web.Response:  # noqa: ARG002
        return web.Response(text=STYLE, content_type="text/css")

    async def _script(self, request: web.Request) -> web.Response:  # noqa: ARG002
        return web.Response(text=SCRIPT, content_type="text/javascript")

    async def _terminal(self, request: web.Request) -> web.StreamResponse:
        if self._sessions >= MOST_SESSIONS:
            return web.Response(status=503, text=f"{MOST_SESSIONS} windows are open already\n")
        self._sessions += 1
        try:
            return await self._show(request)
        finally:
            self._sessions -= 1

    async def _show(self, request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse(
            heartbeat=_HEARTBEAT_S, max_msg_size=_MOST_MESSAGE_BYTES, compress=False
        )
        await socket.prepare(request)
        self._sockets.add(socket)
        try:
            session = await Session.start(
                self._served.command,
                self._served.environment,
                _number(request.query, "width", 80),
                _number(request.query, "height", 24),
            )
            drawing = asyncio.create_task(_draw(session, socket))
            try:
                await _listen(session, socket)
            finally:
                drawing.cancel()
                await asyncio.gather(drawing, return_exceptions=True)
                await session.end()
        finally:
            self._sockets.discard(socket)
            await socket.close()
        return socket

    async def _close(self, app: web.Application) -> None:  # noqa: ARG002
        for socket in list(self._sockets):
            await socket.close(code=_GOING_AWAY, message=b"the server ends")


async def _draw(session: Session, socket: web.WebSocketResponse) -> None:
    """Pass on what the dashboard draws; a window whose dashboard has ended is closed."""
    with contextlib.suppress(ConnectionError):  # the window is gone
        async for frame in session.frames():
            await socket.send_bytes(frame)
    await socket.close()


async def _listen(session: Session, socket: web.WebSocketResponse) -> None:
    """Pass on what the window says, until it is gone or the dashboard takes nothing any more."""
    try:
        async for message in socket:
            if message.type is not WSMsgType.TEXT:
                continue
            said = parse(message.data)
            match said:
                case Typed(text):
                    await session.type(text)
                case Size(width, height):
                    await session.resize(width, height)
                case Focus(focused):
                    await session.focus(focused=focused)
                case Ping(data):
                    await socket.send_json(["pong", data])
                case None:
                    continue
                case _:
                    assert_never(said)
    except (SessionStuck, ConnectionError):
        return


def _asked(request: web.Request, keys: Keys) -> Asked:
    return Asked(
        method=request.method,
        hosts=tuple(request.headers.getall("Host", ())),
        origins=tuple(request.headers.getall("Origin", ())),
        site=request.headers.get("Sec-Fetch-Site", ""),
        cookie=request.cookies.get(keys.cookie_name, ""),
        token=request.query.get("token", ""),
        websocket=request.headers.get("Upgrade", "").lower() == "websocket"
        or request.path == "/ws",
    )


def _number(query: MultiMapping[str], name: str, otherwise: int) -> int:
    text = query.get(name, "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 6 else otherwise


_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; font-src 'self'; "
    "img-src 'self' data:; connect-src 'self' {sockets}; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'"
)
"""Nothing from anywhere else. The terminal writes its styles as it goes, hence `unsafe-inline`."""
_HEADERS = {
    "Cache-Control": "no-store",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
