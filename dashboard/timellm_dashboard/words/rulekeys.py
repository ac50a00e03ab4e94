"""What each key of a rule is for, in a few words, in both languages. The English ones are ASCII."""

from timellm_dashboard.words.text import Lang

_MEANINGS: dict[str, tuple[str, str]] = {
    "thermal.pause_above_c": ("above this the run is paused", "高于此温度时暂停"),
    "thermal.resume_below_c": ("below this it goes on", "低于此温度时继续"),
    "thermal.samples": ("so many readings must agree", "须有这么多次读数一致"),
    "thermal.window": ("out of so many of the last ones", "在最近这么多次读数之中"),
    "thermal.min_dwell_s": (
        "shortest time between a pause and its end, and to the next",
        "暂停到继续、继续到再次暂停的最短时间",
    ),
    "thermal.emergency_c": (
        "here it saves and stops; not set: 3 degrees below the card's own shutdown",
        "到此温度时保存并停止；未设置：比显卡自行关闭低 3 度",
    ),
    "thermal.enabled": ("whether heat may pause and stop the run", "是否允许因过热暂停和停止"),
    "thermal.unknown_after_s": (
        "the temperature may be unknown for so long",
        "允许读不到温度的时间",
    ),
    "thermal.unknown_action": ("what is done after that", "超过之后怎么做"),
    "governor.set_point_c": (
        "the temperature to hold; not set: 3 degrees below the one that pauses",
        "要保持的温度；未设置：比暂停温度低 3 度",
    ),
    "governor.actuator": (
        "duty: rests between steps; power: the card's limit; auto: the limit if it can be set",
        "duty：步与步之间休息；power：显卡功率上限；auto：能设上限就设上限",
    ),
    "governor.lowest_duty": (
        "smallest share of the time that is left to compute",
        "至少留给计算的时间比例",
    ),
    "governor.lowest_power_w": (
        "never a power limit below this; not set: the card's lowest",
        "功率上限不低于此值；未设置：显卡允许的最低值",
    ),
    "governor.time_constant_s": (
        "how slowly the card is taken to warm; twice or half as much does no harm",
        "假定的显卡升温快慢；差一倍也无妨",
    ),
    "governor.full_load_rise_c": (
        "how much warmer full load is taken to be than idling",
        "假定满载比空闲高多少度",
    ),
    "governor.enabled": (
        "whether the pace follows the temperature",
        "是否按温度调速",
    ),
    "health.stall_min_s": (
        "no silence is told of before this",
        "无动静不足此时间不通知",
    ),
    "health.not_finite": (
        "what a loss does that is no number",
        "损失不是数字时怎么做",
    ),
    "health.spike": ("whether a loss that jumps is told of", "损失突然跳高时是否通知"),
    "health.spike_deviations": (
        "so many deviations above the usual are a jump",
        "高出平常这么多倍偏差算跳高",
    ),
    "health.spike_records": ("in so many records in a row", "须连续这么多条记录"),
    "health.stall_iterations": (
        "silent for so many usual steps: you are told",
        "无动静达到这么多步的时间时通知",
    ),
    "health.stall_action": (
        "what is done about an engine that stays silent",
        "引擎一直没有动静时怎么做",
    ),
    "health.stall_stop_after_s": (
        "so long a silence ends a run if stop is set above",
        "上一项设为 stop 时，无动静达到此时间就停止",
    ),
    "health.loading_minutes": (
        "loading may take so many minutes",
        "加载允许的分钟数",
    ),
    "health.gpu_fault": (
        "what a fault that the driver reports does",
        "驱动报告显卡故障时怎么做",
    ),
    "power.limit_w": ("highest mean power; not set: no limit", "平均功率上限；未设置：不限"),
    "power.action": ("what a mean above it does", "平均功率超过时怎么做"),
    "power.mean_over_s": ("the time that the mean is taken over", "取平均的时间"),
    "power.min_pause_s": ("shortest pause", "暂停的最短时间"),
    "vram.alert_above_pct": (
        "from this share of the card's memory on you are told",
        "显存占用达到此比例时通知",
    ),
    "vram.enabled": ("whether to tell", "是否通知"),
    "sharing.action": (
        "what another program on the GPU does",
        "另一个程序使用此 GPU 时怎么做",
    ),
    "sharing.min_memory_mib": (
        "a program with less memory than this is not minded",
        "占用显存少于此值的程序不计",
    ),
    "disk.margin_mib": (
        "what is to stay free besides the next checkpoint",
        "除下一个检查点外还要留出的空间",
    ),
    "disk.enabled": (
        "whether a full disk may pause the run",
        "磁盘将满时是否暂停",
    ),
    "battery.pause_below_pct": (
        "on battery, below this charge the run is paused",
        "使用电池且电量低于此值时暂停",
    ),
    "battery.resume_above_pct": (
        "it goes on at this charge, or on mains power",
        "达到此电量或接上电源后继续",
    ),
    "battery.enabled": (
        "whether an empty battery may pause the run",
        "电池电量低时是否暂停",
    ),
    "schedule.quiet_from": ("quiet hours begin, as 22:30", "安静时段开始，如 22:30"),
    "schedule.quiet_until": ("quiet hours end", "安静时段结束"),
    "schedule.timezone": (
        "where these times are local; not set: here",
        "这些时间所在的时区；未设置：本机时区",
    ),
    "schedule.deadline": (
        "when the run should have ended; you are told if it will be late",
        "应当结束的时间；预计来不及时通知",
    ),
}  # fmt: skip


def meaning(key: str, lang: Lang) -> str:
    """What `policy.thermal.samples` is for; empty for a key that is not known here."""
    english, chinese = _MEANINGS.get(key.removeprefix("policy."), ("", ""))
    return chinese if lang == "zh" else english
