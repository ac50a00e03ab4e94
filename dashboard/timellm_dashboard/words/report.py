"""The words of a report, in English and Chinese."""

from msgspec import Struct

from timellm_dashboard.words.text import Lang


class ReportWords(Struct, frozen=True, kw_only=True):
    """One language. Names in braces are filled in by whoever uses the text."""

    title: str
    title_so_far: str
    title_of_none: str
    """Of a run of which nothing is known yet."""
    outcome: str
    state: str
    reason: str
    exit_code: str
    started: str
    ended: str
    duration: str
    epochs: str
    epochs_of: str
    steps: str
    restarts: str
    folder: str
    results: str
    best_epoch: str
    best_vali: str
    best_test: str
    final_test: str
    none_yet: str
    epoch_table: str
    columns: tuple[str, str, str, str, str, str]
    """Epoch, train, validation, test MSE, test MAE, time."""
    best_mark: str
    evaluations: str
    evaluation_columns: tuple[str, str, str, str]
    model_row: str
    published_row: str
    better_by: str
    time: str
    computing: str
    engine_loads: str
    standing: str
    without_a_word: str
    nobody_there: str
    not_running: str
    speed: str
    speed_is: str
    """What is in it and what is not."""
    pauses: str
    pause_columns: tuple[str, str, str, str]
    cause_not_known: str
    never_paused: str
    ledger: str
    ledger_columns: tuple[str, str, str, str, str]
    """Cause, how long it lasted, what was lost by it, steps lost, share."""
    gpu: str
    card: str
    peak: str
    throttled: str
    throttled_lost: str
    energy: str
    unknown: str
    limits: str
    checkpoints: str
    checkpoint_columns: tuple[str, str, str, str]
    verified: str
    not_verified: str
    none_at_all: str
    warnings: str
    last_lines: str
    commands: str
    go_on: str
    predict: str
    evaluate: str
    watch: str
    chart_loss: str
    chart_epochs: str
    chart_temperature: str
    axis_steps: str
    axis_epochs: str
    axis_hours: str
    batch: str
    smoothed: str
    train: str
    vali: str
    test: str
    paused_band: str
    made_at: str
    loading: str
    waiting: str
    unsupervised: str
    silent: str
    more: str
    rows_seen: str


EN = ReportWords(
    title="Report of {name}",
    title_so_far="Report of {name}, so far",
    title_of_none="Report",
    outcome="outcome",
    state="state",
    reason="reason",
    exit_code="exit code",
    started="started",
    ended="ended",
    duration="duration",
    epochs="epochs",
    epochs_of="{done} of {all}",
    steps="steps",
    restarts="engine restarts",
    folder="folder",
    results="results",
    best_epoch="best epoch",
    best_vali="its validation MSE",
    best_test="test in that epoch",
    final_test="final test, best weights",
    none_yet="none yet",
    epoch_table="epochs, errors on scaled data",
    columns=("epoch", "train", "vali MSE", "test MSE", "test MAE", "time"),
    best_mark="best",
    evaluations="evaluations",
    evaluation_columns=("on", "forecast", "MSE", "MAE"),
    model_row="this run, {checkpoint}",
    published_row="recorded by the run",
    better_by="{name}: this run is {share} {word}",
    time="time",
    computing="at work",
    engine_loads="loading",
    standing="standing still",
    without_a_word="silent",
    nobody_there="unsupervised",
    not_running="ended, not running",
    speed="mean speed",
    speed_is="pacing counts, pauses and evaluations do not",
    pauses="pauses",
    pause_columns=("rule", "pauses", "time", "share"),
    cause_not_known="not on record",
    never_paused="never paused",
    ledger="what slowed it down",
    ledger_columns=("cause", "lasted", "lost", "steps lost", "share"),
    gpu="GPU",
    card="card",
    peak="peak temperature",
    throttled="slowed by heat",
    throttled_lost="time lost to heat",
    energy="energy",
    unknown="unknown",
    limits="limits, °C",
    checkpoints="checkpoints",
    checkpoint_columns=("kind", "size", "state", "path"),
    verified="on disk, hashed",
    not_verified="on disk",
    none_at_all="none",
    warnings="warnings",
    last_lines="last lines of the engine",
    commands="what next",
    go_on="go on",
    predict="forecast",
    evaluate="errors beside baselines",
    watch="watch",
    chart_loss="loss",
    chart_epochs="MSE by epoch",
    chart_temperature="temperature, °C",
    axis_steps="step",
    axis_epochs="epoch",
    axis_hours="time under supervision, h:mm",
    batch="batches",
    smoothed="smoothed",
    train="train",
    vali="validation",
    test="test",
    paused_band="paused",
    made_at="made {when}",
    loading="reading the run's journal",
    waiting="no epoch has ended yet; a report has something to tell after the first one",
    unsupervised="nobody supervises this run: these are the numbers of its last record",
    silent="the engine is silent: these numbers stand still",
    more="the whole of it: timellm-ops report {run} --html report.html",
    rows_seen="rows {first}–{last} of {count}",
)

