"""The texts about when the lines of the log were printed, and about going somewhere in it."""

from functools import lru_cache

from msgspec import Struct

from timellm_dashboard.words.ascii import texts_in_ascii
from timellm_dashboard.words.text import Lang


class LogTimesWords(Struct, frozen=True, kw_only=True):
    """One language. Names in braces are filled in by whoever uses the text."""

    ask: str
    hint: str
    bad_goal: str
    looking_up: str
    no_times: str
    no_time: str
    before: str
    unreadable: str
    moment_title: str
    minute: str
    around: str
    this_line: str


_EN = LogTimesWords(
    ask="go to",
    hint="02:13, 11-24 02:13, -30m, +2h, a line such as 12345, or 50%",
    bad_goal="found “{text}”; expected a time such as 02:13, a step such as -30m or +2h, a line"
    " such as 12345, or 50%",
    looking_up="looking up the times",
    no_times="Nobody has recorded when these lines were printed.",
    no_time="Nobody has recorded when this line was printed.",
    before="That was before the first line, of {time}.",
    unreadable="The times of the lines cannot be read: {problem}",
    moment_title="the run at this line",
    minute="from half a minute before it to half a minute after it",
    around="before and after",
    this_line="this line",
)
_ZH = LogTimesWords(
    ask="跳到",
    hint="02:13、11-24 02:13、-30m、+2h、行号（如 12345）或 50%",
    bad_goal="“{text}”无法识别；应为时刻（如 02:13）、时间差（如 -30m 或 +2h）、行号（如 12345）"
    "或 50%",
    looking_up="正在查找时间",
    no_times="没有记录这些行的输出时间。",
    no_time="没有记录这一行的输出时间。",
    before="该时刻早于第一行（{time}）。",
    unreadable="无法读取各行的时间：{problem}",
    moment_title="此行输出时的运行",
    minute="此行前后各半分钟之内",
    around="前后发生的事",
    this_line="此行",
)


@lru_cache(maxsize=4)
def log_times_words(lang: Lang, *, ascii_only: bool = False) -> LogTimesWords:
    """The texts in `lang`; in ASCII there is English alone."""
    if not ascii_only:
        return _ZH if lang == "zh" else _EN
    return texts_in_ascii(_EN)
