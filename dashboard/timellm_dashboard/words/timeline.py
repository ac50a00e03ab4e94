"""The words of the timeline and of its ledger, in English and Chinese."""

from functools import lru_cache

from msgspec import Struct

from timellm_dashboard.words.ascii import texts_in_ascii
from timellm_dashboard.words.text import Lang


class TimelineWords(Struct, frozen=True, kw_only=True):
    """One language. Names in braces are filled in by whoever uses the text."""

    title: str
    whole_run: str
    latest: str
    stretch: str
    no_clock: str
    nothing_yet: str
    unknown: str
    now: str
    last: str
    into_run: str

    loss: str
    temperature: str
    power: str
    clock: str
    pace: str
    marks: str
    batches: str

    kind_pause: str
    kind_resume: str
    kind_pace: str
    silent: str
    """In place of the pace, where the engine said nothing."""
    kind_power_limit: str
    kind_saved: str
    kind_epoch: str
    kind_alert: str
    kind_command: str
    kind_engine: str
    kind_run: str
    kind_end: str
    marks_none: str
    marks_left_out: str

    ledger: str
    cause: str
    lasted: str
    lost: str
    steps: str
    share: str
    recent: str
    ahead: str
    cause_hold: str
    cause_user: str
    cause_other: str
    cause_pace: str
    cause_silent: str
    cause_repeated: str
    cause_heat: str
    cause_power_cap: str
    all_causes: str
    at_least: str
    lost_line: str
    lost_part: str
    lost_repeated: str
    lost_nothing: str
    lost_unknown: str
    ahead_line: str
    spent_training: str
    spent_evaluating: str
    spent_loading: str
    spent_standing: str
    spent_silent: str
    spent_unsupervised: str
    spent_ended: str


EN = TimelineWords(
    title="timeline",
    whole_run="whole run, {span}",
    latest="last {span}",
    stretch="{start} – {end}, {span}",
    no_clock="an imported log has no clock, and so no timeline",
    nothing_yet="nothing has been measured yet",
    unknown="unknown",
    now="now",
    last="last",
    into_run="{time} into the run",
    loss="loss",
    temperature="temp °C",
    power="power W",
    clock="clock MHz",
    pace="pace %",
    marks="marks",
    batches="{loss} (batch {batches})",
    kind_pause="pause",
    kind_resume="goes on",
    kind_pace="pace",
    silent="silent",
    kind_power_limit="power limit",
    kind_saved="saved",
    kind_epoch="epoch",
    kind_alert="note",
    kind_command="request",
    kind_engine="engine",
    kind_run="run",
    kind_end="end",
    marks_none="nothing was done yet",
    marks_left_out="{count} more of them in the journal",
    ledger="time lost to heat, power, pace and pauses",
    cause="cause",
    lasted="lasted",
    lost="lost",
    steps="steps",
    share="share",
    recent="last hour",
    ahead="of time left",
    cause_hold="{rule} pauses",
    cause_user="pauses by a person",
    cause_other="pauses, cause not on record",
    cause_pace="pace below 100 %",
    cause_silent="the engine was silent",
    cause_repeated="made again",
    cause_heat="card slowed by heat",
    cause_power_cap="card at its power limit",
    all_causes="all",
    at_least="at least {time}",
    lost_line="lost {time} ({share})",
    lost_part="{cause} {time}",
    lost_repeated="{cause} {steps}, {time}",
    lost_nothing="nothing lost to heat, power, pace or pauses",
    lost_unknown="cost unknown",
    ahead_line="{time} more by the end at the last hour's rate",
    spent_training="training {time}",
    spent_evaluating="evaluating {time}",
    spent_loading="loading {time}",
    spent_standing="paused {time}",
    spent_silent="silent {time}",
    spent_unsupervised="unsupervised {time}",
    spent_ended="not running {time}",
)

ZH = TimelineWords(
    title="时间线",
    whole_run="全程，{span}",
    latest="最近 {span}",
    stretch="{start} – {end}，{span}",
    no_clock="导入的日志没有时钟，因此没有时间线",
    nothing_yet="还没有任何测量值",
    unknown="未知",
    now="现在",
    last="最后",
    into_run="运行至 {time}",
    loss="损失",
    temperature="温度 °C",
    power="功耗 W",
    clock="频率 MHz",
    pace="节奏 %",
    marks="标记",
    batches="{loss}（批次 {batches}）",
    kind_pause="暂停",
    kind_resume="继续",
    kind_pace="节奏",
    silent="没有动静",
    kind_power_limit="功率上限",
    kind_saved="保存",
    kind_epoch="一轮结束",
    kind_alert="提示",
    kind_command="请求",
    kind_engine="引擎",
    kind_run="运行",
    kind_end="结束",
    marks_none="还没有任何动作",
    marks_left_out="另有 {count} 个在运行日志中",
    ledger="因过热、功率、节奏和暂停损失的时间",
    cause="原因",
    lasted="持续",
    lost="损失",
    steps="步数",
    share="占比",
    recent="最近一小时",
    ahead="占剩余时间",
    cause_hold="{rule}规则暂停",
    cause_user="手动暂停",
    cause_other="暂停，原因未记录",
    cause_pace="节奏低于 100 %",
    cause_silent="引擎没有动静",
    cause_repeated="重做的步",
    cause_heat="显卡因过热降频",
    cause_power_cap="显卡受功率上限限制",
    all_causes="合计",
    at_least="至少 {time}",
    lost_line="损失 {time}（{share}）",
    lost_part="{cause} {time}",
    lost_repeated="{cause} {steps}，{time}",
    lost_nothing="没有因过热、功率、节奏或暂停损失时间",
    lost_unknown="代价未知",
    ahead_line="照最近一小时的情况，到结束还会损失 {time}",
    spent_training="训练 {time}",
    spent_evaluating="评估 {time}",
    spent_loading="加载 {time}",
    spent_standing="暂停 {time}",
    spent_silent="没有动静 {time}",
    spent_unsupervised="无人监管 {time}",
    spent_ended="未运行 {time}",
)


@lru_cache(maxsize=3)
def timeline_words(lang: Lang, *, ascii_only: bool = False) -> TimelineWords:
    """The texts of a language; in ASCII they are English."""
    if not ascii_only:
        return ZH if lang == "zh" else EN
    return texts_in_ascii(EN)
