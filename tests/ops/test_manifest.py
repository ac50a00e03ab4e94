"""What a run was made with, asked of the machine as it is."""

import hashlib
import os
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest

import timellm_ops
from timellm_ops.manifest import (
    Manifest,
    collect_manifest,
    describe_file,
    git_blob,
    git_state,
    installed_version,
)

NOW = datetime(2026, 1, 31, 21, 45, 3, tzinfo=UTC)


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE"):
        monkeypatch.delenv(name, raising=False)
    folder = tmp_path / "repository"
    folder.mkdir()
    git(folder, "init", "-q")
    (folder / "code.py").write_text("one = 1\n")
    git(folder, "add", ".")
    git(folder, "commit", "-q", "-m", "one")
    return folder


def git(folder: Path, *arguments: str) -> str:
    who = ["-c", "user.name=A", "-c", "user.email=a@b", "-c", "commit.gpgsign=false"]
    command = ["git", *who, "-C", str(folder), *arguments]
    try:
        done = subprocess.run(command, check=True, capture_output=True, text=True)
    except FileNotFoundError:
        pytest.skip("git is not installed")
    return done.stdout.strip()


def test_a_repository_is_known_by_its_commit_and_whether_it_was_changed(repository: Path) -> None:
    commit = git(repository, "rev-parse", "HEAD")
    (repository / "inner").mkdir()
    (repository / "notes.txt").write_text("untracked files are nobody's code")
    for folder in (repository, repository / "inner"):
        state = git_state(folder)
        assert state is not None
        assert (state.commit, state.dirty) == (commit, False)
    (repository / "code.py").write_text("one = 2\n")
    state = git_state(repository)
    assert state is not None
    assert (state.commit, state.dirty) == (commit, True)


def test_looking_at_a_repository_leaves_it_as_it_was(repository: Path) -> None:
    def contents() -> dict[str, int]:
        files = (repository / ".git").rglob("*")
        return {str(path): path.stat().st_mtime_ns for path in files if path.is_file()}

    os.utime(repository / "code.py", ns=(10**18, 10**18))  # the index would like to be refreshed
    before = contents()
    assert git_state(repository) is not None
    assert contents() == before


def test_where_there_is_no_commit_nothing_is_claimed(
    tmp_path: Path, repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path))
    assert git_state(tmp_path / "none") is None
    (tmp_path / "plain").mkdir()
    assert git_state(tmp_path / "plain") is None
    empty = tmp_path / "empty"
    empty.mkdir()
    git(empty, "init", "-q")
    assert git_state(empty) is None
    monkeypatch.setenv("PATH", str(tmp_path))
    assert git_state(repository) is None


def test_a_file_is_described_by_all_of_its_bytes(tmp_path: Path) -> None:
    for size in (0, 1, (1 << 20) - 1, 1 << 20, 3_000_000):
        content = os.urandom(size)
        path = tmp_path / "x.csv"
        path.write_bytes(content)
        found = describe_file(path)
        assert (found.path, found.bytes) == (str(path), size)
        assert found.sha256 == hashlib.sha256(content).hexdigest()
    with pytest.raises(FileNotFoundError):
        describe_file(tmp_path / "none")


def test_versions_come_from_what_is_installed() -> None:
    assert installed_version("msgspec") == msgspec.__version__
    assert installed_version("no-package-of-this-name") is None


def test_a_manifest_reads_back_as_it_was_written(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text("date,OT\n")
    data = describe_file(tmp_path / "x.csv")
    manifest = collect_manifest(
        now=NOW, command_line=["timellm-ops", "run", "c.toml"], workdir=tmp_path, gpu="auto",
        data=data,
    )  # fmt: skip
    assert msgspec.json.decode(msgspec.json.encode(manifest), type=Manifest) == manifest
    assert manifest.created_at == NOW
    assert manifest.command_line == ("timellm-ops", "run", "c.toml")
    assert manifest.workdir == str(tmp_path)
    assert manifest.data == data
    assert manifest.versions["timellm-ops"] == timellm_ops.__version__
    assert manifest.python
    assert manifest.platform


def test_names_that_are_not_utf8_can_be_on_record(tmp_path: Path) -> None:
    folder = tmp_path / os.fsdecode(b"caf\xe9")
    try:
        folder.mkdir()
    except OSError:
        pytest.skip("this file system takes names in UTF-8 only")
    (folder / "x.csv").write_text("")
    manifest = collect_manifest(
        now=NOW,
        command_line=["run", str(folder / "c.toml")],
        workdir=folder,
        gpu="none",
        source_log=describe_file(folder / "x.csv"),
    )
    read = msgspec.json.decode(msgspec.json.encode(manifest), type=Manifest)
    assert read.workdir == f"{tmp_path}/caf\\udce9"
    assert read == manifest


def test_a_files_git_blob_is_the_one_that_git_gives_it(repository: Path) -> None:
    for content in (b"", b"one = 1\n", bytes(range(256)) * 5000):
        (repository / "file").write_bytes(content)
        assert git_blob(repository / "file") == git(
            repository, "hash-object", "--no-filters", "file"
        )
