"""What is said to whoever takes up a run, or closes the window on it, in both languages."""

from msgspec import Struct

from timellm_ops.cli.options import Language


class WatchingTexts(Struct, frozen=True, kw_only=True):
    """A field a text. `{run}` is an id."""

    ended: str
    all_of_it: str
    goes_on: str
    alone: str
    imported: str
    never_began: str
    detached: str
    adopted: str
    """By a new supervisor, as somebody comes to look."""
    adopted_meanwhile: str
    """By a new supervisor, while somebody looks."""


_EN = WatchingTexts(
    ended="{run} {phase}: {reason}",
    all_of_it="all of it is in {folder}",
    goes_on="{run} goes on without this window; watch it again: timellm-ops attach {run}",
    alone=(
        "nobody supervises {run}: no rule watches its GPU, and it is not stopped; "
        "take it up again: timellm-ops attach {run}"
    ),
    imported="{run} is the record of an imported training: no engine runs",
    never_began="{run} never began: nothing is on record of it",
    detached="running on its own; watch it: timellm-ops attach {run}",
    adopted="{run} had no supervisor; a new one has taken over",
    adopted_meanwhile="the supervisor was gone; a new one has taken over",
)

_ZH = WatchingTexts(
    ended="{run} {phase}：{reason}",
    all_of_it="全部内容在 {folder}",
    goes_on="窗口已关闭，{run} 继续运行；再次查看：timellm-ops attach {run}",
    alone=(
        "{run} 没有监管进程，没有规则监视它的 GPU，它也没有被停止；"
        "重新接管：timellm-ops attach {run}"
    ),
    imported="{run} 是导入的训练记录：没有引擎在运行",
    never_began="{run} 从未开始：没有任何记录",
    detached="已在后台独立运行；查看：timellm-ops attach {run}",
    adopted="{run} 没有监管进程；新的监管进程已接管",
    adopted_meanwhile="监管进程已不在；新的监管进程已接管",
)


def watching_texts(lang: Language) -> WatchingTexts:
    """The texts in `lang`. The English ones are ASCII."""
    return _ZH if lang == "zh" else _EN
