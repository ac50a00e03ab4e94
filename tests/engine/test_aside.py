"""Result files that stand beside what is there: nothing is changed, nothing is there twice."""

import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st

from timellm_engine.aside import write_beside
from timellm_engine.errors import PreflightError


@given(st.lists(st.binary(max_size=2), max_size=12))
def test_each_content_has_one_file_and_keeps_it(contents: list[bytes]) -> None:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "results" / "a.csv"
        written = [write_beside(path, data) for data in contents]
        for data, name in zip(contents, written, strict=True):
            assert name.read_bytes() == data
        kept = sorted(path.parent.iterdir()) if contents else []
        assert kept == sorted(set(written))
        assert len(kept) == len(set(contents))
        numbers = range(2, len(kept) + 1)
        assert {name.name for name in kept} <= {"a.csv", *(f"a-{n}.csv" for n in numbers)}


@pytest.fixture
def threads_in_turn() -> Iterator[None]:
    """Threads that change places as often as Python lets them."""
    usual = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(usual)


@pytest.mark.usefixtures("threads_in_turn")
def test_writers_at_the_same_time_take_each_a_name_of_its_own(tmp_path: Path) -> None:
    """Those of the same content have one, whoever comes first."""
    contents = [bytes([number]) * 1000 for number in range(4)] * 4
    for number in range(50):
        path = tmp_path / str(number) / "a.csv"
        with ThreadPoolExecutor(8) as pool:
            written = list(pool.map(partial(write_beside, path), contents))
        assert [name.read_bytes() for name in written] == contents
        assert {*path.parent.iterdir()} == {*written}
        assert len({*written}) == 4


def test_what_is_no_file_is_passed_by(tmp_path: Path) -> None:
    (tmp_path / "a.csv").mkdir()
    (tmp_path / "a-2.csv").symlink_to("nowhere")
    assert write_beside(tmp_path / "a.csv", b"x") == tmp_path / "a-3.csv"
    assert len([*tmp_path.iterdir()]) == 3


def test_a_folder_that_cannot_be_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(PreflightError, match="must be a folder"):
        write_beside(tmp_path / "file" / "a.csv", b"x")
