"""What the rules and the answers about them say, in Chinese. Parts are translated themselves."""

WATTS = r"[-\d.]+ W"
_SIZE = r"[\d.]+ (?:B|[KMGTP]iB)"
_TIME = r"[\d.e+]+ (?:s|min|h)"
_DAY = r"\d{4}-\d\d-\d\d \d\d:\d\d"
_CLOCK = r"\d\d:\d\d"
_SILENT = r"(?:silent|no progress)"
"""Journals of earlier versions say the second."""

OF_RULES: tuple[tuple[str, str], ...] = (
    (r"([\d.e+]+) s", r"\1 秒"),
    (r"([\d.]+) min", r"\1 分钟"),
    (r"([\d.]+) h", r"\1 小时"),
    (
        rf"({WATTS}) ([<>]) ({WATTS}) on average over the last ([\d.]+) s",
        r"最近 \4 秒平均 \1 \2 \3",
    ),
    (
        (
            rf"({_SIZE}|[\d.]+) of ({_SIZE}) of the card's memory are in use \((.+)\), so the next"
            r" allocation may fail"
        ),
        r"显存 \2 已用 \1（\3），下一次分配可能失败",
    ),
    (r"the driver does not say who holds them", r"驱动不提供占用者"),
    (r"the driver names nobody who holds them", r"驱动没有列出占用者"),
    (r"another program computes on this GPU: (.+)", r"另一个程序在使用此 GPU：\1"),
    (r"no other program computes on this GPU", r"没有其他程序使用此 GPU"),
    (r"resumes when it has gone", r"它退出后恢复"),
    (
        (
            rf"({_SIZE}) free on the disk, and the next checkpoint needs ({_SIZE}) besides a"
            r" margin of ([\d.e+]+ [KMGT]iB)"
        ),
        r"磁盘剩余 \1，而下一个检查点需要 \2，另需余量 \3",
    ),
    (r"make room, and the run goes on by itself", r"腾出空间后运行会自行继续"),
    (rf"resumes when ({_SIZE}) are free", r"剩余 \1 时恢复"),
    (rf"({_SIZE}) free on the disk", r"磁盘剩余 \1"),
    (r"on battery at (\d+) % < ([\d.]+) %", r"使用电池，电量 \1 % < \2 %"),
    (r"resumes on mains power or at ([\d.]+) %", r"接上电源或电量到 \1 % 时恢复"),
    (r"on mains power", r"已接上电源"),
    (r"the battery is at (\d+) % ≥ ([\d.]+) %", r"电量 \1 % ≥ \2 %"),
    (r"pauses on battery below ([\d.]+) %", r"使用电池且电量低于 \1 % 时暂停"),
    (rf"quiet hours, ({_CLOCK}) to ({_CLOCK}), are over", r"静默时段 \1 至 \2 已过"),
    (rf"quiet hours, ({_CLOCK}) to ({_CLOCK})", r"静默时段 \1 至 \2"),
    (rf"resumes at ({_CLOCK})", r"\1 恢复"),
    (rf"pauses at ({_CLOCK})", r"\1 暂停"),
    (
        rf"the run is expected to end at ({_DAY}), after the deadline, ({_DAY})",
        r"预计 \1 结束，晚于期限 \2",
    ),
    (r"this rule is switched off", r"此规则已关闭"),
    (
        r"the loss is (\S+) in epoch (\d+): stopping, for nothing is learned from here on",
        r"第 \2 轮损失为 \1：停止，继续训练已无意义",
    ),
    (r"the loss is (\S+) in epoch (\d+)", r"第 \2 轮损失为 \1"),
    (
        (
            r"the validation loss is (\S+) in epoch (\d+): stopping, for nothing is learned from"
            r" here on"
        ),
        r"第 \2 轮验证损失为 \1：停止，继续训练已无意义",
    ),
    (r"the validation loss is (\S+) in epoch (\d+)", r"第 \2 轮验证损失为 \1"),
    (r"there is no checkpoint yet", r"尚无检查点"),
    (
        r"the (?:best|last) checkpoint, of epoch (\d+), was saved before and stays",
        r"此前保存的检查点（第 \1 轮）完好",
    ),
    (
        r"the (?:best|last) checkpoint, of epoch (\d+), was saved from such weights",
        r"检查点（第 \1 轮）是用这样的权重保存的",
    ),
    (
        r"the loss has jumped to (\S+), from about (\S+) before, in epoch (\d+)",
        r"第 \3 轮损失从约 \2 跳到 \1",
    ),
    (
        rf"{_SILENT} for ({_TIME}), usually a record every ({_TIME}), so the engine may hang",
        r"引擎 \1没有动静，平常每 \2 有一条记录，可能卡住",
    ),
    (
        rf"{_SILENT} for ({_TIME}): ending the engine, as policy.health.stall_action says",
        r"引擎 \1没有动静：按 policy.health.stall_action 结束引擎",
    ),
    (
        (
            rf"the engine was started ({_TIME}) ago and has (?:been silent|said nothing) since, so"
            r" it may hang"
            r" while it loads"
        ),
        r"引擎启动 \1后一直没有动静，可能在加载时卡住",
    ),
    (
        r"the card's hardware slows it down because it is too hot \((\w+)\)",
        r"显卡过热，硬件自行降频（\1）",
    ),
    (
        r"a lower policy.thermal.pause_above_c loses less time",
        r"调低 policy.thermal.pause_above_c 损失的时间更少",
    ),
    (
        r"(.+): saving and stopping, for a new start would not help",
        r"\1：保存并停止，重新启动无济于事",
    ),
    (r"(the GPU .+), for (\d+) s", r"\1，已 \2 秒"),
    (
        r"the GPU is lost: it has fallen off the bus or stopped answering",
        r"GPU 丢失：已从总线脱落或不再应答",
    ),
    (r"the GPU must be reset before it can be used again", r"GPU 需要重置后才能再用"),
    (
        r"the card's memory has had an error that could not be corrected",
        r"显存出现一个无法纠正的错误",
    ),
    (
        r"the card's memory has had (\d+) errors that could not be corrected",
        r"显存出现 \1 个无法纠正的错误",
    ),
    (
        r"the driver has logged XID (\d+), after which the card needs a reset",
        r"驱动记录了 XID \1，此后显卡需要重置",
    ),
    (
        (
            r"the driver has logged XID (\d+): a fault of a program on this GPU, of the driver or"
            r" of the card"
        ),
        r"驱动记录了 XID \1：此 GPU 上的程序、驱动或显卡出错",
    ),
    (r"the (\w+) hold stays: ([^;]+)", r"规则 \1 的暂停仍在：\2"),
    (r"resume once more to go on against it", r"再次恢复即可不理会它"),
    (rf"overridden for ({_TIME}): the (\w+) hold, (.+)", r"\1内不理会规则 \2：\3"),
    (r"a rule may still stop the run", r"规则仍可停止运行"),
    (r"there is nothing left to resume", r"没有可以恢复的了"),
    (r"from here on: (.+)", r"从现在起：\1"),
    (r"already so: (.+)", r"已经如此：\1"),
)
"""Pattern of a whole clause, and its Chinese; tried in this order."""
