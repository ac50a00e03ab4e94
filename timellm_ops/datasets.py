"""Published data sets: where a copy may lie on this machine, and where to get one."""

import contextlib
import os
import secrets
import stat
import urllib.request
from collections.abc import Callable, Mapping
from http.client import HTTPException, IncompleteRead
from pathlib import Path

from msgspec import Struct

from timellm_ops.contract.published import PUBLISHED_SHAPES
from timellm_ops.contract.sizes import size_text
from timellm_ops.contract.validation import one_line
from timellm_ops.manifest import describe_file, git_blob
from timellm_ops.paths import expand_home, user_cache

QUICKSTART = "configs/quickstart.toml"
_TIMEOUT_S = 30.0
_BLOCK = 1 << 16
_MAX_BYTES = 1 << 28

Progress = Callable[[int, int | None], None]
"""Called with the bytes that have come so far and the bytes expected, if that is known."""


class KnownDataset(Struct, frozen=True, kw_only=True):
    """A published data set of one file, and by what its bytes are known."""

    name: str
    file: str
    """The usual name of the file."""
    source: str
    """Whose it is, and where people get it."""
    address: str = ""
    """Of the file; empty where there is none whose bytes could be checked."""
    licence: str = ""
    sha256: str = ""
    git_blob: str = ""
    """The id that git gives to the content; where no SHA-256 is known, this is compared."""


_ETT = "https://raw.githubusercontent.com/zhouhaoyi/ETDataset/main/ETT-small/"
_ETT_SOURCE = "ETDataset (Zhou et al., AAAI 2021)"
_ETT_LICENCE = "CC BY-ND 4.0"
_COLLECTION = (
    "the benchmark files that the authors of Autoformer (Wu et al., NeurIPS 2021) link to: "
    "https://github.com/thuml/Autoformer"
)

KNOWN = {
    known.name: known
    for known in (
        KnownDataset(
            name="ETTh1",
            file="ETTh1.csv",
            address=_ETT + "ETTh1.csv",
            sha256="f18de3ad269cef59bb07b5438d79bb3042d3be49bdeecf01c1cd6d29695ee066",
            licence=_ETT_LICENCE,
            source=_ETT_SOURCE,
        ),
        KnownDataset(
            name="ETTh2",
            file="ETTh2.csv",
            address=_ETT + "ETTh2.csv",
            sha256="a3dc2c597b9218c7ce1cd55eb77b283fd459a1d09d753063f944967dd6b9218b",
            licence=_ETT_LICENCE,
            source=_ETT_SOURCE,
        ),
        KnownDataset(
            name="ETTm1",
            file="ETTm1.csv",
            address=_ETT + "ETTm1.csv",
            git_blob="62c9f979e2dc5b05d9cc5b38891e60e6baf77417",
            licence=_ETT_LICENCE,
            source=_ETT_SOURCE,
        ),
        KnownDataset(
            name="ETTm2",
            file="ETTm2.csv",
            address=_ETT + "ETTm2.csv",
            git_blob="f9d46027c987d442d2d8f81308d1d8c4d1d35db8",
            licence=_ETT_LICENCE,
            source=_ETT_SOURCE,
        ),
        *(
            KnownDataset(name=name, file=PUBLISHED_SHAPES[name].file, source=_COLLECTION)
            for name in ("Weather", "ECL", "Traffic", "Exchange", "ILI")
        ),
    )
}


class DataNotFound(Exception):  # noqa: N818 - it says what happened
    """A data set is in none of the places. The text is one line that names all of them."""


class DownloadFailed(Exception):  # noqa: N818 - it says what happened
    """A file could not be fetched whole and right. The text says why."""


Downloader = Callable[[KnownDataset, Path], None]
"""Puts a data set's file at a path, checked and whole. Raises `DownloadFailed` or `OSError`."""


