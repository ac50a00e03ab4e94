"""The dashboard in a real browser, where there is one: seen as a picture, and by what it draws."""

import base64
import json
from collections.abc import Iterator
from pathlib import Path

import numpy
import pytest
from browser import Browser, browser, missing
from conftest import until
from matplotlib.image import imread
from web_server import RUN_ID, Served, end, serve

pytest.importorskip("aiohttp", reason="the extra `web` is not installed")
pytest.importorskip("textual_serve", reason="the extra `web` is not installed")

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(bool(missing()), reason=f"not installed here: {missing()}"),
]


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    made = serve(tmp_path_factory.mktemp("web"))
    yield made
    end(made)


@pytest.fixture(scope="module")
def window(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with browser(tmp_path_factory.mktemp("chromium")) as opened:
        yield opened


class Seen:
    """What a window's terminal has been sent, and which addresses the page has asked for."""

    def __init__(self, window: Browser) -> None:
        self._window = window
        self.drawn = ""
        self.addresses: set[str] = set()

    def __contains__(self, text: str) -> bool:
        for entry in self._window.log("performance"):
            message = json.loads(entry["message"])["message"]
            params = message["params"]
            match message["method"]:
                case "Network.webSocketFrameReceived" if params["response"]["opcode"] == 2:
                    data = base64.b64decode(params["response"]["payloadData"])
                    self.drawn += data.decode("utf-8", "replace")
                case "Network.requestWillBeSent":
                    self.addresses.add(params["request"]["url"])
        return text in self.drawn


def colours(picture: Path) -> set[tuple[int, ...]]:
    """The colours in a picture: red, green and blue from 0 to 255."""
    pixels = numpy.rint(imread(picture)[..., :3] * 255).astype(int)
    return {tuple(colour) for colour in numpy.unique(pixels.reshape(-1, 3), axis=0).tolist()}


GREEN, GROUND = (0x2D, 0xBE, 0x91), (0x11, 0x15, 0x1A)
"""Of the dark theme: a run in training, and the background."""


def test_a_browser_shows_the_run_and_can_ask_nothing_of_it(
    served: Served, window: Browser, tmp_path: Path
) -> None:
    window.log("performance")
    window.open(served.address)
    seen = Seen(window)
    until(lambda: "0.4242" in seen, "the run's loss")
    assert "read only" in seen.drawn
    assert window.run("return location.href") == f"{served.base}/"
    assert RUN_ID in window.run("return document.title")
    until(lambda: {GREEN, GROUND} <= colours(window.picture(tmp_path / "1.png")), "the picture")

    until(lambda: window.run("return document.activeElement.tagName") == "TEXTAREA", "the focus")
    for key in "psS":
        window.type(key)
    until(lambda: "this view is read only" in seen, "a refusal")
    assert served.requests() == 0

    ours = {address for address in seen.addresses if address.startswith("http")}
    assert all(address.startswith(served.base) for address in ours), ours
    (cookie,) = window.cookies()
    assert (cookie["httpOnly"], cookie["sameSite"]) == (True, "Strict")
    assert window.run("return document.cookie") == ""
    refused = [e["message"] for e in window.log("browser") if "Content Security" in e["message"]]
    assert refused == []


def test_the_page_says_so_when_the_view_is_closed(served: Served, window: Browser) -> None:
    window.open(served.address)
    until(lambda: "TRAINING" in Seen(window), "the run")
    until(lambda: window.run("return document.activeElement.tagName") == "TEXTAREA", "the focus")
    window.type("q")
    shown = "return getComputedStyle(document.querySelector('.closed')).display"
    until(lambda: window.run(shown) == "block", "the note")


def test_a_page_of_another_site_gets_no_window(
    served: Served, window: Browser, tmp_path: Path
) -> None:
    window.open(served.address)  # the browser has the cookie
    page = tmp_path / "evil.html"
    page.write_text("<title>another site</title>", encoding="utf-8")
    window.open(page.as_uri())
    address = f"{served.base.replace('http', 'ws')}/ws"
    window.run(
        f"window.said = ''; const s = new WebSocket('{address}');"
        "s.onopen = () => window.said = 'open'; s.onerror = () => window.said = 'refused';"
    )
    until(lambda: window.run("return window.said"), "an answer")
    assert window.run("return window.said") == "refused"
