"""Names that the engine gives, as a reader has them."""

import re

from timellm_dashboard.words.text import Lang

CHINESE_BASELINES = {
    "seasonal naive": "季节性重复",
    "last value": "最后一个值",
    "window mean": "窗口均值",
}
_CUT_BACKBONE = re.compile(r"(.+), (\d+) layers?")


def baseline_name(name: str, lang: Lang) -> str:
    """The baseline that the engine calls `name`; one that is not known keeps it."""
    return CHINESE_BASELINES.get(name, name) if lang == "zh" else name


def backbone_name(name: str, lang: Lang) -> str:
    """The backbone that the engine calls `name`, with its layers where not all are kept."""
    cut = _CUT_BACKBONE.fullmatch(name)
    return name if cut is None or lang != "zh" else f"{cut[1]}（{cut[2]} 层）"
