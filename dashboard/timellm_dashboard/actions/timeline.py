"""What can be done on the timeline screen alone."""

from typing import Literal, get_args

from timellm_dashboard.actions.action import Action, Said

TimelineActionId = Literal[
    "timeline_left",
    "timeline_right",
    "timeline_zoom_in",
    "timeline_zoom_out",
    "timeline_earlier",
    "timeline_later",
    "timeline_next_mark",
    "timeline_previous_mark",
    "timeline_whole",
    "timeline_now",
    "timeline_log",
]

TIMELINE_ACTIONS: tuple[Action, ...] = (
    Action(
        id="timeline_left",
        keys=("left", "comma"),
        shown_keys="←→",
        label=Said("cursor", "光标"),
        help=Said(
            "move the cursor through all tracks; a click sets it",
            "移动贯穿各条曲线的光标；也可用鼠标点击",
        ),
        also=Said(", and . do the same", ", 和 . 键相同"),
        needs_record=True,
        on="timeline",
    ),
    Action(
        id="timeline_right",
        keys=("right", "full_stop"),
        shown_keys="→",
        label=Said("cursor later", "光标向后"),
        help=Said(
            "move the cursor on; at the end it follows the present",
            "光标向后移动；到最右端时跟随现在",
        ),
        in_footer=False,
        needs_record=True,
        on="timeline",
    ),
    Action(
        id="timeline_zoom_in",
        keys=("plus", "equals_sign"),
        shown_keys="+-",
        label=Said("zoom", "缩放"),
        help=Said(
            "half as much of the run, around the cursor; the mouse wheel does it around the mouse",
            "以光标为中心，显示一半的时间；鼠标滚轮以鼠标所在处为中心",
        ),
        needs_record=True,
        on="timeline",
    ),
    Action(
        id="timeline_zoom_out",
        keys=("minus",),
        shown_keys="-",
        label=Said("zoom out", "缩小"),
        help=Said("twice as much of the run", "显示两倍的时间"),
        in_footer=False,
        needs_record=True,
        on="timeline",
    ),
    Action(
        id="timeline_next_mark",
        keys=("n",),
        shown_keys="n",
        label=Said("marks", "标记"),
        help=Said(
            "go to the next mark; <timeline_previous_mark> goes to the one before",
            "到下一个标记；<timeline_previous_mark> 到上一个",
        ),
        needs_record=True,
        on="timeline",
    ),
    Action(
        id="timeline_previous_mark",
        keys=("N",),
        shown_keys="N",
        label=Said("mark before", "上一个标记"),
        help=Said("go back to the mark before", "回到上一个标记"),
        in_footer=False,
        needs_record=True,
        on="timeline",
    ),
    Action(
        id="timeline_log",
        keys=("enter",),
        shown_keys="Enter",
        label=Said("log", "日志"),
        help=Said(
            "what the engine printed at the moment of the cursor",
            "查看光标所在时刻引擎的输出",
        ),
        needs_record=True,
        on="timeline",
    ),
    Action(
        id="timeline_now",
        keys=("f", "end"),
        shown_keys="f",
        label=Said("now", "现在"),
        help=Said("follow the present again", "重新跟随现在"),
        in_footer=False,
        needs_record=True,
        on="timeline",
    ),
    Action(
        id="timeline_whole",
        keys=("0", "home"),
        shown_keys="0",
        label=Said("whole run", "全程"),
        help=Said("show the whole run", "显示整个运行"),
        in_footer=False,
        needs_record=True,
        on="timeline",
    ),
    Action(
        id="timeline_earlier",
        keys=("shift+left", "less_than_sign"),
        shown_keys="<",
        label=Said("earlier", "更早"),
        help=Said(
            "half a window back in time",
            "向前移动半个窗口",
        ),
        also=Said("shift with an arrow does the same", "Shift 加方向键相同"),
        in_footer=False,
        needs_record=True,
        on="timeline",
    ),
    Action(
        id="timeline_later",
        keys=("shift+right", "greater_than_sign"),
        shown_keys=">",
        label=Said("later", "更晚"),
        help=Said("half a window on in time", "向后移动半个窗口"),
        in_footer=False,
        needs_record=True,
        on="timeline",
    ),
)

assert {found.id for found in TIMELINE_ACTIONS} == set(get_args(TimelineActionId))  # noqa: S101
