"""Going from screen to screen."""

from timellm_dashboard.actions.action import Action, Said, ScreenId

_SCREENS: tuple[tuple[ScreenId, Said, Said], ...] = (
    (
        "overview",
        Said("overview", "总览"),
        Said("how the run is: state, progress, results, GPU", "运行状况：状态、进度、结果、GPU"),
    ),
    (
        "timeline",
        Said("timeline", "时间线"),
        Said(
            "loss, temperature, power and what was done about them, on one time axis",
            "同一条时间轴上的损失、温度、功耗和所做的处理",
        ),
    ),
    (
        "log",
        Said("log", "日志"),
        Said("what the engine has printed, to search and filter", "引擎的输出，可搜索和过滤"),
    ),
    (
        "policies",
        Said("policies", "规则"),
        Said(
            "each rule, its value now and its threshold, to be changed under the run",
            "每条规则的当前值和界限，可在运行中修改",
        ),
    ),
    (
        "runs",
        Said("runs", "运行"),
        Said("all runs, and two beside each other", "所有运行，并可对比"),
    ),
    (
        "report",
        Said("report", "报告"),
        Said("what is left of the run: results, pauses, losses", "这次运行的结果、暂停和损失"),
    ),
)

SCREEN_ACTIONS: tuple[Action, ...] = tuple(
    Action(
        id=f"go_{screen}",
        keys=(str(number),),
        shown_keys=str(number),
        label=label,
        help=help_,
        in_footer=False,
        goes_to=screen,
    )
    for number, (screen, label, help_) in enumerate(_SCREENS, 1)
)
SCREEN_ORDER: tuple[ScreenId, ...] = tuple(screen for screen, _, _ in _SCREENS)
