"""What the rules say about what they would do next, in Chinese. Parts are translated themselves."""

_DEGREES = r"[-\d.]+ °C"
_DEED = r"pauses the run|saves and stops|tells you"

OF_STANDING: tuple[tuple[str, str], ...] = (
    (r"switched off", r"已关闭"),
    (r"pauses the run", r"暂停运行"),
    (r"saves and stops", r"保存并停止"),
    (r"tells you", r"通知你"),
    (rf"pauses the run above ({_DEGREES})", r"高于 \1 时暂停运行"),
    (
        rf"pauses the run above ({_DEGREES}), saves and stops at ({_DEGREES})",
        r"高于 \1 时暂停运行，到 \2 时保存并停止",
    ),
    (rf"({_DEED}) after ([\d.e+]+) s without a temperature", r"\2 秒读不到温度后\1"),
    (r"pauses the run on battery below ([\d.]+) %", r"使用电池且电量低于 \1 % 时暂停运行"),
    (
        r"pauses the run on battery below ([\d.]+) %, now on mains power",
        r"使用电池且电量低于 \1 % 时暂停运行，现已接上电源",
    ),
    (r"pauses the run below ([\d.]+ [MG]iB) free", r"磁盘剩余低于 \1 时暂停运行"),
    (r"tells you of a card that slows itself down", r"显卡自行降速时通知你"),
    (r"(stops the run on a loss that is no number|tells of one), (.+)", r"\1，\2"),
    (r"stops the run on a loss that is no number", r"损失不是数字时停止运行"),
    (r"tells of one", r"损失不是数字时通知你"),
    (r"tells you after (\d+) s of silence", r"引擎 \1 秒没有动静时通知你"),
    (r"has told you after (\d+) s of silence", r"引擎 \1 秒没有动静，已通知你"),
    (
        r"has told you after (\d+) s of silence, ends the engine after (\d+) s",
        r"引擎 \1 秒没有动静，已通知你，\2 秒后结束引擎",
    ),
    (
        r"tells you after (\d+) s of silence, ends the engine after (\d+) s",
        r"引擎 \1 秒没有动静时通知你，\2 秒后结束引擎",
    ),
    (r"policy\.power\.limit_w is not set", r"没有设置 policy.power.limit_w"),
    (rf"({_DEED}) above ([\d.]+ W) on average", r"平均功耗高于 \2 时\1"),
    (r"no quiet hours and no deadline are set", r"没有设置静默时段和期限"),
    (r"pauses the run at (\d\d:\d\d)", r"\1 暂停运行"),
    (r"tells you when the end is expected after (.+)", r"预计晚于 \1 结束时通知你"),
    (
        r"((?:pauses the run|resumes) at \d\d:\d\d), (tells you when the end is expected after .+)",
        r"\1，\2",
    ),
    (rf"({_DEED}) when another program computes on this GPU", r"另一个程序使用此 GPU 时\1"),
    (r"has told you, and says no more", r"已通知过，不再重复"),
    (r"tells you from ([\d.]+) % on", r"达到 \1 % 时通知你"),
    (r"paces nothing without policy\.thermal", r"没有 policy.thermal 时不调节"),
    (rf"lowers the power limit to hold ({_DEGREES})", r"降低功率上限以保持 \1"),
    (rf"rests between steps to hold ({_DEGREES})", r"在步与步之间休息以保持 \1"),
    (
        (
            r"stops the engine for moments, where foreign\.pace_by_stops allows it, to hold"
            rf" ({_DEGREES})"
        ),
        r"在 foreign.pace_by_stops 允许时短暂停住引擎以保持 \1",
    ),
    (r"the limit is ([\d.]+) W", r"现上限 \1 W"),
    (r"computing ([\d.]+) % of the time", r"计算时间 \1 %"),
    (r"at full pace", r"全速"),
    (r"may not hold the run for now, says (.+)", r"由 \1 决定，目前不能暂停运行"),
)