ZH = ReportWords(
    title="{name} 的报告",
    title_so_far="{name} 的报告（进行中）",
    title_of_none="报告",
    outcome="结果",
    state="状态",
    reason="原因",
    exit_code="退出代码",
    started="开始",
    ended="结束",
    duration="时长",
    epochs="轮数",
    epochs_of="{done} / {all}",
    steps="步数",
    restarts="引擎重启",
    folder="文件夹",
    results="成绩",
    best_epoch="最佳轮",
    best_vali="其验证 MSE",
    best_test="该轮测试",
    final_test="最终测试，最佳权重",
    none_yet="暂无",
    epoch_table="各轮，标准化数据上的误差",
    columns=("轮", "训练", "验证 MSE", "测试 MSE", "测试 MAE", "时间"),
    best_mark="最佳",
    evaluations="评估",
    evaluation_columns=("数据", "预测", "MSE", "MAE"),
    model_row="本次运行，{checkpoint}",
    published_row="运行自己的记录",
    better_by="{name}：本次运行{word} {share}",
    time="时间",
    computing="工作",
    engine_loads="加载",
    standing="停住",
    without_a_word="没有动静",
    nobody_there="无人监管",
    not_running="已结束，未运行",
    speed="平均速度",
    speed_is="含节奏控制，不含暂停和评估",
    pauses="暂停",
    pause_columns=("规则", "次数", "时间", "占比"),
    cause_not_known="未记录",
    never_paused="从未暂停",
    ledger="什么拖慢了它",
    ledger_columns=("原因", "持续", "损失", "损失步数", "占比"),
    gpu="GPU",
    card="显卡",
    peak="最高温度",
    throttled="因热降频",
    throttled_lost="因热损失的时间",
    energy="耗电",
    unknown="未知",
    limits="界限，°C",
    checkpoints="检查点",
    checkpoint_columns=("种类", "大小", "状态", "路径"),
    verified="已落盘、已校验",
    not_verified="已落盘",
    none_at_all="没有",
    warnings="警告",
    last_lines="引擎的最后几行",
    commands="接下来",
    go_on="继续训练",
    predict="预测",
    evaluate="与基线对比误差",
    watch="观看",
    chart_loss="损失",
    chart_epochs="各轮 MSE",
    chart_temperature="温度，°C",
    axis_steps="步",
    axis_epochs="轮",
    axis_hours="受监管的时间，时:分",
    batch="批次",
    smoothed="平滑",
    train="训练",
    vali="验证",
    test="测试",
    paused_band="暂停",
    made_at="生成于 {when}",
    loading="正在读取运行日志",
    waiting="还没有完成任何一轮；第一轮结束后报告才有内容",
    unsupervised="无人监管此运行：以下是最后一条记录时的数字",
    silent="引擎没有动静：以下数字停在原处",
    more="完整报告：timellm-ops report {run} --html report.html",
    rows_seen="第 {first}–{last} 行，共 {count} 行",
)


def report_words(lang: Lang) -> ReportWords:
    """The texts of a language."""
    return ZH if lang == "zh" else EN
