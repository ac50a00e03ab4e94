"""The prompt: its wording to the letter, and the statistics that it states."""

import math
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny_runs import tiny_tables

from timellm_engine.model.prompts import (
    WindowStatistics,
    default_description,
    prompt_text,
    top_lags,
    window_statistics,
)
from timellm_engine.training.build import build
from timellm_ops.contract.config import Published
from timellm_ops.contract.validation import parse_config

STATISTICS = WindowStatistics(
    minimum=-2.3859188556671143, maximum=3.0, median=-0.1, upward=True, lags=(0, 1, 511, 510, 2)
)


def test_the_wording_is_the_published_one() -> None:
    assert prompt_text(STATISTICS, "A.", 512, 96) == (
        "<|start_prompt|>Dataset description: A.Task description: forecast the next 96 steps "
        "given the previous 512 steps information; Input statistics: min value "
        "-2.3859188556671143, max value 3.0, median value -0.1, the trend of input is upward, "
        "top 5 lags are : [0, 1, 511, 510, 2]<|<end_prompt>|>"
    )


def test_without_statistics_a_prompt_is_of_any_window() -> None:
    assert prompt_text(None, "A.", 512, 96) == (
        "<|start_prompt|>Dataset description: A.Task description: forecast the next 96 steps "
        "given the previous 512 steps information; <|<end_prompt>|>"
    )


def test_a_falling_window_is_said_to_fall() -> None:
    falling = STATISTICS._replace(upward=False)
    assert "the trend of input is downward, " in prompt_text(falling, "", 512, 96)


def test_numbers_are_the_float32_ones_written_out() -> None:
    (statistics,) = window_statistics(torch.tensor([[0.1, 0.2, 0.3, 0.4, 0.5, 0.6]]))
    assert str(statistics.minimum) == "0.10000000149011612"


@settings(max_examples=50, deadline=None)
@given(st.lists(st.integers(-1000, 1000), min_size=5, max_size=60))
def test_statistics_of_any_window(values: list[int]) -> None:
    window = torch.tensor([values], dtype=torch.float32)
    (statistics,) = window_statistics(window)
    assert (statistics.minimum, statistics.maximum) == (min(values), max(values))
    assert statistics.median == sorted(values)[(len(values) - 1) // 2]
    assert statistics.upward == (values[-1] > values[0])
    assert len(set(statistics.lags)) == len(statistics.lags)
    assert all(0 <= lag < len(values) for lag in statistics.lags)


def test_the_lags_of_a_wave_are_multiples_of_its_period() -> None:
    wave = torch.sin(torch.arange(120) * 2 * math.pi / 24).unsqueeze(0)
    assert {int(lag) % 24 for lag in top_lags(wave)[0]} == {0}


def test_a_window_of_four_steps_has_four_lags() -> None:
    assert top_lags(torch.randn(3, 4)).shape == (3, 4)


def test_rows_do_not_depend_on_each_other() -> None:
    windows = torch.randn(17, 96)
    together = window_statistics(windows)
    assert together == [window_statistics(windows[row : row + 1])[0] for row in range(17)]


NAMES = get_args(Published)


def test_every_published_data_set_has_a_description_of_its_own() -> None:
    texts = {name: default_description(name) for name in NAMES}
    neutral = default_description("custom")
    assert neutral not in texts.values()
    assert len(set(texts.values())) == len(NAMES) - 2, "ETTh1 and ETTh2, and ETTm1 and ETTm2, share"
    for text in (*texts.values(), neutral, default_description("synthetic")):
        assert text.endswith(".")
        assert text.isprintable()
        assert len(text) < 160, "every word of it is computed in every step"


def prompt_of_a_run(folder: Path, dataset: str, description: str = "") -> str:
    """What the backbone of a run on `dataset` reads, from its tokens."""
    tables = tiny_tables(data__dataset=dataset, data__target="OT", prompt__description=description)
    if dataset != "synthetic":
        rows = 58_000 if dataset.startswith("ETT") else 200
        lines = (f"{np.datetime64('2020-01-01') + row},{row % 7}" for row in range(rows))
        path = folder / "series.csv"
        path.write_text("\n".join(["date,OT", *lines]))
        tables["data"]["path"] = str(path)
    job = build(parse_config(tables, "a.toml"))
    x, _ = job.data.test.batch(torch.tensor([0]))
    (ids,) = job.model.tokenize(job.model.prompts(x))
    return str(job.backbone.tokenizer.decode(ids))


@pytest.mark.parametrize("dataset", [*NAMES, "synthetic", "custom"])
def test_the_description_of_the_data_set_reaches_the_backbone(tmp_path: Path, dataset: str) -> None:
    said = f"Dataset description: {default_description(dataset)}Task description:"
    assert said in prompt_of_a_run(tmp_path, dataset)


@pytest.mark.parametrize("dataset", ["ETTh1", "synthetic", "custom"])
def test_the_description_of_the_config_takes_its_place(tmp_path: Path, dataset: str) -> None:
    text = prompt_of_a_run(tmp_path, dataset, "Tides at Dover.")
    assert "Dataset description: Tides at Dover.Task description:" in text
