"""What every number on the screen means, in English and Chinese, with the run's own value."""

from collections.abc import Callable

from msgspec import Struct

from timellm_dashboard.actions import Said
from timellm_dashboard.view import View


class Explanation(Struct, frozen=True, kw_only=True):
    """A passage of the help. `now` is what the run shows for it at this moment."""

    id: str
    title: Said
    body: Said
    now: Callable[[View], str] = lambda _: ""
    covers: tuple[str, ...] = ()
    """Fields of the view that it explains, by their paths: `gpu.power`, or `results` for all."""


EXPLANATIONS: tuple[Explanation, ...] = (
    Explanation(
        id="state",
        covers=("headline", "outcome", "held_by_user", "held_by_rules", "read_only"),
        title=Said("State", "状态"),
        body=Said(
            "The first line: a word, a sign, and the reason. TRAINING and EVALUATING go on by"
            " themselves. PAUSED stands still between two steps and loses nothing. UNSUPERVISED:"
            " the engine may still run, but nobody watches its temperature; the command beside it"
            " starts a new supervisor, which takes over the running engine.",
            "第一行：一个词、一个符号和原因。训练中、评估中会自行继续。已暂停是停在两步之间，"
            "不会丢失任何东西。无人监管：引擎可能仍在运行，但没有人看着温度；"
            "旁边的命令会启动新的监管进程，接管正在运行的引擎。",
        ),
        now=lambda view: view.headline.line,
    ),
    Explanation(
        id="loss",
        covers=(
            "loss.raw",
            "loss.smoothed",
            "loss.absent",
            "loss.unit",
            "loss.title",
            "loss.grad_norm",
        ),
        title=Said("Loss", "损失"),
        body=Said(
            "What training makes small; the chart names it. Mostly the mean squared error (MSE)"
            " between forecast and truth (Huber or MAE count large errors for less), on scaled"
            " data: every column has mean 0 and standard deviation 1, so it has no unit. Always"
            " forecasting the mean would give about 1, so more than 1 is normal in the first steps"
            " and in hard batches."
            " One batch says little: it jumps because batches differ. Watch the smoothed value, and"
            " the epoch's mean in the table.",
            "训练要减小的量，曲线标题写着是哪一种。通常是预测与真实值之间的均方误差（MSE）"
            "（Huber 和 MAE 对大误差计得较轻），在标准化数据上计算：每一列均值为 0、标准差为 1，"
            "所以没有单位。总是预测均值大约得到 1，因此最初几步或较难的批次大于 1 是正常的。"
            "单个批次说明不了什么：批次不同，损失就会跳动。请看平滑值，以及表中每轮的均值。",
        ),
        now=lambda view: f"{view.loss.raw.text} ({view.words.smoothed} {view.loss.smoothed.text})",
    ),
    Explanation(
        id="chart",
        covers=("charts.loss", "charts.smoothed_loss", "charts.epochs"),
        title=Said("Loss chart", "损失曲线"),
        body=Said(
            "Faint: the batches, from lowest to highest where many fall into one column. Strong:"
            " their exponential mean. Ticks on the lower edge are ends of epochs. A batch far"
            " outside of the frame is drawn at its edge.",
            "浅色：各批次的损失，一列里有很多时画出最低到最高。深色：它们的指数平均。"
            "下边的刻度是每轮的结束。远超画面范围的批次画在边上。",
        ),
    ),
    Explanation(
        id="epochs",
        covers=("results",),
        title=Said("Epoch table", "各轮结果"),
        body=Said(
            "After each epoch: train is the mean loss over its steps; vali and test are the MSE"
            " over all windows of those splits, MAE the mean absolute error on test (the average"
            " miss, less swayed by a few large ones). Validation decides what is best and when to"
            " stop early; test decides nothing, it only reports.",
            "每轮结束后：训练是这一轮各步的平均损失；验证和测试是对应数据集全部窗口上的 MSE，"
            "MAE 是测试集上的平均绝对误差（平均偏差，不易被少数大误差左右）。"
            "验证决定哪一轮最佳、何时提前停止；测试不参与任何决定，只作报告。",
        ),
        now=lambda view: view.results.patience.text,
    ),
    Explanation(
        id="lr",
        covers=("loss.lr",),
        title=Said("Learning rate", "学习率"),
        body=Said(
            "How far one step moves the weights. It follows the schedule of the config and is not"
            " a sign of health by itself.",
            "每一步移动权重的幅度。它按配置里的计划变化，本身并不说明好坏。",
        ),
        now=lambda view: view.loss.lr.text,
    ),
    Explanation(
        id="speed",
        covers=("progress.speed",),
        title=Said("Speed", "速度"),
        body=Said(
            "Seconds for one step (one batch), measured by the journal's clock: pacing counts,"
            " pauses and evaluation do not.",
            "一步（一个批次）所用的秒数，按运行日志的时钟测得：含节奏控制，不含暂停和评估。",
        ),
        now=lambda view: view.progress.speed.text,
    ),
    Explanation(
        id="left",
        covers=("left",),
        title=Said("Time left", "剩余时间"),
        body=Said(
            "Steps left × measured seconds per step, plus the evaluations to come once one was"
            " measured, stretched by the share of time that rules have paused the run lately. Where"
            " it cannot be known there is no number but the reason. Early stopping may end the run"
            " sooner.",
            "剩余步数 × 实测每步秒数，加上还要做的评估（测得一次之后才计入），"
            "再按近来规则暂停所占的比例放大。无法得知时不给数字，只说明原因。提前停止可能使运行更"
            "早结束。",
        ),
        now=lambda view: view.left.text,
    ),
    Explanation(
        id="temperature",
        covers=(
            "gpu.temperature",
            "gpu.peak",
            "gpu.marks",
            "gpu.heat",
            "gpu.heat_word",
            "charts.temperature",
            "charts.recent_temperature",
        ),
        title=Said("Temperature", "温度"),
        body=Said(
            "Of the GPU, against its limits on the bar. cool: below the point where a pause ends;"
            " hot: above the point where one begins; warm: between them. Laptop cards are built to"
            " run for hours at 70 to 85 °C; near its own limit a card slows itself down.",
            "GPU 的温度，横条上标出各个界限。凉爽：低于暂停结束的温度；过热：高于暂停开始的温度；"
            "偏热：在两者之间。笔记本显卡可以长时间运行在 70 到 85 °C；"
            "接近自身界限时显卡会自行降频。",
        ),
        now=lambda view: f"{view.gpu.temperature.text} {view.gpu.heat_word}".strip(),
    ),
    Explanation(
        id="pause",
        covers=("progress.paused", "progress.pauses"),
        title=Said("Pause", "暂停"),
        body=Said(
            "A rule pauses the engine when enough of the last readings are above the limit, and"
            " resumes it when they are below the lower one, but not before the pause has lasted for"
            " policy.thermal.min_dwell_s. In between nothing is changed. Nobody knows how warm an"
            " unreadable GPU is, so after a while that pauses too. p pauses by hand, and only a"
            " hand lifts that.",
            "最近的读数中有足够多次高于上限时，规则会暂停引擎；都低于下限、"
            "且暂停已满 policy.thermal.min_dwell_s 时恢复。两者之间不作改变。"
            "读不到温度就无法知道多热，一段时间后也会暂停。按 p 是手动暂停，只能手动解除。",
        ),
        now=lambda view: view.progress.paused.text,
    ),
    Explanation(
        id="memory",
        covers=("gpu.memory", "gpu.memory_share"),
        title=Said("VRAM", "显存"),
        body=Said(
            "Memory used on the GPU by all programs, in MiB as nvidia-smi tells it. A high share is"
            " normal on a small card and does it no harm.",
            "GPU 上所有程序占用的显存，单位 MiB，与 nvidia-smi 相同。"
            "小显存的卡占用比例高是正常的，没有害处。",
        ),
        now=lambda view: view.gpu.memory.text,
    ),
    Explanation(
        id="power",
        covers=("gpu.power", "gpu.clock", "gpu.load", "charts.power"),
        title=Said("Power, load, clock", "功耗、利用率、频率"),
        body=Said(
            "What the card draws of what it may draw, how much of the time it works, and how fast"
            " it ticks. A load of 0 % while paused is right.",
            "显卡的实际功耗与上限、工作时间所占比例，以及运行频率。暂停时利用率为 0 % 是对的。",
        ),
        now=lambda view: f"{view.gpu.power.text}, {view.gpu.load.text}, {view.gpu.clock.text}",
    ),
    Explanation(
        id="throttle",
        covers=("gpu.throttle", "gpu.throttle_reasons"),
        title=Said("Slowed by", "降频原因"),
        body=Said(
            "What holds the card's clock back by its own account. sw power cap: the power limit,"
            " harmless. sw or hw thermal slowdown: too hot, and slower for it; better cooling or a"
            " lower pause limit wins time.",
            "显卡自己报告的降频原因。sw power cap：功耗上限，无害。sw / hw thermal slowdown："
            "过热而变慢；改善散热或降低暂停温度反而更省时间。",
        ),
        now=lambda view: view.gpu.throttle,
    ),
    Explanation(
        id="unknown",
        covers=(
            "gpu.telemetry",
            "gpu.source",
            "gpu.simulated",
            "gpu.title",
            "gpu.message",
            "gpu.age_s",
        ),
        title=Said("unknown", "未知"),
        body=Said(
            "The card or its driver does not tell this number (WSL2 and laptops miss some). It is"
            " never shown as 0. simulated: the numbers come from a model, not from a card.",
            "显卡或驱动不提供这个数字（WSL2 和笔记本常缺一些）。绝不会显示成 0。"
            "模拟：数字来自模型，不是真实的显卡。",
        ),
    ),
    Explanation(
        id="safe",
        covers=("checkpoints.safe", "checkpoints.at_risk"),
        title=Said("Safe to stop", "可以安全停止"),
        body=Said(
            "Whether a power cut at this very moment would cost anything. yes: everything trained"
            " so far is in a checkpoint that is written, synced and hashed. no: so many steps would"
            " have to be repeated. Stopping with s, or timellm-ops stop, saves first and costs"
            " nothing either way.",
            "此刻断电是否会丢失什么。是：到目前为止的训练都在已写入、已同步、已校验的检查点里。"
            "否：有这么多步需要重做。按 s 或用 timellm-ops stop 停止会先保存，无论如何都不丢失。",
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
            " A step is one batch. While an epoch is evaluated, its bar counts windows.",
            "两条横条：本轮的步数，以及不提前停止时整个运行的步数。一步是一个批次。"
            "评估时，本轮的横条改为计窗口数。",
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
    Explanation(
        id="energy",
        covers=("gpu.energy",),
        title=Said("Energy", "耗电"),
        body=Said(
            "What the card has used since this run was first looked at, by its own meter. The rest"
            " of the machine is not in it.",
            "从开始观察此运行起，显卡自身计量的用电量。不含机器的其他部分。",
        ),
        now=lambda view: view.gpu.energy.text,
    ),
    Explanation(
        id="processes",
        covers=("gpu.processes",),
        title=Said("On the GPU", "显卡上的程序"),
        body=Said(
            "Programs that hold memory on the card, and how much, where the driver tells it. Every"
            " one but the engine makes training slower or may take the memory that it needs.",
            "占用显存的程序及其用量（驱动肯说的话）。除引擎以外，每一个都会拖慢训练，或占走它需要"
            "的显存。",
        ),
        now=lambda view: view.gpu.processes,
    ),
    Explanation(
        id="host",
        covers=("host",),
        title=Said("Machine", "机器"),
        body=Said(
            "The machine around the card: how busy its processors are, memory and disk that are"
            " free, and the battery. A full disk holds the run before a checkpoint would fail.",
            "显卡之外的机器：处理器的忙碌程度、可用的内存和磁盘，以及电池。磁盘将满时，"
            "运行会在检查点失败之前停住。",
        ),
        now=lambda view: view.host.text,
    ),
    Explanation(
        id="events",
        covers=("feed", "feed_left_out"),
        title=Said("Events", "事件"),
        body=Said(
            "What has happened, newest last; arrows and page keys go back. All of it is in the"
            " journal of the run's folder, with more than is shown here.",
            "发生过的事，最新的在最后；方向键和翻页键可往回看。全部都在运行文件夹的日志里，比这里"
            "更详细。",
        ),
    ),
    Explanation(
        id="report",
        title=Said("Report", "报告"),
        body=Said(
            "Screen 6: what is left of the run when it ends, and what there is of it so far:"
            " results,"
            " pauses by rule, heat, checkpoints, what to do next. w writes it as a page with"
            " plots.",
            "画面 6：运行结束后留下的，或目前已有的：成绩、各规则的暂停、温度、检查点、接下来做什"
            "么。"
            "按 w 写成带图的网页。",
        ),
    ),
    Explanation(
        id="leave",
        title=Said("Leaving", "离开"),
        body=Said(
            "The dashboard only looks. Closing it, or the terminal, never touches the run:"
            " timellm-ops attach brings it back, as often as you like.",
            "面板只是观看。关闭面板或终端都不会影响运行：timellm-ops attach 可以随时再次打开。",
        ),
    ),
    Explanation(
        id="timeline",
        title=Said("Timeline", "时间线"),
        body=Said(
            "Everything on one time axis. The axis is time under supervision: a night in which"
            " nobody supervised the run has no width, but the clock times below are right. Where"
            " something is not known there is a gap and no line. The cursor reads all tracks: what"
            " lies in its cell, lowest to highest. pace is the share of the time in which the"
            " engine computes, 0 while it stands. The row of marks has what was done or happened:"
            " pauses, paces, power limits, checkpoints, ends of epochs, notes, requests, engines"
            " that ended, supervisors that came. Of a long run, a stretch of a few"
            " seconds is the finest that is kept.",
            "所有内容在同一条时间轴上。时间轴只计有监管的时间：无人监管的一夜没有宽度，"
            "但下方的钟点是对的。未知之处是空白，不画线。光标读出各条曲线：它所在那一格中的最低到最高值。"
            "节奏是引擎计算时间所占的比例，停住时为 0。标记一行是所做的事：暂停、继续、"
            "设定节奏或功率上限、保存检查点、一轮结束、提示、请求、引擎结束、监管进程的开始和结束。"
            "对很长的运行，最细只保留几秒一段。",
        ),
    ),
    Explanation(
        id="rules",
        title=Said("Rules", "规则"),
        body=Said(
            "Each rule of the config, how it stands, what it sees now, where its threshold is, and"
            " what it would do next. watching: it does nothing at the moment. holding: the run"
            " stands still because of it; the lines above say why and until when. overridden: a"
            " person has said that it may not hold the run for a while (o); it may still stop it."
            " unknown: what it watches cannot be told. A threshold that is changed here (e) counts"
            " for the rest of this run, also when it is stopped and resumed, and is in the journal"
            " with who changed it; the config file stays as it was.",
            "配置里的每条规则：它的状态、当前看到的值、界限，以及下一步会做什么。观察中：目前什么也不做。"
            "暂停中：运行因它而停住，上方写明原因和到什么时候。"
            "已搁置：有人让它在一段时间内不得暂停运行（o 键），但它仍可以停止运行。"
            "未知：它所看的东西读不到。"
            "在这里改动的界限（e 键）对这次运行的剩余部分有效，"
            "停止后恢复也有效，并连同改动者记入运行日志；配置文件不变。",
        ),
        now=lambda view: view.rules.note,
        covers=("rules",),
    ),
    Explanation(
        id="log",
        title=Said("Log", "日志"),
        body=Said(
            "What the engine itself has printed, in the published format: iters and loss every so"
            " many steps, speed and left time by the published formula (seconds of the last step"
            " times the steps left, without evaluations and pauses; the time left on the overview"
            " knows of both), one line an epoch, Saving model, and a traceback if it failed.",
            "引擎自己的输出，沿用已发表代码的格式：每隔若干步一行 iters 和 loss；"
            "speed 和 left time 按原公式计算"
            "（最近一步的秒数乘以剩余步数，不含评估和暂停；总览上的剩余时间两者都算）；"
            "每轮一行结果；Saving model；失败时有 traceback。",
        ),
    ),
    Explanation(
        id="runs",
        title=Said("Runs and comparisons", "各次运行与对比"),
        body=Said(
            "All runs of the folder, with the best validation loss and the test errors of those"
            " weights. Runs that are marked (x) can be compared (c): the keys of their configs that"
            " differ, results beside each other, losses over steps. Errors are only compared where"
            " the task is the same: data, lengths and split. One run each is one seed each: a small"
            " difference between them is no proof that one config is better.",
            "文件夹里的所有运行，附最佳验证损失和这些权重的测试误差。"
            "标记（x 键）几次运行后可以对比（c 键）：配置中不同的项、并排的结果、按步的损失。"
            "只有任务相同（数据、长度和划分）才比较误差。"
            "各跑一次就是各用一个种子：差别很小时，不能证明哪个配置更好。",
        ),
    ),
    Explanation(
        id="ledger",
        title=Said("Lost time", "损失的时间"),
        body=Said(
            "Time that heat, power limits, pace and pauses took, by cause. lasted: how long the"
            " cause was there. lost: what it cost. A pause costs all of its time, a pace of 80 % a"
            " fifth of it. For a card that slows itself down, steps made while most of the time was"
            " slowed are compared with the median of steps made at full speed; without such steps"
            " the cost is unknown, not 0. steps: how many would have fitted into the time lost."
            " share: of the supervised time. of time left: the last hour's losses, carried on for"
            " as long as the run still takes.",
            "过热、功率上限、节奏和暂停所占去的时间，按原因列出。持续：该原因存在了多久。损失：它的代价。"
            "暂停的代价是全部时间；80 % 的节奏代价是五分之一。显卡自行降频时，"
            "把大部分时间都在降频的那些步与全速各步的中位数相比；"
            "没有全速的步可比时，代价是未知，而不是 0。"
            "步数：损失的时间里本可完成多少步。占比：占有监管时间的比例。"
            "占剩余时间：按最近一小时的损失，推算到运行结束。",
        ),
        covers=("ledger",),
        now=lambda view: view.ledger.line,
    ),
)

_PARTS = {
    "loss": "loss",
    "gpu": "temperature",
    "epochs": "epochs",
    "checkpoints": "safe",
    "progress": "progress",
    "report": "report",
    "timeline": "timeline",
    "log": "log",
    "policies": "rules",
    "runs": "runs",
}
"""What the help begins with for whoever asks in front of a panel, by its id, and what comes first
in it on a screen. The feed has the focus by itself: there the help begins at the top."""


def part_of(panel_id: str) -> str:
    """The explanation that the help begins with when that panel has the focus; empty: the top."""
    return _PARTS.get(panel_id, "")


def explained(path: str) -> Explanation | None:
    """What explains the field of the view at `path`, such as `gpu.power.text`."""
    for explanation in EXPLANATIONS:
        if any(path == own or path.startswith(f"{own}.") for own in explanation.covers):
            return explanation
    return None
