"""The texts on what a stop after the next checkpoint waits for, in both languages."""

from msgspec import Struct

from timellm_dashboard.text import Lang


class StoppingWords(Struct, frozen=True, kw_only=True):
    """A field a text."""

    after_evaluation: str
    after_test: str
    while_saving: str
    at_risk: str
    at_risk_user: str
    as_last_seen: str
    left_held: str
    left_user: str


EN = StoppingWords(
    after_evaluation="when the evaluation is done and saved",
    after_test="when the final test is done",
    while_saving="as soon as the checkpoint is on disk",
    at_risk="{steps} at risk until the next save",
    at_risk_user="{steps} at risk until it is resumed and saved",
    as_last_seen="{told}, as last seen",
    left_held="stops at the next checkpoint once it goes on",
    left_user="stops at the next checkpoint once it is resumed",
)

ZH = StoppingWords(
    after_evaluation="评估结束并保存检查点后",
    after_test="最终测试结束后",
    while_saving="检查点写入磁盘后",
    at_risk="下次保存之前，{steps}尚未保存",
    at_risk_user="有人恢复并保存之前，{steps}尚未保存",
    as_last_seen="最后所见：{told}",
    left_held="恢复后在下一个检查点停止",
    left_user="有人恢复后在下一个检查点停止",
)


def stopping_words(lang: Lang) -> StoppingWords:
    """The texts in `lang`. The English ones are ASCII."""
    return ZH if lang == "zh" else EN
