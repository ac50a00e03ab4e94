"""What the baselines beside a model are called, where it is not what the engine calls them."""

from timellm_dashboard.words.text import Lang

CHINESE = {
    "seasonal naive": "季节性重复",
    "last value": "最后一个值",
    "window mean": "窗口均值",
}


def baseline_name(name: str, lang: Lang) -> str:
    """The baseline that the engine calls `name`; one that is not known keeps it."""
    return CHINESE.get(name, name) if lang == "zh" else name
