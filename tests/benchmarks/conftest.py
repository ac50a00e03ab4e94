"""What the benchmarks work on, of the smallest shapes; made once."""

import pytest
from backbone_shapes import LAYERS
from contenders import Terms, write_material

ROWS = 2


@pytest.fixture(scope="session")
def grouped(tmp_path_factory: pytest.TempPathFactory) -> Terms:
    """A backbone with grouped heads, in a folder that has the shape's name."""
    return _terms("tiny-grouped", tmp_path_factory)


@pytest.fixture(scope="session")
def ungrouped(tmp_path_factory: pytest.TempPathFactory) -> Terms:
    """One without."""
    return _terms("tiny", tmp_path_factory)


def _terms(shape: str, tmp_path_factory: pytest.TempPathFactory) -> Terms:
    folder = tmp_path_factory.mktemp("material") / shape
    folder.mkdir()
    write_material(shape, LAYERS[shape], folder)
    return Terms(folder, ROWS, ROWS, "cpu")
