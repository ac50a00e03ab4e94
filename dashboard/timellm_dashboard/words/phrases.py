"""What others wrote into the journal, as it may be shown: cleaned, and in Chinese where it is one
of our own sentences. Everything else is shown as it was written."""

import re

from timellm_dashboard.words.phrases_of_checks import OF_CHECKS
from timellm_dashboard.words.phrases_of_data import OF_DATA
from timellm_dashboard.words.phrases_of_rules import OF_RULES, WATTS
from timellm_dashboard.words.phrases_of_standing import OF_STANDING
from timellm_dashboard.words.text import Lang
from timellm_ops.contract.commands import asker

_DEGREES = r"[-\d.]+ °C"
_RATE = r"([\d.]+) °C a minute"
_DUTY = r"computing ([\d.]+) % of the time after ([\d.]+) %"
_OURS = r"(the dashboard|the command line|the terminal|a signal)"
_LIMIT = r"a power limit of ([\d.]+) W after ([\d.]+) W"

_ZH: tuple[tuple[str, str], ...] = (
    (rf"({_DEGREES}) ([<>≥]) ({_DEGREES}) in the last reading", r"\1 \2 \3（最近一次读数）"),
    (
        rf"({_DEGREES}) ([<>≥]) ({_DEGREES}) in the last (\d+) readings",
        r"\1 \2 \3（最近 \4 次读数）",
    ),
    (
        rf"({_DEGREES}) ([<>≥]) ({_DEGREES}) in (\d+) of the last (\d+) readings",
        r"\1 \2 \3（最近 \5 次读数中有 \4 次）",
    ),
    (
        r"([^;]+): saving and stopping before the card shuts itself down",
        r"\1：在显卡自行断电之前保存并停止",
    ),
    (
        r"([^;]+): saving and stopping, as policy.thermal.unknown_action says",
        r"\1：按 policy.thermal.unknown_action 保存并停止",
    ),
    (rf"pauses above ({_DEGREES}|{WATTS})", r"高于 \1 时暂停"),
    (rf"resumes below ({_DEGREES}|{WATTS})", r"低于 \1 时恢复"),
    (rf"resumes when the temperature is known and below ({_DEGREES})", r"温度已知且低于 \1 时恢复"),
    (r"(resumes [^,;]+), in (\d+) s at the earliest", r"\1，最早 \2 秒后"),
    (r"in (\d+) s at the earliest", r"最早 \1 秒后"),
    (r"no temperature for ([\d.]+) s \((.+)\)", r"已有 \1 秒读不到温度（\2）"),
    (r"no temperature for ([\d.]+) s", r"已有 \1 秒读不到温度"),
    (
        rf"({_DEGREES}), to be held at ({_DEGREES}): {_DUTY}",
        r"\1，目标 \2：计算时间由 \4 % 调为 \3 %",
    ),
    (
        rf"({_DEGREES}), up to ({_DEGREES}) at work, to be held at ({_DEGREES}): {_DUTY}",
        r"\1，计算时高至 \2，目标 \3：计算时间由 \5 % 调为 \4 %",
    ),
    (
        rf"({_DEGREES}), rising {_RATE}, to be held at ({_DEGREES}): {_DUTY}",
        r"\1，每分钟上升 \2 °C，目标 \3：计算时间由 \5 % 调为 \4 %",
    ),
    (
        rf"({_DEGREES}), falling {_RATE}, to be held at ({_DEGREES}): {_DUTY}",
        r"\1，每分钟下降 \2 °C，目标 \3：计算时间由 \5 % 调为 \4 %",
    ),
    (
        rf"({_DEGREES}), to be held at ({_DEGREES}): {_LIMIT}",
        r"\1，目标 \2：功率上限由 \4 W 调为 \3 W",
    ),
    (
        rf"({_DEGREES}), up to ({_DEGREES}) at work, to be held at ({_DEGREES}): {_LIMIT}",
        r"\1，计算时高至 \2，目标 \3：功率上限由 \5 W 调为 \4 W",
    ),
    (
        rf"({_DEGREES}), rising {_RATE}, to be held at ({_DEGREES}): {_LIMIT}",
        r"\1，每分钟上升 \2 °C，目标 \3：功率上限由 \5 W 调为 \4 W",
    ),
    (
        rf"({_DEGREES}), falling {_RATE}, to be held at ({_DEGREES}): {_LIMIT}",
        r"\1，每分钟下降 \2 °C，目标 \3：功率上限由 \5 W 调为 \4 W",
    ),
    (
        r"the driver tells of no power limit here",
        r"这里的驱动不提供功率上限",
    ),
    (
        r"the governor rests between steps instead",
        r"改为在步与步之间休息",
    ),
    (r"the power limit cannot be set to ([\d.]+) W: ([^;]+)", r"功率上限无法设为 \1 W：\2"),
    (r"this user may not ask the driver for it", r"当前用户无权要求驱动这样做"),
    (r"the card or driver does not support this", r"显卡或驱动不支持"),
    (r"the dashboard", r"仪表盘"),
    (r"the command line", r"命令行"),
    (r"the terminal", r"终端"),
    (r"a signal", r"信号"),
    (rf"paused by {_OURS}", r"由\1暂停"),
    (r"paused by ([^;]+)", r"由 \1 暂停"),
    (r"resumes when you say so", r"由你恢复"),
    (rf"asked for by {_OURS}", r"由\1要求"),
    (r"asked for by ([^;]+)", r"由 \1 要求"),
    (r"the run is ending", r"运行即将结束"),
    (r"there is nothing left to pause", r"没有可以暂停的了"),
    (r"already paused by a user", r"已经由用户暂停"),
    (r"pausing after the current step", r"这一步之后暂停"),
    (r"pausing the script and all of its processes", r"正在暂停脚本及其全部进程"),
    (r"the run stands still already", r"运行已经停住"),
    (r"now it stays so until you resume it", r"现在会一直停到你恢复它"),
    (
        r"the stop waits until the run goes on to its next checkpoint",
        r"停止会等到运行继续到下一个检查点",
    ),
    (r"the run is not paused", r"运行没有暂停"),
    (r"your pause is lifted", r"你的暂停已解除"),
    (r"going on", r"继续"),
    (r"the run has ended already", r"运行已经结束"),
    (
        r"this is a replay: nothing can be asked of a run that is over",
        r"这是回放：不能再对已经过去的运行提出要求",
    ),
    (r"already stopping \(([^;]+)\)", r"已经在停止（\1）"),
    (r"killing the engine at once", r"立即强制结束引擎"),
    (r"the engine saves at its next step and ends", r"引擎会在下一步保存并结束"),
    (
        r"the engine is started again, and stands before its first step",
        r"引擎会再次启动，并在第一步之前停住",
    ),
    (
        r"stopping; no engine is there now, and it is not started again",
        r"正在停止；现在没有引擎，也不再重新启动",
    ),
    (
        r"ending the script, which has no way to save itself",
        r"正在结束脚本；脚本无法自己保存",
    ),
    (
        r"interrupting the script, which has no way to save itself",
        r"正在中断脚本；脚本无法自己保存",
    ),
    (r"stopping as soon as the engine is up", r"引擎就绪后立即停止"),
    (r"there is nothing to save yet", r"还没有需要保存的内容"),
    (
        r"saving a checkpoint after the current step, then stopping",
        r"这一步之后保存检查点，然后停止",
    ),
    (r"killed if it is still there after ([\d.]+) s", r"\1 秒后若仍在，将强制结束"),
    (
        r"killed if it is still there after ([\d.]+) s, and then (.+)",
        r"\1 秒后若仍在，将强制结束，那样\2",
    ),
    (
        r"the disk has no room for a checkpoint: unless room is made, (.+)",
        r"磁盘没有空间保存检查点：如不腾出空间，\1",
    ),
    (r"stopping once the next checkpoint is safely on disk", r"下一个检查点落盘后停止"),
    (
        (
            r"stopping once the next checkpoint is safely on disk, but not before the run goes on:"
            r" ([^;]+)"
        ),
        r"下一个检查点落盘后停止，但要等运行恢复：\1",
    ),
    (
        (
            r"stopping once the next checkpoint is safely on disk, or at the next epoch's end if"
            r" the best one already is"
        ),
        r"下一个检查点落盘后停止；若最佳检查点已落盘，则在下一轮结束时停止",
    ),
    (
        r"up to ([\d,]+) steps? since the last checkpoint (?:is|are) lost",
        r"最多丢失上个检查点之后的 \1 步",
    ),
    (
        r"(?:all )?([\d,]+) steps? (?:is|are) lost, for there is no checkpoint yet",
        r"全部 \1 步都会丢失，因为还没有检查点",
    ),
    (r"no supervisor: timellm-ops attach (\S+) starts one", r"没有监管进程：timellm-ops attach \1"),
    (r"this run looks at no GPU", r"此运行不读取 GPU"),
    (r"there is no GPU or driver to read", r"没有可读取的 GPU 或驱动"),
    (
        r"no NVIDIA GPU or driver here: (.+); telemetry is off",
        r"这里没有 NVIDIA GPU 或驱动：\1；不读取遥测",
    ),
    (r"the recording is over", r"录下的读数已放完"),
    (r"the GPU sleeps and makes no heat", r"GPU 在休眠，不发热"),
    (r"training finished; test MSE ([^;]+)", r"训练完成；测试 MSE \1"),
    (
        r"training finished: no improvement for as many epochs as allowed",
        r"训练完成：连续多轮没有改善",
    ),
    (r"training finished", r"训练完成"),
    (r"stopped as asked at step ([^;]+) of ([^;]+)", r"按要求停在第 \1 / \2 步"),
    (r"ended at once as asked; ([^;]+)", r"按要求立即结束；\1"),
    (r"stopped as asked before the first step", r"按要求在第一步之前停止"),
    (r"there was nothing to save", r"没有需要保存的内容"),
    (r"stopped as asked", r"按要求停止"),
    (r"the checkpoint is on disk", r"检查点已落盘"),
    (r"go on with: ([^;]+)", r"继续训练：\1"),
    (r"go on from the last checkpoint with: ([^;]+)", r"从上个检查点继续：\1"),
    (r"the engine failed with exit code (\d+)", r"引擎失败，退出代码 \1"),
    (r"the engine failed with exit code (\d+): ([^;]+)", r"引擎失败，退出代码 \1：\2"),
    (r"the engine was ended by (\w+)", r"引擎被 \1 结束"),
    (r"the engine was ended by (\w+): ([^;]+)", r"引擎被 \1 结束：\2"),
    (r"no step is lost", r"没有丢失任何一步"),
    (r"([\d,]+) steps? since the last checkpoint (?:is|are) lost", r"丢失上个检查点之后的 \1 步"),
    (r"([\d,]+) steps? and no checkpoint yet (?:is|are) lost", r"尚无检查点，丢失 \1 步"),
)
_Patterns = tuple[tuple[re.Pattern[str], str], ...]
_PATTERNS: _Patterns = tuple(
    (re.compile(pattern), template)
    for pattern, template in (*_ZH, *OF_RULES, *OF_STANDING, *OF_CHECKS)
)
_OF_DATA = (*_PATTERNS, *((re.compile(pattern), template) for pattern, template in OF_DATA))
_REFUSED = re.compile(r"(.+?): found (.+); expected (.+)")


