"""The texts of the runs screen and of comparisons, in both languages."""

from functools import lru_cache

from msgspec import Struct

from timellm_dashboard.words.ascii import texts_in_ascii
from timellm_dashboard.words.text import Lang


class RunsWords(Struct, frozen=True, kw_only=True):
    """A field a text. Both languages have the same blanks in it."""

    title: str
    count: str
    sorted_by: str
    reversed: str
    marked_count: str
    reading: str
    none: str
    none_how: str
    not_here: str
    unreadable: str
    mark_more: str
    mark_fewer: str
    already_shown: str
    opened: str
    column_run: str
    column_state: str
    column_epoch: str
    column_vali: str
    column_mse: str
    column_mae: str
    column_time: str
    column_started: str

    compare_title: str
    compare_reading: str
    compare_more: str
    compare_back: str
    results: str
    better: str
    curves: str
    no_curves: str
    config: str
    config_same: str
    config_unknown: str
    findings: str
    best_epoch: str
    best_vali: str
    test_mse: str
    test_mae: str
    per_step: str
    steps: str
    total_time: str
    paused_time: str
    pauses: str
    energy: str
    peak: str
    best_size: str
    last_size: str
    less: str
    equal: str
    list_and: str

    find_lowest: str
    find_equal: str
    find_none_yet: str
    find_other_task: str
    find_seed_alone: str
    find_one_seed: str
    find_one_key: str
    find_many_keys: str
    find_no_key: str
    find_not_finished: str
    find_other_loss: str
    find_tested_differently: str


EN = RunsWords(
    title="runs",
    count="{count} in {folder}",
    sorted_by="by {column}",
    reversed="reversed",
    marked_count="{count} marked",
    reading="reading the journals of all runs",
    none="no runs yet",
    none_how="timellm-ops run configs/quickstart.toml makes one",
    not_here="a replay shows one run; timellm-ops list shows all",
    unreadable="{folder} cannot be read: {problem}",
    mark_more="mark two or more runs with <runs_mark>, then compare them with <runs_compare>",
    mark_fewer="at most {most} runs can be compared at once",
    already_shown="that run is the one that is shown",
    opened="opened {run}",
    column_run="run",
    column_state="state",
    column_epoch="epoch",
    column_vali="vali",
    column_mse="test MSE",
    column_mae="test MAE",
    column_time="time",
    column_started="started",
    compare_title="compared",
    compare_reading="reading the journals of {count:run|runs}",
    compare_more="up and down: more · <runs_back>: back to the list",
    compare_back="<runs_back>: back to the list",
    results="results",
    better="better",
    curves="loss over steps, smoothed",
    no_curves="no losses on record",
    config="config keys that differ",
    config_same="no key differs",
    config_unknown="not readable: {runs}",
    findings="what this says",
    best_epoch="best epoch",
    best_vali="validation MSE",
    test_mse="test MSE",
    test_mae="test MAE",
    per_step="mean speed, training",
    steps="steps done",
    total_time="total time",
    paused_time="of it paused",
    pauses="pauses",
    energy="energy",
    peak="peak temperature",
    best_size="best checkpoint",
    last_size="last checkpoint",
    less="{run}, {share} less",
    equal="equal",
    list_and=" and ",
    find_lowest="{run} has the lowest {what}: {value}, {share} below {other} ({other_value}).",
    find_equal="The {what} is {value} in {runs} alike.",
    find_none_yet="{runs}: no {what} yet.",
    find_other_task="The runs have different tasks ({keys}): their errors cannot be compared.",
    find_seed_alone=(
        "Only the seed differs: as far as {count:run|runs} tell, chance alone moves the {what} by"
        " {share}."
    ),
    find_one_seed=(
        "Each is one run. How far a result moves with the seed is not known from them, so a"
        " difference is no proof: repeat each with other seeds (--set run.seed=...)."
    ),
    find_one_key="One key that training depends on differs: {keys}.",
    find_many_keys=(
        "{count:key|keys} that training depends on differ: which of them makes the difference"
        " cannot be told from this."
    ),
    find_no_key="No key that training depends on differs.",
    find_not_finished="Not finished: {runs}. What it has so far may still change.",
    find_other_loss="The curves are of different losses ({losses}) and do not share a scale.",
    find_tested_differently=(
        "The test errors of {runs} are those of the best epoch, not of a final test."
    ),
)

ZH = RunsWords(
    title="运行",
    count="{folder} 中共 {count} 个",
    sorted_by="按{column}排序",
    reversed="倒序",
    marked_count="已标记 {count} 个",
    reading="正在读取所有运行的日志",
    none="还没有运行",
    none_how="用 timellm-ops run configs/quickstart.toml 开始一个",
    not_here="回放只显示一个运行；timellm-ops list 列出全部",
    unreadable="无法读取 {folder}：{problem}",
    mark_more="先用 <runs_mark> 标记两个或更多运行，再用 <runs_compare> 对比",
    mark_fewer="一次最多对比 {most} 个运行",
    already_shown="这就是正在显示的运行",
    opened="已打开 {run}",
    column_run="运行",
    column_state="状态",
    column_epoch="轮次",
    column_vali="验证",
    column_mse="测试 MSE",
    column_mae="测试 MAE",
    column_time="用时",
    column_started="开始",
    compare_title="对比",
    compare_reading="正在读取 {count} 个运行的日志",
    compare_more="上下键：更多 · <runs_back>：回到列表",
    compare_back="<runs_back>：回到列表",
    results="结果",
    better="更好",
    curves="平滑后的损失，按步数",
    no_curves="没有损失记录",
    config="不同的配置项",
    config_same="没有不同的配置项",
    config_unknown="无法读取：{runs}",
    findings="这说明什么",
    best_epoch="最佳轮次",
    best_vali="验证 MSE",
    test_mse="测试 MSE",
    test_mae="测试 MAE",
    per_step="训练时平均速度",
    steps="已完成步数",
    total_time="总用时",
    paused_time="其中暂停",
    pauses="暂停次数",
    energy="能耗",
    peak="最高温度",
    best_size="最佳检查点",
    last_size="最新检查点",
    less="{run}，低 {share}",
    equal="相同",
    list_and=" 和 ",
    find_lowest="{run} 的{what} 最低：{value}，比 {other}（{other_value}）低 {share}。",
    find_equal="{runs} 的{what} 相同，都是 {value}。",
    find_none_yet="{runs} 还没有{what}。",
    find_other_task="这些运行的任务不同（{keys}），误差不能相互比较。",
    find_seed_alone="只有种子不同：就这 {count} 个运行来看，仅偶然因素就会使{what}变化 {share}。",
    find_one_seed=(
        "每个都只是一次运行。仅凭它们无法知道结果随种子变化多大，所以差别不是证明："
        "请用其他种子各重复几次（--set run.seed=...）。"
    ),
    find_one_key="影响训练的配置项中只有一项不同：{keys}。",
    find_many_keys="影响训练的配置项有 {count} 项不同，由此无法断定差别来自哪一项。",
    find_no_key="影响训练的配置项全都相同。",
    find_not_finished="尚未完成：{runs}。目前的数值还可能改变。",
    find_other_loss="各曲线的损失不同（{losses}），不在同一尺度上。",
    find_tested_differently="{runs} 的测试误差来自最佳轮次，而不是最终测试。",
)


@lru_cache(maxsize=4)
def runs_words(lang: Lang, *, ascii_only: bool = False) -> RunsWords:
    """The texts in `lang`; in ASCII there is English alone."""
    if not ascii_only:
        return ZH if lang == "zh" else EN
    return texts_in_ascii(EN)
