"""What can be done in a replay, on every screen, instead of steering a run."""

from typing import Literal, get_args

from timellm_dashboard.actions.action import Action, Said

ReplayActionId = Literal[
    "replay_hold",
    "replay_goto",
    "replay_slower",
    "replay_faster",
    "replay_back",
    "replay_on",
    "replay_far_back",
    "replay_far_on",
    "replay_begin",
    "replay_end",
]

_KEYS: tuple[tuple[ReplayActionId, str, str, Said, Said, bool], ...] = (
    (
        "replay_hold",
        "space",
        "space",
        Said("hold", "停住"),
        Said("hold the replay, or let it go on", "停住回放，或让它继续"),
        True,
    ),
    (
        "replay_goto",
        "g,G",
        "g",
        Said("go to", "跳转"),
        Said(
            "go to 2:30:00 from the start, 14:05 by the clock, epoch 3, step 1200 or 50%; on the"
            " log screen, where <log_goto> goes to a line, with G",
            "跳到 2:30:00（从开始算）、14:05（钟点）、第 3 轮、第 1200 步或 50%；日志画面上"
            " <log_goto> 跳到某一行，这里用 G",
        ),
        True,
    ),
    (
        "replay_slower",
        "less_than_sign",
        "<",
        Said("slower", "更慢"),
        Said("replay more slowly, down to the run's own speed", "放慢回放，直到运行本来的速度"),
        True,
    ),
    (
        "replay_faster",
        "greater_than_sign",
        ">",
        Said("faster", "更快"),
        Said("replay faster, up to an hour a second", "加快回放，最快每秒一小时"),
        True,
    ),
    (
        "replay_back",
        "left",
        "←",
        Said("-1 min", "-1 分"),
        Said("go back by a minute of the run", "后退运行的一分钟"),
        True,
    ),
    (
        "replay_on",
        "right",
        "→",
        Said("+1 min", "+1 分"),
        Said("go on by a minute of the run", "前进运行的一分钟"),
        True,
    ),
    (
        "replay_far_back",
        "shift+left",
        "⇧←",
        Said("-10 min", "-10 分"),
        Said("go back by ten minutes of the run", "后退运行的十分钟"),
        False,
    ),
    (
        "replay_far_on",
        "shift+right",
        "⇧→",
        Said("+10 min", "+10 分"),
        Said("go on by ten minutes of the run", "前进运行的十分钟"),
        False,
    ),
    (
        "replay_begin",
        "home",
        "home",
        Said("to the beginning", "到开头"),
        Said("go to the beginning of the run", "到运行的开头"),
        False,
    ),
    (
        "replay_end",
        "end",
        "end",
        Said("to the end", "到结尾"),
        Said("go to the end of the run", "到运行的结尾"),
        False,
    ),
)

REPLAY_ACTIONS: tuple[Action, ...] = tuple(
    Action(
        id=action_id,
        keys=tuple(keys.split(",")),
        shown_keys=shown,
        label=label,
        help=help_,
        in_footer=footer,
        only="replay",
        types=action_id == "replay_goto",
    )
    for action_id, keys, shown, label, help_, footer in _KEYS
)

assert {found.id for found in REPLAY_ACTIONS} == set(get_args(ReplayActionId))  # noqa: S101
