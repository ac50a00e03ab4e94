"""What is told of a run: whether it may be stopped, what is saved, how far it is."""

from timellm_dashboard.actions import Said
from timellm_dashboard.explain.passage import Explanation

RUN: tuple[Explanation, ...] = (
    Explanation(
        id="safe",
        covers=("checkpoints.safe", "checkpoints.at_risk", "checkpoints.no_room"),
        title=Said("Safe to stop", "可以安全停止"),
        body=Said(
            "Whether a power cut at this very moment would cost anything. yes: everything trained"
            " so far is in a checkpoint that is written, synced and hashed. no: so many steps"
            " would have to be repeated. Stopping with <stop>, or timellm-ops stop, saves first"
            " and costs nothing either way. So does <stop_now>, but an engine that does not come"
            " to its next step in time is killed, and then they are lost. A script cannot save"
            " itself: only <stop> waits for its checkpoint.",
            "此刻断电是否会丢失什么。是：到目前为止的训练都在已写入、已同步、已校验的检查点里。"
            "否：有这么多步需要重做。按 <stop> 或用 timellm-ops stop 停止会先保存，无论如何都不丢"
            "失。按 <stop_now> 也会先保存，但引擎若未能及时走到下一步就会被强制结束，这些步便丢"
            "失。脚本无法自己保存：只有 <stop> 会等它的检查点。",
        ),
        now=lambda view: view.checkpoints.safe.line,
    ),
    Explanation(
        id="checkpoints",
        covers=(
            "checkpoints.best",
            "checkpoints.last",
            "checkpoints.best_text",
            "checkpoints.last_text",
            "checkpoints.writing",
        ),
        title=Said("Checkpoints", "检查点"),
        body=Said(
            "best: the weights with the lowest validation loss, for forecasting. last: weights,"
            " optimiser and position, from which the run goes on exactly; saved every few minutes"
            " and before every stop. Both hold only what is trained: the language model is frozen"
            " and loaded anew. Nothing is ever overwritten before its successor is on disk.",
            "最佳：验证损失最低的权重，用于预测。最新：权重、优化器和位置，可以精确续训；"
            "每隔几分钟以及每次停止前保存。两者只含被训练的部分：语言模型是冻结的，会重新加载。"
            "新的检查点落盘之前，旧的绝不会被覆盖。",
        ),
        now=lambda view: view.checkpoints.last_text,
    ),
    Explanation(
        id="run",
        covers=("run",),
        title=Said("The run", "运行"),
        body=Said(
            "Below the state: the frozen language model and where it computes, how many windows it"
            " trains on (windows of one column, all columns together), and how many weights are"
            " trained. timellm-ops explain weights says where each of them is.",
            "状态下面一行：冻结的语言模型和它所在的设备，训练用的窗口数（每个窗口属于一列，所有列"
            "合计），"
            "以及被训练的权重数。timellm-ops explain weights 逐一说明它们在哪里。",
        ),
        now=lambda view: view.run.facts,
    ),
    Explanation(
        id="progress",
        covers=("progress.epoch", "progress.whole", "progress.evaluating"),
        title=Said("Progress", "进度"),
        body=Said(
            "Two bars: steps of this epoch, and steps of the whole run if it does not stop early."
            " A step is one batch. While an epoch is evaluated, the first bar is that of its"
            " validation or its test, and counts windows.",
            "两条横条：本轮的步数，以及不提前停止时整个运行的步数。一步是一个批次。"
            "评估时，第一条横条改为验证或测试的进度，计窗口数。",
        ),
        now=lambda view: f"{view.progress.epoch.label}, {view.progress.whole.text}",
    ),
    Explanation(
        id="elapsed",
        covers=("progress.elapsed", "at", "clock"),
        title=Said("Time so far", "已用时间"),
        body=Said(
            "Time under supervision since the run was first started, pauses included; what lay"
            " between a stop and a resume is not. At the right, the time of day.",
            "自首次启动以来受监管的时间，含暂停；停止与续训之间的时间不算。最右边是现在的钟点。",
        ),
        now=lambda view: view.progress.elapsed.text,
    ),
    Explanation(
        id="pace",
        covers=("progress.duty",),
        title=Said("Pace", "节奏"),
        body=Said(
            "The share of the time in which the engine computes. The governor lowers it before the"
            " card is hot: the engine rests a little between two steps, so that it need not be"
            " paused. 100 %: it does not rest.",
            "引擎用于计算的时间占比。调速规则在显卡变热之前就降低它：引擎在两步之间稍作休息，"
            "就不必暂停。100 %：不休息。",
        ),
        now=lambda view: f"{100 * view.progress.duty:.0f} %",
    ),
)
