"""Why a key does nothing now, one line each, in both languages."""

from msgspec import Struct

from timellm_dashboard.words.text import Lang


class RefusalWords(Struct, frozen=True, kw_only=True):
    """A field a text."""

    replay: str
    replay_report: str
    replay_runs: str
    loading: str
    waiting: str
    imported: str
    ending: str
    unsupervised: str
    supervised: str
    one_language: str
    supervising: str
    taken_over: str
    by_command: str
    not_taken_over: str
    ctrl_c_replay: str
    ctrl_c_alone: str
    ctrl_c_early: str


EN = RefusalWords(
    replay="this is a replay: nothing can be asked of a run that is over",
    replay_report="this is a replay: timellm-ops report --html writes the report of the whole run",
    replay_runs="this is a replay: it shows one run alone",
    loading="the run's journal is still being read: try again in a moment",
    waiting="nothing is on record yet: there is no run to ask anything of",
    imported="this is the record of a run elsewhere: there is nobody to ask",
    ending="the run is ending already",
    unsupervised=(
        "nobody supervises this run, so nobody would hear it; <supervise> starts a supervisor"
    ),
    supervised="the run is supervised: there is nothing to take over",
    one_language="in ASCII there is English alone",
    supervising="starting a supervisor",
    taken_over="the run is supervised again",
    by_command="timellm-ops attach {run} starts a supervisor",
    not_taken_over="no supervisor: {error}",
    ctrl_c_replay="<leave> closes this replay",
    ctrl_c_alone="<leave> leaves; nobody supervises this run, and <supervise> takes it up again",
    ctrl_c_early="<leave> leaves, and touches no run",
)

ZH = RefusalWords(
    replay="这是回放：不能再对已经过去的运行提出要求",
    replay_report="这是回放：timellm-ops report --html 可写出整个运行的报告",
    replay_runs="这是回放：只显示这一个运行",
    loading="还在读取运行日志：请稍后再试",
    waiting="还没有任何记录：没有可以要求的运行",
    imported="这是在别处运行的记录：没有可以要求的对象",
    ending="运行已经在停止",
    unsupervised="此运行没有监管进程，没有人会听到；按 <supervise> 启动一个",
    supervised="此运行有监管进程，不需要接管",
    one_language="ASCII 模式只有英文",
    supervising="正在启动监管进程",
    taken_over="此运行重新受到监管",
    by_command="timellm-ops attach {run} 会启动监管进程",
    not_taken_over="没有监管进程：{error}",
    ctrl_c_replay="<leave> 关闭这个回放",
    ctrl_c_alone="<leave> 离开；没有人监管此运行，按 <supervise> 重新接管",
    ctrl_c_early="<leave> 离开，不影响任何运行",
)


def refusal_words(lang: Lang) -> RefusalWords:
    """The texts in `lang`. The English ones are ASCII."""
    return ZH if lang == "zh" else EN
