"""The texts on what a stop after the next checkpoint waits for, in both languages."""

from msgspec import Struct

from timellm_dashboard.text import Lang


class StoppingWords(Struct, frozen=True, kw_only=True):
    """A field a text."""

    after_evaluation: str
    after_test: str
    while_saving: str
    at_risk: str


EN = StoppingWords(
    after_evaluation="when the evaluation is done and saved",
    after_test="when the final test is done",
    while_saving="as soon as the checkpoint is on disk",
    at_risk="{steps} at risk until the next save",
)

ZH = StoppingWords(
    after_evaluation="评估结束并保存检查点后",
    after_test="最终测试结束后",
    while_saving="检查点写入磁盘后",
    at_risk="下次保存之前，{steps}尚未保存",
)


def stopping_words(lang: Lang) -> StoppingWords:
    """The texts in `lang`. The English ones are ASCII."""
    return ZH if lang == "zh" else EN
