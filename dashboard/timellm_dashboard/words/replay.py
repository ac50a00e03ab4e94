"""The texts about going somewhere in a replay."""

from functools import lru_cache

from msgspec import Struct

from timellm_dashboard.words.ascii import texts_in_ascii
from timellm_dashboard.words.text import Lang


class ReplayWords(Struct, frozen=True, kw_only=True):
    """One language. Names in braces are filled in by whoever uses the text."""

    ask: str
    hint: str
    bad_place: str
    not_in_run: str
    no_epoch: str
    no_step: str
    no_step_of_epoch: str


_EN = ReplayWords(
    ask="go to",
    hint="2:30:00 from the start, 14:05 by the clock, epoch 3, step 1200, 50%, -30m",
    bad_place="found “{text}”; expected 2:30:00 from the start, 14:05 by the clock, epoch 3,"
    " step 1200, 50% or -30m",
    not_in_run="found “{text}”; expected a time of the run: up to {total} from the start,"
    " or {first} to {last} by the clock",
    no_epoch="found “{text}”; expected an epoch of the run: {first} to {last}",
    no_step="found “{text}”; expected a step of the run: 1 to {last}",
    no_step_of_epoch="found “{text}”; expected a step of that epoch: 1 to {last}",
)
_ZH = ReplayWords(
    ask="跳到",
    hint="2:30:00（从开始算）、14:05（钟点）、第 3 轮、第 1200 步、50%、-30m",
    bad_place="“{text}”无法识别；应为 2:30:00（从开始算）、14:05（钟点）、第 3 轮、第 1200 步、"
    "50% 或 -30m",
    not_in_run="“{text}”不在运行之内；从开始算最多 {total}，按钟点为 {first} 至 {last}",
    no_epoch="没有“{text}”；此运行有第 {first} 至第 {last} 轮",
    no_step="没有“{text}”；此运行有第 1 至第 {last} 步",
    no_step_of_epoch="没有“{text}”；该轮有第 1 至第 {last} 步",
)


@lru_cache(maxsize=4)
def replay_words(lang: Lang, *, ascii_only: bool = False) -> ReplayWords:
    """The texts in `lang`; in ASCII there is English alone."""
    if not ascii_only:
        return _ZH if lang == "zh" else _EN
    return texts_in_ascii(_EN)
