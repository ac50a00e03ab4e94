"""What can be done on the runs screen alone."""

from timellm_dashboard.actions.action import Action, Said

RUNS_ACTIONS: tuple[Action, ...] = (
    Action(
        id="runs_open",
        keys=("enter",),
        shown_keys="Enter",
        label=Said("open", "打开"),
        help=Said(
            "look at the chosen run on all screens; the run that was shown goes on",
            "在所有画面中查看所选的运行；原来显示的运行照常继续",
        ),
        on="runs",
    ),
    Action(
        id="runs_mark",
        keys=("x", "space"),
        shown_keys="x",
        label=Said("mark", "标记"),
        help=Said(
            "mark the chosen run, to compare it",
            "标记所选的运行，用于对比",
        ),
        also=Said("the space bar does the same", "空格键相同"),
        on="runs",
    ),
    Action(
        id="runs_compare",
        keys=("c",),
        shown_keys="c",
        label=Said("compare", "对比"),
        help=Said(
            "the marked runs side by side: config, results, loss; with one mark or none, the chosen"
            " run and the shown one",
            "并排对比标记的运行：配置、结果、损失；标记不足两个时，对比所选的与当前显示的运行",
        ),
        on="runs",
    ),
    Action(
        id="runs_filter",
        keys=("slash",),
        shown_keys="/",
        label=Said("filter", "过滤"),
        help=Said(
            "show only runs with words, results or keys of their configs: etth1 state=failed"
            " train.batch_size=4|8 mse<0.4, where | is or; empty shows all again",
            "只显示符合的运行，按词、结果或配置中的键：etth1 state=failed train.batch_size=4|8"
            " mse<0.4，其中 | 表示或；留空则全部显示",
        ),
        types=True,
        on="runs",
    ),
    Action(
        id="runs_back",
        keys=("escape",),
        shown_keys="Esc",
        label=Said("list", "列表"),
        help=Said(
            "from the comparison back to the list; in the list, show all runs again",
            "从对比回到列表；在列表中，重新显示全部运行",
        ),
        in_footer=False,
        on="runs",
    ),
    Action(
        id="runs_sort",
        keys=("greater_than_sign",),
        shown_keys=">",
        label=Said("sort", "排序"),
        help=Said("sort by the next column", "按下一列排序"),
        in_footer=False,
        on="runs",
    ),
    Action(
        id="runs_sort_back",
        keys=("less_than_sign",),
        shown_keys="<",
        label=Said("sort by the column before", "按上一列排序"),
        help=Said("sort by the column before", "按上一列排序"),
        in_footer=False,
        in_palette=False,
        on="runs",
    ),
    Action(
        id="runs_reverse",
        keys=("r",),
        shown_keys="r",
        label=Said("reverse", "倒序"),
        help=Said("sort the other way round", "反过来排序"),
        in_footer=False,
        on="runs",
    ),
)