def clean(text: str) -> str:
    """One line of printable text: what a process printed may hold anything, escapes included."""
    shown = (c if c.isprintable() else " " for c in text)
    return " ".join("".join(shown).split())


def said(text: str, lang: Lang) -> str:
    """A sentence of the journal, for the eye."""
    shown = clean(text)
    return _chinese(shown) if lang == "zh" else shown


def named(who: str, lang: Lang) -> str:
    """Who asked for something, for the eye."""
    return said(asker(who), lang)


def said_of_data(text: str, lang: Lang) -> str:
    """What the engine says of a series: a finding, or a problem."""
    shown = clean(text)
    if lang != "zh":
        return shown
    refused = _REFUSED.fullmatch(shown)
    if refused is None:
        return _chinese(shown, _OF_DATA)
    where, found, expected = (_chinese(part, _OF_DATA) for part in refused.groups())
    return f"{where}：实际为{found}；应为{expected}"


def without_command(reason: str) -> str:
    """The reason of an end, less the clause with the command that goes on, shown by itself."""
    clauses = (clause.strip() for clause in reason.split(";"))
    return "; ".join(clause for clause in clauses if "timellm-ops run --resume" not in clause)


def _chinese(text: str, patterns: _Patterns = _PATTERNS) -> str:
    for pattern, template in patterns:
        found = pattern.fullmatch(text)
        if found is not None:
            return _filled(found, template, patterns)
    clauses = text.split("; ")
    if len(clauses) == 1:
        return text
    told = [_chinese(clause, patterns) for clause in clauses]
    return text if told == clauses else "；".join(told)


def _filled(found: re.Match[str], template: str, patterns: _Patterns) -> str:
    """`template` with the parts of `found`, each translated if it is a sentence itself."""
    parts = {
        f"\\{number}": _chinese(part, patterns) for number, part in enumerate(found.groups(), 1)
    }
    return re.sub(r"\\\d", lambda place: parts[place.group()], template)
