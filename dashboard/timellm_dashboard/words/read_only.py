"""The texts of a dashboard that may only look, in both languages."""

from msgspec import Struct

from timellm_dashboard.words.text import Lang


class ReadOnlyWords(Struct, frozen=True, kw_only=True):
    """A field a text."""

    title: str
    refused: str
    ctrl_c: str


EN = ReadOnlyWords(
    title="read only",
    refused="this view is read only: it can look at the run, and ask nothing of it",
    ctrl_c="<leave> closes this view, which is read only; the run goes on",
)

ZH = ReadOnlyWords(
    title="只读",
    refused="这个视图是只读的：只能查看，不能对运行提出要求",
    ctrl_c="<leave> 关闭这个只读视图；运行继续",
)


def read_only_words(lang: Lang) -> ReadOnlyWords:
    """The texts in `lang`. The English ones are ASCII."""
    return ZH if lang == "zh" else EN
