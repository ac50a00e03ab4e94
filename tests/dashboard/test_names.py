"""Names that the engine gives, as a reader has them."""

import pytest

from timellm_dashboard.words.names import backbone_name, baseline_name


@pytest.mark.parametrize(
    ("name", "chinese"),
    [
        ("embedded, 1 layer", "embedded（1 层）"),
        ("Qwen/Qwen2.5-3B, 6 layers", "Qwen/Qwen2.5-3B（6 层）"),
        ("gpt2", "gpt2"),
        ("odd, layers", "odd, layers"),
    ],
)
def test_a_backbone_that_is_cut_says_so_in_the_readers_language(name: str, chinese: str) -> None:
    assert backbone_name(name, "zh") == chinese
    assert backbone_name(name, "en") == name


def test_a_baseline_that_is_not_known_keeps_its_name() -> None:
    assert baseline_name("window mean", "zh") == "窗口均值"
    assert baseline_name("DLinear", "zh") == "DLinear"
    assert baseline_name("window mean", "en") == "window mean"
