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


EXPLANATIONS: tuple[Explanation, ...] = (
    Explanation(
        id="state",
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
        title=Said("Loss", "损失"),
        body=Said(
            "The mean squared error (MSE) between forecast and truth, on scaled data: every column"
            " has mean 0 and standard deviation 1, so it has no unit. Always forecasting the mean"
            " would give about 1, so more than 1 is normal in the first steps and in hard batches."
            " One batch says little: it jumps because batches differ. Watch the smoothed value, and"
            " the epoch's mean in the table.",
            "预测与真实值之间的均方误差（MSE），在标准化数据上计算：每一列均值为 0、标准差为 1，"
            "所以没有单位。总是预测均值大约得到 1，因此最初几步或较难的批次大于 1 是正常的。"
            "单个批次说明不了什么：批次不同，损失就会跳动。请看平滑值，以及表中每轮的均值。",
        ),
        now=lambda view: f"{view.loss.raw.text} ({view.words.smoothed} {view.loss.smoothed.text})",
    ),
    Explanation(
        id="chart",
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
        title=Said("Time left", "剩余时间"),
        body=Said(
            "Steps left × measured seconds per step, plus the evaluations to come once one was"
            " measured, stretched by the share of time that rules have paused the run lately. Where"
            " it cannot be known there is no number but the reason. Early stopping may end the run"
            " sooner.",
            "剩余步数 × 实测每步秒数，加上还要做的评估（测得一次之后才计入），"
            "再按近来规则暂停所占的比例放大。无法得知时不给数字，只说明原因。提前停止可能使运行更早结束。",
        ),
        now=lambda view: view.left.text,
    ),
    Explanation(
        id="temperature",
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
        title=Said("Pause", "暂停"),
        body=Said(
            "A rule pauses the engine when enough of the last readings are above the limit, and"
            " resumes it when they are below the lower one. In between nothing is changed. Nobody"
            " knows how warm an unreadable GPU is, so after a while that pauses too. p pauses by"
            " hand, and only a hand lifts that.",
            "最近的读数中有足够多次高于上限时，规则会暂停引擎；都低于下限时恢复。两者之间不作改变。"
            "读不到温度就无法知道多热，一段时间后也会暂停。按 p 是手动暂停，只能手动解除。",
        ),
        now=lambda view: view.progress.paused.text,
    ),
    Explanation(
        id="memory",
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
        now=lambda view: view.ledger.line,
    ),
)
