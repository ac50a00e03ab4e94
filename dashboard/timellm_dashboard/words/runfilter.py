"""The texts about choosing runs by what they are and by their configs, in both languages."""

from functools import lru_cache

from msgspec import Struct

from timellm_dashboard.words.ascii import texts_in_ascii
from timellm_dashboard.words.text import Lang


class RunFilterWords(Struct, frozen=True, kw_only=True):
    """A field a text. Both languages have the same blanks in it."""

    ask: str
    hint: str
    chosen: str
    shown_of: str
    none_match: str
    reading: str
    bad_term: str
    unknown_key: str
    close_key: str
    any_key: str
    no_order: str
    bad_value: str
    unknown_state: str
    a_number: str
    a_duration: str
    a_day: str
    true_or_false: str


EN = RunFilterWords(
    ask="show only runs with",
    hint="words, train.batch_size=4|8, state=failed, mse<0.4, started>2026-11-20",
    chosen="with “{text}”",
    shown_of="{count} of {all} in {folder}",
    none_match="No run has “{text}”. <runs_back> shows all runs again.",
    reading="reading the configs of all runs",
    bad_term="found “{text}”; expected words, and key=value, key!=value, key<value, key>value or"
    " key~part, with | between what may be so instead",
    unknown_key="{key}: found an unknown key; expected {expected}",
    close_key="“{key}” (did you mean it?)",
    any_key="a key of a config such as train.batch_size, or one of {keys}",
    no_order="{key}: found {op}; expected =, != or ~, for it holds a text",
    bad_value="{key}: found “{text}”; expected {expected}",
    unknown_state="state: found “{text}”; expected {expected}",
    a_number="a number",
    a_duration="a length of time such as 90s, 30m or 2h",
    a_day="a day such as 2026-11-20, or 2026-11, or with a time behind it",
    true_or_false="true or false",
)
ZH = RunFilterWords(
    ask="只显示符合的运行",
    hint="词、train.batch_size=4|8、state=failed、mse<0.4、started>2026-11-20",
    chosen="符合“{text}”",
    shown_of="{folder} 中 {all} 个里的 {count} 个",
    none_match="没有符合“{text}”的运行。按 <runs_back> 重新显示全部。",
    reading="正在读取所有运行的配置",
    bad_term="“{text}”无法识别；应为词，以及 key=value、key!=value、key<value、key>value 或"
    " key~部分文本，任一即可的用 | 隔开",
    unknown_key="{key}：没有这个键；应为{expected}",
    close_key="“{key}”（是这个吗？）",
    any_key="配置中的键（如 train.batch_size），或 {keys} 之一",
    no_order="{key}：不能用 {op}；它的值是文本，应为 =、!= 或 ~",
    bad_value="{key}：“{text}”不对；应为{expected}",
    unknown_state="state：没有“{text}”；应为{expected}",
    a_number="数字",
    a_duration="一段时间，如 90s、30m 或 2h",
    a_day="日期，如 2026-11-20 或 2026-11，后面可加时刻",
    true_or_false=" true 或 false",
)


@lru_cache(maxsize=4)
def run_filter_words(lang: Lang, *, ascii_only: bool = False) -> RunFilterWords:
    """The texts in `lang`; in ASCII there is English alone."""
    if not ascii_only:
        return ZH if lang == "zh" else EN
    return texts_in_ascii(EN)
