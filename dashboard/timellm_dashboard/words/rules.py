"""The texts of the policies screen."""

from functools import lru_cache

from msgspec import Struct

from timellm_dashboard.words.ascii import texts_in_ascii
from timellm_dashboard.words.text import Lang


class RuleWords(Struct, frozen=True, kw_only=True):
    """Every text that the policies screen shows of its own."""

    title: str
    why_title: str
    rule_title: str
    story_title: str
    story_paused: str
    story_prolonged: str
    story_never: str
    col_rule: str
    col_standing: str
    col_value: str
    col_value_then: str
    col_threshold: str
    col_next: str
    off: str
    watching: str
    watched: str
    told: str
    holding: str
    overridden: str
    unknown: str
    unit_programs: str
    unit_late: str
    unit_s: str
    nothing_holds: str
    moves_on: str
    since: str
    expected: str
    overdue: str
    by_hand: str
    how_to_override: str
    how_to_resume: str
    override_until: str
    next_of: str
    keys_of: str
    not_set: str
    changed: str
    seen: str
    loading: str
    no_rules: str
    imported: str
    as_at_the_end: str
    nobody: str
    starting: str
    select_hint: str
    look_hint: str
    ask_setting: str
    ask_hint: str


_EN = RuleWords(
    title="rules",
    why_title="why it stands still, and until when",
    rule_title="{rule}: its keys",
    story_title="{rule}: what it has seen and done",
    story_paused="paused the run {count:time|times}, {time} in all",
    story_prolonged="kept the run paused for {time}; somebody else had paused it",
    story_never="It has not acted in this run.",
    col_rule="rule",
    col_standing="standing",
    col_value="now",
    col_value_then="last value",
    col_threshold="threshold",
    col_next="what it does next",
    off="off",
    watching="watching",
    watched="was on",
    told="told you",
    holding="holding",
    overridden="overridden",
    unknown="unknown",
    unit_programs="programs",
    unit_late="min late",
    unit_s="s",
    nothing_holds="Nothing holds the run.",
    moves_on="It has been let go on, and moves at its next step.",
    since="for {age}, since {time}",
    expected="expected about {time}, in {left}",
    overdue="was expected {age} ago",
    by_hand="you",
    how_to_override="<override>: go on against it for 30 min; asks first",
    how_to_resume="<pause>: go on",
    override_until="{rule} may not hold the run until {time}, says {who}",
    next_of="next: {text}",
    keys_of="[{section}]: {keys}",
    not_set="{key}: not set",
    changed="changed under the run: {settings}",
    seen="{first}–{last} of {count}",
    loading="reading the run's journal",
    no_rules="The rules of this run cannot be told: its config cannot be read.",
    imported="An imported run has no rules: nobody supervised it.",
    as_at_the_end="The run has ended; the rules as they stood at its end.",
    nobody="Nobody supervises the run, so no rule acts; the rules as they last stood.",
    starting="The run has not begun yet.",
    select_hint="Up and down choose a rule, <policies_change> changes a key of it.",
    look_hint="Up and down choose a rule.",
    ask_setting="change",
    ask_hint="key=value; up and down show the other keys of the rule",
)
_ZH = RuleWords(
    title="规则",
    why_title="为何停住，何时继续",
    rule_title="{rule}：设置项",
    story_title="{rule}：它看到的和做过的",
    story_paused="共暂停 {count} 次，合计 {time}",
    story_prolonged="使运行继续暂停 {time}；暂停由别的原因引起",
    story_never="本次运行中它还没有动作。",
    col_rule="规则",
    col_standing="状态",
    col_value="当前",
    col_value_then="最后",
    col_threshold="阈值",
    col_next="接下来的动作",
    off="关闭",
    watching="监视中",
    watched="当时监视中",
    told="已通知",
    holding="暂停中",
    overridden="已越过",
    unknown="未知",
    unit_programs="个程序",
    unit_late="分钟（晚于期限）",
    unit_s="秒",
    nothing_holds="目前没有被规则或人为暂停。",
    moves_on="已允许继续，将在下一步恢复。",
    since="已 {age}，自 {time}",
    expected="预计约 {time}，还有 {left}",
    overdue="预计时间已过 {age}",
    by_hand="你",
    how_to_override="<override>：不理会它，继续 30 分钟；会先询问",
    how_to_resume="<pause>：继续",
    override_until="{rule}规则在 {time} 之前不能暂停运行（{who}）",
    next_of="接下来：{text}",
    keys_of="[{section}]：{keys}",
    not_set="{key}：未设置",
    changed="运行中修改过：{settings}",
    seen="{first}–{last} / {count}",
    loading="正在读取运行日志",
    no_rules="无法得知此运行的规则：其配置无法读取。",
    imported="导入的运行没有规则：没有人监管过它。",
    as_at_the_end="运行已结束；以下为结束时的规则状态。",
    nobody="没有监管进程，规则不起作用；以下为最后的规则状态。",
    starting="运行尚未开始。",
    select_hint="上下键选择规则，<policies_change> 修改其设置项。",
    look_hint="上下键选择规则。",
    ask_setting="修改",
    ask_hint="键=值；上下键切换该规则的其他设置项",
)


@lru_cache(maxsize=4)
def rule_words(lang: Lang, *, ascii_only: bool = False) -> RuleWords:
    """The texts in `lang`; in ASCII there is English alone."""
    if not ascii_only:
        return _ZH if lang == "zh" else _EN
    return texts_in_ascii(_EN)
