"""Where a data set is looked for, and downloads over a real connection that goes well or badly."""

import hashlib
import os
import pty
import re
import socket
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import get_args

import msgspec
import pytest
from small_disk import fill, small_disk
from waiting import PATIENCE_S, python

from timellm_ops.contract.config import Published
from timellm_ops.contract.published import PUBLISHED_SHAPES
from timellm_ops.datasets import (
    KNOWN,
    DataNotFound,
    DownloadFailed,
    KnownDataset,
    fetch,
    locate,
)
from timellm_ops.paths import user_cache

CONTENT = b"date,OT\n" + b"2016-07-01 00:00:00,30.5\n" * 20_000
LAST_WORDS = (
    "To try without it: timellm-ops run configs/quickstart.toml needs no data"
)  # fmt: skip

ETTH = (KNOWN["ETTh1"], KNOWN["ETTh2"])

Serve = Callable[[str], KnownDataset]


@pytest.fixture
def real_data() -> Path:
    folder = os.environ.get("TIMELLM_DATA_DIR", "")
    if not all((Path(folder) / known.file).is_file() for known in ETTH):
        pytest.skip("the ETT files are looked for in TIMELLM_DATA_DIR")
    return Path(folder)


class _Handler(BaseHTTPRequestHandler):
    """Answers by the name in the address."""

    def do_GET(self) -> None:
        match self.path:
            case "/right":
                self._answer(CONTENT, len(CONTENT))
            case "/wrong":
                self._answer(CONTENT.replace(b"30.5", b"30.6"), len(CONTENT))
            case "/broken-off":
                self._answer(CONTENT[:100_000], len(CONTENT))
            case "/of-unknown-length":
                self._answer(CONTENT, None)
            case "/of-nonsense-length":
                self._answer(CONTENT, "many")
            case "/chunks-broken-off":
                self.protocol_version = "HTTP/1.1"
                self.send_response(200)
                self.send_header("Transfer-Encoding", "chunked")
                self.end_headers()
                self.wfile.write(b"%x\r\n%b" % (len(CONTENT), CONTENT[:1000]))
                self.close_connection = True
            case "/hung-up":
                self.close_connection = True
            case "/moved":
                self.send_response(302)
                self.send_header("Location", "/right")
                self.end_headers()
            case "/moved-in-a-circle":
                self.send_response(302)
                self.send_header("Location", self.path)
                self.end_headers()
            case "/moved-to-a-file":
                self.send_response(302)
                self.send_header("Location", "file:///etc/passwd")
                self.end_headers()
            case "/no-http":
                self.wfile.write(b"\x16\x03\x01 good day\r\n\r\n")
            case _:
                self.send_error(404)

    def _answer(self, content: bytes, length: int | str | None) -> None:
        self.send_response(200)
        if length is not None:
            self.send_header("Content-Length", str(length))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *arguments: object) -> None:
        """Say nothing."""


@pytest.fixture
def serve(monkeypatch: pytest.MonkeyPatch) -> Iterator[Serve]:
    """A data set whose public address is a path on a real server of this machine."""
    monkeypatch.setenv("no_proxy", "*")
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield lambda path: published(f"http://127.0.0.1:{server.server_port}/{path}")
    server.shutdown()
    thread.join()
    server.server_close()


def published(address: str) -> KnownDataset:
    return KnownDataset(
        name="ETTh1",
        file="ETTh1.csv",
        address=address,
        sha256=hashlib.sha256(CONTENT).hexdigest(),
        licence="CC BY-ND 4.0",
        source="ETDataset",
    )


@pytest.fixture
def nowhere(monkeypatch: pytest.MonkeyPatch) -> KnownDataset:
    """A data set whose address nobody answers at."""
    monkeypatch.setenv("no_proxy", "*")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    return published(f"http://127.0.0.1:{port}/ETTh1.csv")


def not_found(dataset: str, path: str, cache: Path, **options: object) -> str:
    with pytest.raises(DataNotFound) as raised:
        locate(dataset, path, cache_dir=cache, **options)  # type: ignore[arg-type]
    text = str(raised.value)
    assert text.isprintable()
    assert text.startswith(f"the data set {dataset} was not found: ")
    assert text.endswith(LAST_WORDS)
    return text


def is_empty(folder: Path) -> bool:
    return not folder.exists() or list(folder.iterdir()) == []


# --- looking -------------------------------------------------------------------------------------


def test_a_configured_file_is_taken_as_it_is(tmp_path: Path) -> None:
    mine = tmp_path / "mine.csv"
    mine.write_text("date,OT\n")
    for dataset in ("ETTh1", "custom"):
        assert locate(dataset, str(mine), env={}, cache_dir=tmp_path / "none") == mine


