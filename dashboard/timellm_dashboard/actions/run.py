"""What can be done on every screen: with the run, and with the dashboard itself."""

from typing import Literal, get_args

from timellm_dashboard.actions.action import Action, Said

RunActionId = Literal[
    "pause",
    "stop",
    "stop_now",
    "override",
    "supervise",
    "leave",
    "help",
    "language",
    "palette",
    "theme",
    "next_screen",
    "previous_screen",
    "ctrl_c",
]

RUN_ACTIONS: tuple[Action, ...] = (
    Action(
        id="pause",
        only="live",
        changes_run=True,
        needs_supervisor=True,
        keys=("p",),
        shown_keys="p",
        label=Said("pause", "暂停"),
        other_label=Said("resume", "恢复"),
        help=Said(
            "hold the engine between two steps, or let it go on; nothing is lost",
            "在两步之间停住引擎，或让它继续；不会丢失任何东西",
        ),
    ),
    Action(
        id="stop",
        only="live",
        changes_run=True,
        needs_supervisor=True,
        keys=("s",),
        shown_keys="s",
        label=Said("stop after save", "保存后停止"),
        help=Said(
            "go on to the next checkpoint, wait until it is on disk, then stop; nothing is lost",
            "继续到下一个检查点，等它落盘后停止；不会丢失任何东西",
        ),
    ),
    Action(
        id="stop_now",
        only="live",
        changes_run=True,
        needs_supervisor=True,
        keys=("S",),
        shown_keys="S",
        label=Said("stop now", "立即停止"),
        help=Said(
            "our own engine saves at its next step and ends, a script just ends; killed if it takes"
            " too long; asks first",
            "我们自己的引擎在下一步保存并结束，脚本则直接结束；太久则强制结束；会先询问",
        ),
        asks=True,
    ),
    Action(
        id="override",
        only="live",
        changes_run=True,
        needs_supervisor=True,
        keys=("o",),
        shown_keys="o",
        label=Said("go on against rules", "不理会规则"),
        help=Said(
            "let a run go on that a rule has paused, for 30 minutes; asks first",
            "让被规则暂停的运行继续 30 分钟；会先询问",
        ),
        asks=True,
    ),
    Action(
        id="supervise",
        only="live",
        changes_run=True,
        keys=("a",),
        shown_keys="a",
        label=Said("supervise again", "恢复监管"),
        help=Said(
            "start a supervisor for a run that has lost its own: it takes over the running engine,"
            " or tells how it ended; `timellm-ops attach` does the same",
            "为失去监管进程的运行启动一个：接管正在运行的引擎，或说明它如何结束；"
            "`timellm-ops attach` 相同",
        ),
    ),
    Action(
        id="leave",
        keys=("q", "d"),
        shown_keys="q",
        label=Said("leave", "离开"),
        help=Said(
            "close the dashboard; a run that is under way goes on, and `timellm-ops attach` brings"
            " the dashboard back",
            "关闭仪表盘；进行中的运行会继续，`timellm-ops attach` 可再次打开它",
        ),
        also=Said("d does the same", "d 键相同"),
    ),
    Action(
        id="help",
        keys=("question_mark",),
        shown_keys="?",
        label=Said("help", "帮助"),
        help=Said("explain the keys and every number on the screen", "解释按键和屏幕上的每个数字"),
    ),
    Action(
        id="language",
        keys=("l",),
        shown_keys="l",
        label=Said("中文", "English"),
        help=Said("switch to Chinese", "切换到英文"),
    ),
    Action(
        id="palette",
        keys=("ctrl+p",),
        shown_keys="^p",
        label=Said("commands", "命令"),
        help=Said("search all commands by name", "按名称搜索所有命令"),
        in_footer=False,
        in_palette=False,
        binding="command_palette",
    ),
    Action(
        id="theme",
        keys=("t",),
        shown_keys="t",
        label=Said("light or dark", "浅色或深色"),
        help=Said("switch between the dark and the light theme", "在深色和浅色主题之间切换"),
        in_footer=False,
    ),
    Action(
        id="next_screen",
        keys=("right_square_bracket",),
        shown_keys="1-6",
        label=Said("screens", "画面"),
        help=Said(
            "go to a screen by its number; <next_screen> goes to the next one",
            "按数字切换画面；<next_screen> 到下一个",
        ),
        in_palette=False,
    ),
    Action(
        id="previous_screen",
        keys=("left_square_bracket",),
        shown_keys="[",
        label=Said("screen before", "上一个画面"),
        help=Said("go back to the screen before", "回到上一个画面"),
        in_footer=False,
        in_palette=False,
    ),
    Action(
        id="ctrl_c",
        keys=("ctrl+c",),
        shown_keys="^c",
        label=Said("how to leave", "如何离开"),
        help=Said(
            "touches nothing: says how to leave and how to stop the run",
            "什么都不做：只提示如何离开、如何停止运行",
        ),
        in_footer=False,
        in_palette=False,
        binding="help_quit",
    ),
)

assert {found.id for found in RUN_ACTIONS} == set(get_args(RunActionId))  # noqa: S101
