"""What every number on the screen means, in English and Chinese, with the run's own value."""

from timellm_dashboard.actions import Said
from timellm_dashboard.explain.hardware import CARD, MACHINE
from timellm_dashboard.explain.passage import Explanation
from timellm_dashboard.explain.run import RUN
from timellm_dashboard.explain.screens import SCREENS

EXPLANATIONS: tuple[Explanation, ...] = (
    Explanation(
        id="state",
        covers=("headline", "outcome", "stop", "held_by_user", "held_by_rules", "read_only"),
        title=Said("State", "状态"),
        body=Said(
            "The first line: a word, a sign, and the reason. TRAINING and EVALUATING go on by"
            " themselves. PAUSED stands still between two steps and loses nothing. UNSUPERVISED:"
            " the engine may still run, but nobody watches its temperature; the command beside it"
            " and the key <supervise> start a new supervisor, which takes over the running engine.",
            "第一行：一个词、一个符号和原因。训练中、评估中会自行继续。已暂停是停在两步之间，不会"
            "丢失任何东西。无人监管：引擎可能仍在运行，但没有人看着温度；旁边的命令和 <supervise>"
            " 键会启动新的监管进程，接管正在运行的引擎。",
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
            " the epochs in the table.",
            "训练要减小的量，曲线标题写着是哪一种。通常是预测与真实值之间的均方误差（MSE）"
            "（Huber 和 MAE 对大误差计得较轻），在标准化数据上计算：每一列均值为 0、标准差为 1，"
            "所以没有单位。总是预测均值大约得到 1，因此最初几步或较难的批次大于 1 是正常的。"
            "单个批次说明不了什么：批次不同，损失就会跳动。请看平滑值，以及表中的各轮结果。",
        ),
        now=lambda view: f"{view.loss.raw.text} ({view.words.smoothed} {view.loss.smoothed.text})",
    ),
    Explanation(
        id="chart",
        covers=("charts.loss", "charts.smoothed_loss", "charts.epochs", "charts.counts"),
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
            "After each epoch: train is the mean MSE over its steps, whatever the loss is (with"
            " Huber or MAE the log's Train Loss is another number; of a script, it is the Train"
            " Loss that it prints); vali and test are the MSE over all windows of those splits, MAE"
            " the mean absolute error on test (the average miss, less swayed by a few large ones)."
            " Validation decides what is best and when to stop early; test decides nothing,"
            " it only reports. ★ is the epoch with the best validation, ✓ the one whose weights are"
            " on disk as best: mostly the same, but for the moment of saving.",
            "每轮结束后：训练是这一轮各步的平均 MSE，无论用哪种损失（用 Huber 或 MAE 时，日志里的"
            " Train Loss 是另一个数；对脚本而言，就是它打印的 Train Loss）；"
            "验证和测试是对应数据集全部窗口上的 MSE，"
            "MAE 是测试集上的平均绝对误差（平均偏差，不易被少数大误差左右）。"
            "验证决定哪一轮最佳、何时提前停止；测试不参与任何决定，只作报告。"
            "★ 是验证最佳的一轮，✓ 是权重作为最佳检查点存在磁盘上的一轮：除保存的片刻外通常相同。",
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
        covers=("progress.speed", "progress.mean_speed"),
        title=Said("Speed", "速度"),
        body=Said(
            "Seconds for one step (one batch) of late, measured by the journal's clock: pacing"
            " counts, pauses and evaluation do not. Of a run that has ended, in the report and in a"
            " comparison it is the mean of the whole run.",
            "最近一步（一个批次）所用的秒数，按运行日志的时钟测得：含节奏控制，不含暂停和评估。"
            "已结束的运行、报告和对比中，是整个运行的平均值。",
        ),
        now=lambda view: view.progress.speed.text,
    ),
    Explanation(
        id="left",
        covers=("left",),
        title=Said("Time left", "剩余时间"),
        body=Said(
            "Steps left × seconds per step as measured of late (the last minutes, fewer near the"
            " end), plus the evaluations to come, the pace at which the card will settle, and"
            " the pauses that heat has made or will make by how the card warms. Other work on this"
            " machine is in it once it has slowed the run. Where it cannot be known there is no"
            " number but the reason. Early stopping may end the run sooner.",
            "剩余步数 × 最近实测的每步秒数（按最近几分钟，临近结束时按更短的时间），"
            "加上还要做的评估、显卡最终会稳定到的节奏，以及过热已造成的和按升温情况还会造成的暂停。"
            "本机上别的工作要等到拖慢运行之后才会计入。无法得知时不给数字，只说明原因。"
            "提前停止可能使运行更早结束。",
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
            " resumes it when they are below the lower one, but not before the pause has lasted"
            " for policy.thermal.min_dwell_s. In between nothing is changed. Nobody knows how warm"
            " an unreadable GPU is, so after a while that pauses too. <pause> pauses by hand, and"
            " only a hand lifts that.",
            "最近的读数中有足够多次高于上限时，规则会暂停引擎；都低于下限、且暂停已满"
            " policy.thermal.min_dwell_s 时恢复。两者之间不作改变。读不到温度就无法知道多热，一段"
            "时间后也会暂停。按 <pause> 是手动暂停，只能手动解除。",
        ),
        now=lambda view: view.progress.paused.text,
    ),
    *CARD,
    *RUN,
    *MACHINE,
    *SCREENS,
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