def test_a_custom_set_is_looked_for_at_its_path_only(tmp_path: Path) -> None:
    def never(known: KnownDataset, target: Path) -> None:
        raise AssertionError("nothing is known about a custom data set")

    path = tmp_path / "mine.csv"
    text = not_found("custom", str(path), tmp_path, env={}, download=never)
    assert f"data.path {path} (no such file). To" in text


def test_the_places_are_named_in_the_order_in_which_they_were_tried(tmp_path: Path) -> None:
    text = not_found(
        "ETTh1",
        "/nonexistent/here.csv",
        tmp_path / "cache",
        env={"TIMELLM_DATA_DIR": str(tmp_path / "mine")},
    )
    address = KNOWN["ETTh1"].address
    assert text == (
        "the data set ETTh1 was not found: data.path /nonexistent/here.csv (no such file); "
        f"TIMELLM_DATA_DIR {tmp_path}/mine/ETTh1.csv (no such file); "
        f"cache {tmp_path}/cache/ETTh1.csv (no such file); "
        f"{address} (not asked: downloads are off). {LAST_WORDS}"
    )


def test_places_that_are_not_set_are_named_too(tmp_path: Path) -> None:
    text = not_found("ETTh2", "", tmp_path, env={"TIMELLM_DATA_DIR": ""})
    assert "data.path (not set); TIMELLM_DATA_DIR (not set); cache " in text


def test_an_altered_copy_is_refused_by_its_digest(tmp_path: Path) -> None:
    (tmp_path / "ETTh1.csv").write_bytes(CONTENT)
    digest = hashlib.sha256(CONTENT).hexdigest()
    words = f"sha256 is {digest[:12]}…, the published file's is {KNOWN['ETTh1'].sha256[:12]}…"
    text = not_found("ETTh1", "", tmp_path, env={"TIMELLM_DATA_DIR": str(tmp_path)})
    assert f"TIMELLM_DATA_DIR {tmp_path}/ETTh1.csv ({words})" in text
    assert f"cache {tmp_path}/ETTh1.csv ({words})" in text


def test_what_lies_in_a_files_place_is_said(tmp_path: Path) -> None:
    (tmp_path / "folder" / "ETTh1.csv").mkdir(parents=True)
    (tmp_path / "pipe").mkdir()
    os.mkfifo(tmp_path / "pipe" / "ETTh1.csv")
    (tmp_path / "loop").mkdir()
    (tmp_path / "loop" / "ETTh1.csv").symlink_to("ETTh1.csv")
    (tmp_path / "file").write_text("")
    for place, words in (
        (tmp_path / "folder", "a folder, not a file"),
        (tmp_path / "pipe", "not a regular file"),
        (tmp_path / "loop", "cannot be looked at: Too many levels of symbolic links"),
        (tmp_path / "file", "no such file"),
        (tmp_path / ("x" * 300), "cannot be looked at: File name too long"),
    ):
        text = not_found(
            "ETTh1", str(place / "ETTh1.csv"), place, env={"TIMELLM_DATA_DIR": str(place)}
        )
        assert text.count(f"({words})") == 3, text


def test_the_published_files_are_found_in_the_order_of_the_places(
    tmp_path: Path, real_data: Path
) -> None:
    cache, env = tmp_path / "cache", {"TIMELLM_DATA_DIR": str(tmp_path / "data")}
    cache.mkdir()
    (tmp_path / "data").mkdir()
    for known in ETTH:
        in_cache, in_data = cache / known.file, tmp_path / "data" / known.file
        in_cache.symlink_to(real_data / known.file)
        assert locate(known.name, "", env=env, cache_dir=cache) == in_cache.resolve()
        in_data.write_bytes((real_data / known.file).read_bytes())
        assert locate(known.name, "", env=env, cache_dir=cache) == in_data.resolve()
        in_data.write_bytes(b"altered")
        assert locate(known.name, "", env=env, cache_dir=cache) == in_cache.resolve()
        assert locate(known.name, str(in_data), env=env, cache_dir=cache) == in_data


def test_the_cache_is_the_users_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/someone")
    assert user_cache({}) == Path("/home/someone/.cache/timellm-ops")
    assert user_cache({"XDG_CACHE_HOME": "/cache"}) == Path("/cache/timellm-ops")
    assert user_cache({"XDG_CACHE_HOME": "relative"}) == Path("/home/someone/.cache/timellm-ops")


