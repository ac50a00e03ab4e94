"""The way from a command to the first step is timed by the run's own record."""

import os
from pathlib import Path

import pytest
import tomli_w
from first_step import MOMENTS, moments_of
from tiny_runs import tiny_tables


@pytest.mark.slow
def test_moments_come_in_order_and_the_run_is_gone_afterwards(tmp_path: Path) -> None:
    config = tmp_path / "tiny.toml"
    config.write_text(tomli_w.dumps(tiny_tables(train__epochs=500)), encoding="utf-8")
    moments = moments_of(config, dict(os.environ))
    assert list(moments) == list(MOMENTS)
    assert 0.0 < moments["engine launched"] < moments["first step begun"]
    assert moments["first step begun"] < moments["first step done"]


@pytest.mark.slow
def test_a_run_that_cannot_begin_is_told(tmp_path: Path) -> None:
    config = tmp_path / "wrong.toml"
    config.write_text("[train]\nepochs = 0\n", encoding="utf-8")
    with pytest.raises(SystemExit, match="code 2"):
        moments_of(config, dict(os.environ))