def locate(
    dataset: str,
    configured_path: str,
    *,
    env: Mapping[str, str] = os.environ,
    cache_dir: Path | None = None,
    download: Downloader | None = None,
) -> Path:
    """The file of a data set: configured path, `TIMELLM_DATA_DIR`, user cache, download.

    A configured file is taken as it is; a copy found by name must have the published digest,
    where one is known.
    `download` is `None` where nothing may be fetched. Raises `DataNotFound`.
    """
    known = KNOWN.get(dataset)
    cache = user_cache(env) if cache_dir is None else cache_dir
    tried: list[str] = []
    if configured_path:
        path = Path(configured_path)
        problem = _unusable(path)
        if not problem:
            return path
        tried.append(f"data.path {path} ({problem})")
    else:
        tried.append("data.path (not set)")
    if known is None:
        raise DataNotFound(_summary(dataset, tried))
    folder = env.get("TIMELLM_DATA_DIR", "")
    if not folder:
        tried.append("TIMELLM_DATA_DIR (not set)")
    places = [("TIMELLM_DATA_DIR", expand_home(folder))] if folder else []
    for name, place in (*places, ("cache", cache)):
        path = place / known.file
        problem = _unusable(path) or altered(path, known)
        if not problem:
            return path.resolve()
        tried.append(f"{name} {path} ({problem})")
    if not known.address:
        tried.append(f"no download is offered: get {known.file} from {known.source}")
        raise DataNotFound(_summary(dataset, tried))
    if download is None:
        tried.append(f"{known.address} (not asked: downloads are off)")
        raise DataNotFound(_summary(dataset, tried))
    try:
        download(known, cache / known.file)
    except (DownloadFailed, OSError) as error:
        tried.append(f"{known.address} ({error})")
        raise DataNotFound(_summary(dataset, tried)) from error
    return (cache / known.file).resolve()


def _unusable(path: Path) -> str:
    try:
        mode = path.stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        return "no such file"
    except OSError as error:
        return f"cannot be looked at: {error.strerror}"
    if stat.S_ISDIR(mode):
        return "a folder, not a file"
    if not stat.S_ISREG(mode):
        return "not a regular file"
    return "" if os.access(path, os.R_OK) else "not readable"


def altered(path: Path, known: KnownDataset) -> str:
    """What tells a file from the published one; empty where nothing does, or nothing is known."""
    name, right = _mark(known)
    if not name:
        return ""
    try:
        digest = describe_file(path).sha256 if name == "sha256" else git_blob(path)
    except OSError as error:
        return str(error.strerror or error)
    if digest == right:
        return ""
    return f"{name} is {digest[:12]}…, the published file's is {right[:12]}…"


def _mark(known: KnownDataset) -> tuple[str, str]:
    """By what the published bytes are known, and its value; nothing where they are not."""
    if known.sha256:
        return "sha256", known.sha256
    return ("git blob", known.git_blob) if known.git_blob else ("", "")


def _summary(dataset: str, tried: list[str]) -> str:
    places = "; ".join(tried)
    return (
        f"the data set {dataset} was not found: {places}. "
        f"To try without it: timellm-ops run {QUICKSTART} needs no data"
    )


def fetch(known: KnownDataset, target: Path, progress: Progress | None = None) -> None:
    """Download a data set's file to `target`: written aside, checked, then renamed.

    Raises `DownloadFailed` where the bytes did not come whole and right or could not be written,
    `OSError` where there is no folder to put them. `target` is untouched then and nothing is left
    beside it.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    aside = target.with_name(f".{target.name}.{secrets.token_hex(4)}")
    try:
        _stream(known.address, aside, progress or _silent)
        difference = altered(aside, known)
        if difference:
            raise DownloadFailed(f"what came is not the file: its {difference}")
        aside.replace(target)
    finally:
        with contextlib.suppress(FileNotFoundError):
            aside.unlink()


def _silent(done: int, total: int | None) -> None:
    """Show nothing."""


def _stream(address: str, aside: Path, progress: Progress) -> None:
    """Copy `address` to `aside`."""
    request = urllib.request.Request(address, headers={"User-Agent": "timellm-ops"})  # noqa: S310
    done = 0
    with aside.open("xb") as file:
        try:
            with urllib.request.urlopen(request, timeout=_TIMEOUT_S) as answer:  # noqa: S310
                length = answer.headers.get("Content-Length")
                total = int(length) if length and length.isdigit() else None
                while block := answer.read(_BLOCK):
                    done += len(block)
                    if done > _MAX_BYTES:
                        raise DownloadFailed(f"more than {size_text(_MAX_BYTES)} came")
                    file.write(block)
                    progress(done, total)
        except (OSError, HTTPException, ValueError) as error:
            raise DownloadFailed(_reason(error)) from error
        if total is not None and done < total:
            raise DownloadFailed(f"the transfer broke off after {done:,} of {total:,} bytes")
        file.flush()
        os.fsync(file.fileno())


def _reason(error: Exception) -> str:
    text = str(getattr(error, "reason", "") or error) or type(error).__name__
    if isinstance(error, IncompleteRead):
        text = "the transfer broke off"
    elif isinstance(error, HTTPException) and not isinstance(error, OSError):
        text = f"the answer is not HTTP: {text:.80}"
    return one_line(" ".join(text.split()))


def fetch_with_bar(known: KnownDataset, target: Path) -> None:
    """`fetch`, with a progress bar on standard error."""
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn

    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(binary_units=True))
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(f"{known.name} from {known.source}, {known.licence}", total=None)
        fetch(known, target, lambda done, total: bar.update(task, completed=done, total=total))
