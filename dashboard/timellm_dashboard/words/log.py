"""The texts of the log screen."""

from functools import lru_cache

from msgspec import Struct

from timellm_dashboard.words.ascii import texts_in_ascii
from timellm_dashboard.words.text import Lang


class LogWords(Struct, frozen=True, kw_only=True):
    """Every text that the log screen shows of its own."""

    title: str
    at_line: str
    following: str
    ended: str
    stays: str
    reading: str
    searching: str
    filtering: str
    filtered: str
    filtered_without: str
    marked: str
    shifted: str
    not_found: str
    all_have: str
    once_around: str
    bad_pattern: str
    too_slow: str
    ask_search: str
    ask_filter: str
    ask_hint: str
    copied: str
    copied_part: str
    nothing_to_copy: str
    loading: str
    empty: str
    empty_ended: str
    no_match: str
    none_without: str
    no_log: str
    of_weights: str
    gone: str
    unreadable: str


_EN = LogWords(
    title="log",
    at_line="line {line} of {lines}",
    following="following",
    ended="the run has ended, this is all",
    stays="<log_follow> follows the end",
    reading="reading {share}",
    searching="searching {share} · <log_cancel> ends it",
    filtering="filtering {share} · <log_cancel> ends it",
    filtered="{count} with “{text}”",
    filtered_without="{count} without “{text}”",
    marked="{lines:line|lines} marked",
    shifted="from column {column}",
    not_found="no line has “{text}”",
    all_have="every line has “{text}”",
    once_around="went on from the other end",
    too_slow="“{text}” takes too long here, and was given up; a repetition within a repetition,"
    " such as (a+)+, does that",
    bad_pattern="“{text}” is no regular expression: {error}",
    ask_search="search",
    ask_filter="show only lines with",
    ask_hint="a text, or re:regex; not: before it excludes",
    copied="{lines:line|lines} sent to the terminal's clipboard",
    copied_part="the first {lines} of {all:line|lines} sent to the terminal's clipboard, which"
    " takes no more",
    nothing_to_copy="there is no line to copy",
    loading="reading the log …",
    empty="The engine has printed nothing yet. What it prints will stand here.",
    empty_ended="The engine has printed nothing.",
    no_match="No line has “{text}”. <log_cancel> shows all lines again.",
    none_without="Every line has “{text}”. <log_cancel> shows all lines again.",
    no_log="This view has no log.",
    of_weights="This run was imported without a log: nobody has recorded what its program printed.",
    gone="There is no {path}: the engine has not printed anything, or the file was moved away.",
    unreadable="The log cannot be read: {problem}",
)
_ZH = LogWords(
    title="日志",
    at_line="第 {line} 行，共 {lines} 行",
    following="跟随末尾",
    ended="运行已结束，这是全部内容",
    stays="按 <log_follow> 跟随末尾",
    reading="已读取 {share}",
    searching="搜索中 {share} · <log_cancel> 取消",
    filtering="过滤中 {share} · <log_cancel> 取消",
    filtered="其中 {count} 行含“{text}”",
    filtered_without="其中 {count} 行不含“{text}”",
    marked="已标记 {lines} 行",
    shifted="从第 {column} 列起",
    not_found="没有含“{text}”的行",
    all_have="每一行都含“{text}”",
    once_around="已从另一端继续",
    too_slow="“{text}”在这里耗时过长，已放弃；重复之中又有重复（如 (a+)+）就会这样",
    bad_pattern="“{text}”不是正则表达式：{error}",
    ask_search="搜索",
    ask_filter="只显示含有",
    ask_hint="文本，或 re:正则表达式；前加 not: 表示排除",
    copied="已将 {lines} 行发送到终端剪贴板",
    copied_part="已将 {all} 行中的前 {lines} 行发送到终端剪贴板，再多放不下",
    nothing_to_copy="没有可复制的行",
    loading="正在读取日志……",
    empty="引擎还没有输出；它的输出将显示在这里。",
    empty_ended="引擎没有输出。",
    no_match="没有含“{text}”的行。按 <log_cancel> 重新显示全部。",
    none_without="每一行都含“{text}”。按 <log_cancel> 重新显示全部。",
    no_log="这里没有日志。",
    of_weights="此运行导入时没有日志：程序的输出没有被记录。",
    gone="没有 {path}：引擎没有输出，或文件已被移走。",
    unreadable="无法读取日志：{problem}",
)


@lru_cache(maxsize=4)
def log_words(lang: Lang, *, ascii_only: bool = False) -> LogWords:
    """The texts in `lang`; in ASCII there is English alone."""
    if not ascii_only:
        return _ZH if lang == "zh" else _EN
    return texts_in_ascii(_EN)
