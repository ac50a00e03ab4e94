"""A headless Chromium, driven over chromedriver's HTTP protocol (W3C WebDriver)."""

import base64
import json
import re
import shutil
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--disable-dev-shm-usage", "--window-size=1000,640",
)  # fmt: skip
_PATIENCE_S = 60.0


def missing() -> str:
    """What is not installed here; empty: all there."""
    return ", ".join(name for name in ("chromium", "chromedriver") if shutil.which(name) is None)


@dataclass
class Browser:
    """One window."""

    address: str
    """Of its session at chromedriver."""

    def ask(self, path: str, body: dict[str, Any] | None = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self.address}{path}", data=data)  # noqa: S310
        with urllib.request.urlopen(request, timeout=_PATIENCE_S) as answer:  # noqa: S310
            return json.load(answer)["value"]

    def open(self, url: str) -> None:
        self.ask("/url", {"url": url})

    def run(self, script: str) -> Any:
        """The value of a script's `return`, in the page."""
        return self.ask("/execute/sync", {"script": script, "args": []})

    def type(self, keys: str) -> None:
        typed = [{"type": kind, "value": key} for key in keys for kind in ("keyDown", "keyUp")]
        self.ask("/actions", {"actions": [{"type": "key", "id": "keys", "actions": typed}]})

    def picture(self, path: Path) -> Path:
        """The window as PNG, written to `path`."""
        path.write_bytes(base64.b64decode(self.ask("/screenshot")))
        return path

    def cookies(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.ask("/cookie")
        return found

    def log(self, kind: str) -> list[dict[str, Any]]:
        """What is new of the console (`browser`) or of the network (`performance`)."""
        found: list[dict[str, Any]] = self.ask("/se/log", {"type": kind})
        return found


@contextmanager
def browser(folder: Path) -> Iterator[Browser]:
    """A window with a profile of its own below `folder`."""
    output = folder / "chromedriver.log"
    with output.open("wb") as file:
        driver = subprocess.Popen(
            ["chromedriver", "--port=0"], stdout=file, stderr=file, start_new_session=True
        )
    try:
        base = f"http://127.0.0.1:{_port(output)}/session"
        flags = [*FLAGS, f"--user-data-dir={folder / 'profile'}"]
        wanted = {
            "goog:chromeOptions": {"args": flags, "binary": shutil.which("chromium")},
            "goog:loggingPrefs": {"browser": "ALL", "performance": "ALL"},
        }
        capabilities = {"capabilities": {"alwaysMatch": wanted}}
        session = Browser(base).ask("", capabilities)["sessionId"]
        window = Browser(f"{base}/{session}")
        try:
            yield window
        finally:
            urllib.request.urlopen(  # noqa: S310
                urllib.request.Request(window.address, method="DELETE"),  # noqa: S310
                timeout=_PATIENCE_S,
            ).close()
    finally:
        driver.terminate()
        driver.wait(_PATIENCE_S)


def _port(output: Path) -> int:
    give_up_t = time.monotonic() + _PATIENCE_S
    while time.monotonic() < give_up_t:
        found = re.search(r"started successfully on port (\d+)", output.read_text())
        if found:
            return int(found[1])
        time.sleep(0.1)
    raise AssertionError(output.read_text())
