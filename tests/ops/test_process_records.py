"""The records of who is who: read back whole, or not at all."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from small_disk import fill, small_disk

from timellm_ops.process.identity import ProcessIdentity
from timellm_ops.process.records import (
    EngineRecord,
    SupervisorRecord,
    read_record,
    write_record,
)

PROCESS = ProcessIdentity(pid=4711, start_ticks=123456, boot_id="0123-abcd")
ENGINE = EngineRecord(process=PROCESS, foreign=True)
SUPERVISOR = SupervisorRecord(process=PROCESS, socket="/run/user/1000/timellm-ops/x.sock")


def test_records_read_back_as_they_were_written(tmp_path: Path) -> None:
    path = tmp_path / "record.json"
    write_record(path, ENGINE)
    assert read_record(path, EngineRecord) == ENGINE
    write_record(path, SUPERVISOR)
    assert read_record(path, SupervisorRecord) == SUPERVISOR
    assert [found.name for found in tmp_path.iterdir()] == ["record.json"]


def test_a_record_is_replaced_on_a_full_disk_too(tmp_path: Path) -> None:
    """A supervisor that adopts a run there could not be found otherwise."""
    with small_disk(tmp_path / "disk") as disk:
        write_record(disk / "supervisor.json", SUPERVISOR)
        fill(disk)
        heir = SupervisorRecord(process=ProcessIdentity(4712, 1, "0123-abcd"), socket="x" * 103)
        write_record(disk / "supervisor.json", heir)
        assert read_record(disk / "supervisor.json", SupervisorRecord) == heir


def test_a_record_of_another_kind_is_none(tmp_path: Path) -> None:
    write_record(tmp_path / "engine.json", ENGINE)
    assert read_record(tmp_path / "engine.json", SupervisorRecord) is None
    assert read_record(tmp_path / "none.json", EngineRecord) is None


@pytest.mark.parametrize(
    "content",
    [b"", b"null", b'{"process":null}', b'{"process":{"pid":"1"}}', b"\xff\xfe", b"[" * 100_000],
)
def test_what_is_no_record_is_none(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "x").write_bytes(content)
    assert read_record(tmp_path / "x", EngineRecord) is None
    assert read_record(tmp_path / "x", SupervisorRecord) is None


@given(st.integers(0, 600))
def test_a_torn_record_is_none(tmp_path_factory: pytest.TempPathFactory, cut: int) -> None:
    path = tmp_path_factory.mktemp("record") / "engine.json"
    write_record(path, ENGINE)
    whole = path.read_bytes()
    path.write_bytes(whole[:cut])
    assert read_record(path, EngineRecord) == (ENGINE if cut >= len(whole.rstrip()) else None)
