"""What can be done on the log screen alone."""

from typing import Literal, get_args

from timellm_dashboard.actions.action import Action, Said

LogActionId = Literal[
    "log_search",
    "log_filter",
    "log_goto",
    "log_timeline",
    "log_times",
    "log_follow",
    "log_copy",
    "log_mark",
    "log_next",
    "log_previous",
    "log_wrap",
    "log_cancel",
]

LOG_ACTIONS: tuple[Action, ...] = (
    Action(
        id="log_search",
        keys=("slash",),
        shown_keys="/",
        label=Said("search", "搜索"),
        help=Said(
            "find the next line with a text, or after re: with a regular expression; <log_next>"
            " and <log_previous> go on",
            "查找含某文本的下一行，re: 后为正则表达式；<log_next> 和 <log_previous> 继续查找",
        ),
        types=True,
        on="log",
    ),
    Action(
        id="log_filter",
        keys=("ampersand",),
        shown_keys="&",
        label=Said("filter", "过滤"),
        help=Said(
            "show only the lines with a text or a regular expression; empty shows all again",
            "只显示含某文本或正则表达式的行；留空则全部显示",
        ),
        types=True,
        on="log",
    ),
    Action(
        id="log_goto",
        keys=("g",),
        shown_keys="g",
        label=Said("go to", "跳转"),
        help=Said(
            "go to a time such as 02:13, a step such as -30m, a line such as 12345, or 50%",
            "跳到时刻（如 02:13）、一段时间之前或之后（如 -30m）、某一行（如 12345）或 50%",
        ),
        types=True,
        on="log",
    ),
    Action(
        id="log_timeline",
        keys=("enter",),
        shown_keys="Enter",
        label=Said("timeline", "时间线"),
        help=Said(
            "the timeline at the moment when the line of the cursor was printed",
            "在时间线上查看光标所在行输出的时刻",
        ),
        in_footer=False,
        on="log",
    ),
    Action(
        id="log_times",
        keys=("T",),
        shown_keys="T",
        label=Said("times", "时刻"),
        help=Said(
            "a column with the time of every line, as far as it is known; <log_times> again hides"
            " it",
            "显示各行输出的时刻（已知的部分）；再按 <log_times> 隐藏",
        ),
        in_footer=False,
        on="log",
    ),
    Action(
        id="log_follow",
        keys=("f",),
        shown_keys="f",
        label=Said("follow", "跟随"),
        help=Said(
            "go to the last line and stay there as more come (End does the same)",
            "跳到最后一行并跟随新的输出（End 键相同）",
        ),
        in_footer=False,
        on="log",
    ),
    Action(
        id="log_copy",
        keys=("c",),
        shown_keys="c",
        label=Said("copy", "复制"),
        help=Said(
            "send the line at the cursor, or the marked lines, to the terminal's clipboard; works"
            " over SSH, and in tmux with set-clipboard on",
            "把光标所在行或已标记的行发送到终端剪贴板；可经 SSH 使用，tmux 需开启 set-clipboard",
        ),
        in_footer=False,
        on="log",
    ),
    Action(
        id="log_mark",
        keys=("v",),
        shown_keys="v",
        label=Said("mark lines", "标记"),
        help=Said(
            "mark the lines from here to wherever the cursor goes; <log_mark> again unmarks them",
            "从这里开始标记到光标所到之处；再按 <log_mark> 取消标记",
        ),
        in_footer=False,
        on="log",
    ),
    Action(
        id="log_next",
        keys=("n",),
        shown_keys="n",
        label=Said("next match", "下一处"),
        help=Said("go to the next line that was searched for", "到下一个匹配的行"),
        in_footer=False,
        on="log",
    ),
    Action(
        id="log_previous",
        keys=("N",),
        shown_keys="N",
        label=Said("match before", "上一处"),
        help=Said("go to the line before that was searched for", "到上一个匹配的行"),
        in_footer=False,
        on="log",
    ),
    Action(
        id="log_wrap",
        keys=("w",),
        shown_keys="w",
        label=Said("wrap", "折行"),
        help=Said(
            "show long lines in several rows, or in one that the left and right keys move",
            "长行折成多行显示，或显示为一行并用左右键移动",
        ),
        in_footer=False,
        on="log",
    ),
    Action(
        id="log_cancel",
        keys=("escape",),
        shown_keys="Esc",
        label=Said("undo", "取消"),
        help=Said(
            "end a search under way; else unmark the lines; else show all lines again",
            "结束正在进行的搜索；否则取消标记；否则重新显示全部行",
        ),
        in_footer=False,
        in_palette=False,
        on="log",
    ),
)

assert {found.id for found in LOG_ACTIONS} == set(get_args(LogActionId))  # noqa: S101