HOMELESS = """
import os, sys
from timellm_ops.datasets import DataNotFound, locate
os.setuid(54321)
try:
    locate("ETTh1", "", env={"TIMELLM_DATA_DIR": sys.argv[1]})
except DataNotFound as error:
    print(error)
"""


@pytest.mark.parametrize("place", ["~/data", "a folder of somebody else's"])
def test_a_user_without_a_home_or_rights_gets_the_same_one_error(
    tmp_path: Path, place: str
) -> None:
    """As in a container that runs under a user id nobody has a name for."""
    if os.getuid() != 0:
        pytest.skip("only root can become a user without a name")
    tmp_path.chmod(0o700)
    folder = place if place.startswith("~") else str(tmp_path)
    env = {name: value for name, value in os.environ.items() if name != "HOME"}
    with python(HOMELESS, folder, stdout=-1, stderr=-1, env=env) as child:
        said, problem = child.communicate(timeout=PATIENCE_S)
    assert said.decode().startswith("the data set ETTh1 was not found: data.path (not set); ")
    assert ("ETTh1.csv (cannot be looked at: Permission denied)" in said.decode()) == (
        folder == str(tmp_path)
    )
    assert problem == b""


# --- downloading ---------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["right", "of-unknown-length", "moved"])
def test_a_download_that_is_right_is_put_in_place(tmp_path: Path, serve: Serve, path: str) -> None:
    target = tmp_path / "cache" / "ETTh1.csv"
    fetch(serve(path), target)
    assert target.read_bytes() == CONTENT
    assert [path.name for path in target.parent.iterdir()] == ["ETTh1.csv"]


def test_progress_is_told_as_the_bytes_come(tmp_path: Path, serve: Serve) -> None:
    told: list[tuple[int, int | None]] = []
    fetch(serve("right"), tmp_path / "x.csv", lambda done, total: told.append((done, total)))
    assert len(told) > 1
    assert told == sorted(told)
    assert {total for _, total in told} == {len(CONTENT)}
    assert told[-1][0] == len(CONTENT)
    told.clear()
    fetch(serve("of-unknown-length"), tmp_path / "y.csv", lambda *seen: told.append(seen))
    assert told[-1] == (len(CONTENT), None)


@pytest.mark.parametrize(
    ("path", "words"),
    [
        (
            "wrong",
            r"what came is not the file: its sha256 is [0-9a-f]{12}…, the published file's",
        ),
        ("broken-off", rf"the transfer broke off after 100,000 of {len(CONTENT):,} bytes"),
        ("chunks-broken-off", "^the transfer broke off$"),
        ("hung-up", "closed connection without response"),
        ("none", "Not Found"),
        ("moved-in-a-circle", "redirect"),
        ("moved-to-a-file", "not allowed|Found"),
        ("no-http", r"the answer is not HTTP: \\x16.* good day"),
    ],
)
def test_a_download_that_is_not_whole_and_right_leaves_nothing(
    tmp_path: Path, serve: Serve, path: str, words: str
) -> None:
    target = tmp_path / "cache" / "ETTh1.csv"
    with pytest.raises(DownloadFailed) as raised:
        fetch(serve(path), target)
    assert re.search(words, str(raised.value))
    assert str(raised.value).isprintable()
    assert is_empty(target.parent)
    target.write_text("older")
    with pytest.raises(DownloadFailed):
        fetch(serve(path), target)
    assert target.read_text() == "older"
    assert [path.name for path in target.parent.iterdir()] == ["ETTh1.csv"]


def test_a_download_that_is_interrupted_leaves_nothing(tmp_path: Path, serve: Serve) -> None:
    def interrupt(done: int, total: int | None) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fetch(serve("right"), tmp_path / "cache" / "ETTh1.csv", interrupt)
    assert is_empty(tmp_path / "cache")


def test_a_download_to_a_full_disk_leaves_nothing(tmp_path: Path, serve: Serve) -> None:
    with small_disk(tmp_path / "disk") as disk:
        (disk / "cache").mkdir()
        fill(disk)
        with pytest.raises(DownloadFailed, match="No space left"):
            fetch(serve("right"), disk / "cache" / "ETTh1.csv")
        assert is_empty(disk / "cache")


def test_without_a_network_one_error_names_every_place(
    tmp_path: Path, nowhere: KnownDataset
) -> None:
    def download(known: KnownDataset, target: Path) -> None:
        fetch(msgspec.structs.replace(known, address=nowhere.address), target)

    cache = tmp_path / "cache"
    env = {"TIMELLM_DATA_DIR": str(tmp_path)}
    text = not_found("ETTh1", "/nonexistent/a.csv", cache, env=env, download=download)
    assert "data.path /nonexistent/a.csv (no such file)" in text
    assert f"TIMELLM_DATA_DIR {tmp_path}/ETTh1.csv (no such file)" in text
    assert f"cache {cache}/ETTh1.csv (no such file)" in text
    assert re.search(rf"{re.escape(KNOWN['ETTh1'].address)} \(.*Connection refused\)", text)
    assert is_empty(cache)


def test_a_download_is_the_last_resort_and_goes_to_the_cache(tmp_path: Path, serve: Serve) -> None:
    asked: list[str] = []

    def download(known: KnownDataset, target: Path) -> None:
        asked.append(known.address)
        fetch(serve("right"), target)

    cache = tmp_path / "cache"
    mine = tmp_path / "mine.csv"
    mine.write_text("date,OT\n")
    assert locate("ETTh1", str(mine), env={}, cache_dir=cache, download=download) == mine
    assert asked == []
    found = locate("ETTh1", "", env={}, cache_dir=cache, download=download)
    assert asked == [KNOWN["ETTh1"].address]
    assert found == (cache / "ETTh1.csv").resolve()
    assert found.read_bytes() == CONTENT


def test_a_cache_that_cannot_be_made_is_part_of_the_one_error(tmp_path: Path, serve: Serve) -> None:
    (tmp_path / "file").write_text("")
    text = not_found(
        "ETTh1",
        "",
        tmp_path / "file" / "cache",
        env={},
        download=lambda _, target: fetch(serve("right"), target),
    )
    assert re.search(rf"{re.escape(KNOWN['ETTh1'].address)} \(.*(exists|directory)", text)


def test_a_file_without_a_known_sha256_is_checked_by_its_git_blob(
    tmp_path: Path, serve: Serve
) -> None:
    blob = hashlib.sha1(b"blob %d\0" % len(CONTENT) + CONTENT, usedforsecurity=False).hexdigest()
    known = msgspec.structs.replace(serve("right"), sha256="", git_blob=blob)
    fetch(known, tmp_path / "a.csv")
    assert (tmp_path / "a.csv").read_bytes() == CONTENT
    with pytest.raises(DownloadFailed, match=r"its git blob is [0-9a-f]{12}…, the published"):
        fetch(msgspec.structs.replace(known, address=serve("wrong").address), tmp_path / "b.csv")
    assert not (tmp_path / "b.csv").exists()


def test_every_published_set_has_its_usual_file_and_a_way_to_it() -> None:
    assert set(KNOWN) == set(get_args(Published))
    for known in KNOWN.values():
        assert known.file == PUBLISHED_SHAPES[known.name].file
        checked = bool(known.sha256 or known.git_blob)
        assert bool(known.address) == checked, "what is downloaded is checked"
        assert known.source


def test_a_set_that_cannot_be_downloaded_is_taken_where_it_is_or_said_how_to_get(
    tmp_path: Path,
) -> None:
    def never(known: KnownDataset, target: Path) -> None:
        raise AssertionError("there is no address")

    env = {"TIMELLM_DATA_DIR": str(tmp_path)}
    text = not_found("Weather", "", tmp_path / "cache", env=env, download=never)
    assert "no download is offered: get weather.csv from" in text
    (tmp_path / "weather.csv").write_text("date,OT\n")
    assert (
        locate("Weather", "", env=env, cache_dir=tmp_path) == (tmp_path / "weather.csv").resolve()
    )


BAR = """
import sys
from pathlib import Path
from timellm_ops.datasets import KnownDataset, fetch_with_bar
known = KnownDataset(name="ETTh1", file="ETTh1.csv", address=sys.argv[1], sha256=sys.argv[2],
                     licence="CC BY-ND 4.0", source="ETDataset")
fetch_with_bar(known, Path(sys.argv[3]))
print("done")
"""


def test_a_bar_on_the_terminal_names_what_is_fetched_and_its_licence(
    tmp_path: Path, serve: Serve
) -> None:
    known, target = serve("right"), tmp_path / "ETTh1.csv"
    ours, theirs = pty.openpty()
    env = {**os.environ, "TERM": "xterm", "COLUMNS": "120"}
    with python(
        BAR, known.address, known.sha256, target, stdout=-1, stderr=theirs, env=env
    ) as child:
        os.close(theirs)
        shown = b"".join(iter(lambda: _read(ours), b""))
        said, _ = child.communicate(timeout=PATIENCE_S)
    os.close(ours)
    assert said == b"done\n", "standard output is the program's own"
    assert b"ETTh1 from ETDataset, CC BY-ND 4.0" in shown
    assert target.read_bytes() == CONTENT


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 4096)
    except OSError:  # Linux says so when the other end is closed
        return b""
