"""Questions about training: what it prints, what the loss is, how many iterations there are."""

from typing import assert_never

from timellm_dashboard.answers.answer import Block, Say, Table, Told
from timellm_dashboard.answers.facts import Facts
from timellm_dashboard.words import format as fmt
from timellm_dashboard.words.losses import LOSS_NAMES
from timellm_ops.contract.counting import Count


def output(facts: Facts, say: Say) -> Told:
    """A line of the engine's log, word by word."""
    state, words = facts.state, say.words
    step_s = facts.step_s
    loss = None if state.loss is None else f"{state.loss:.4f}"
    nothing = say("not yet", "暂无")
    rows = (
        (say("word", "词"), say("means", "含义"), say("now", "现在")),
        (
            "iters",
            say(
                "iteration of this epoch, of {all}",
                "本轮第几次迭代，共 {all} 次",
                all=_count(facts.steps_per_epoch),
            ),
            fmt.count(state.iteration) if facts.running else nothing,
        ),
        (
            "epoch",
            say("which pass over all samples, of {all}", "第几轮，共 {all} 轮", all=facts.epochs),
            str(state.epoch) if facts.running else nothing,
        ),
        ("loss", say("of this one batch", "这一个批次的损失"), loss or nothing),
        (
            "speed",
            say("seconds of one iteration, on average", "一次迭代的秒数，至今平均"),
            nothing if step_s is None else fmt.pace(step_s, words),
        ),
        (
            "left time",
            say("iterations left x speed, in seconds", "剩余迭代 x 速度，单位秒"),
            nothing if state.engine_left_seconds is None else f"{state.engine_left_seconds:,.0f} s",
        ),
    )
    return Told(
        brief=say(
            "One line every {every:iteration|iterations}: where it is, the loss of that batch, its"
            " speed, and a first guess of the time left.",
            "每 {every} 次迭代一行：进行到哪里、该批次的损失、速度，以及剩余时间的粗略估计。",
            every=Count(facts.config.train.log_every),
        ),
        blocks=(
            Table(rows=rows, titled=True),
            say.passage(
                "The left time of the log knows of no evaluation, no pause and no early stop, and"
                " is too high in the first minutes. The dashboard's own counts them: it measures"
                " steps and evaluations by the journal's clock, and says so where it does not know"
                " yet.",
                "日志里的 left time 不知道评估、暂停和提前停止，开头几分钟还会偏高。"
                "仪表盘自己的剩余时间把它们都算进去：按运行日志的时钟测量每步和每次评估，"
                "还不知道时会如实说明。",
            ),
            say.passage(
                "The same lines stand in engine.log of the run's folder, and on the log screen.",
                "同样的内容写在运行文件夹的 engine.log 里，也显示在日志画面上。",
            ),
        ),
        numbers={
            "iteration": state.iteration,
            "epoch": state.epoch,
            "loss": state.loss,
            "seconds_per_iteration": step_s,
            "log_every": facts.config.train.log_every,
        },
    )


def loss(facts: Facts, say: Say) -> Told:
    """What is made small."""
    state, train = facts.state, facts.config.train
    name = LOSS_NAMES[state.loss_name if facts.running else train.loss]
    meanings = {
        "MSE": say("the mean of (forecast - truth) squared", "（预测 - 真实）平方的平均"),
        "MAE": say("the mean of |forecast - truth|", "|预测 - 真实| 的平均"),
        "Huber": say(
            "squared for misses below {delta:g}, straight beyond",
            "误差小于 {delta:g} 时取平方，更大时取直线",
            delta=train.huber_delta,
        ),
        "WMSE": say(
            "the mean of (forecast - truth) squared, divided by the deviation of its window",
            "（预测 - 真实）平方除以所在窗口的标准差，再取平均",
        ),
    }
    blocks: list[Block] = [
        say.passage(
            "{name}: {meaning}, over {values:value|values} in a batch. The series is scaled: every"
            " column has mean 0 and deviation 1 in the training rows, so the loss has no unit. To"
            " forecast the mean always would cost about 1 in MSE: a first batch above that is no"
            " fault.",
            "{name}：{meaning}，对一个批次的 {values} 个值取平均。数据已标准化：每列在训练行上均值"
            "为 0、"
            "标准差为 1，所以损失没有单位。总是预测均值，MSE 大约是 1：开头的批次高于 1 不是故障。",
            name=name,
            meaning=meanings[name],
            values=Count(facts.plan.steps.batch_size * facts.config.data.pred_len),
        ),
        say.passage(
            "From batch to batch it jumps, since batches hold easy and hard windows. Look at the"
            " smoothed course and at the epochs' MSE. Where training falls and validation rises,"
            " it learns by heart. A loss that is NaN is broken for good: policy.health acts on it"
            " (not_finite = {action}).",
            "批次之间会跳动，因为有的窗口容易、有的难。请看平滑后的走势和每轮的 MSE。"
            "若训练损失下降而验证损失上升，就是过拟合。若变成 NaN，训练已经损坏，由 policy.health"
            " 处理"
            "（not_finite = {action}）。",
            action=facts.config.policy.health.not_finite,
        ),
    ]
    if facts.running and state.loss is not None:
        now = say(
            "now {loss}, smoothed {smoothed}",
            "现在 {loss}，平滑后 {smoothed}",
            loss=fmt.loss(state.loss),
            smoothed=fmt.loss(state.smoothed_loss or state.loss),
        )
        titles = (say("epoch", "轮"), say("train MSE", "训练 MSE"), say("vali MSE", "验证 MSE"))
        table = tuple(
            (str(row.epoch), fmt.loss(row.train_mse), fmt.loss(row.vali_mse))
            for row in state.rows[-8:]
        )
        if table:
            blocks.append(Table(rows=(titles, *table), right=(0, 1, 2), titled=True))
    else:
        now = say("not trained yet", "尚未训练")
    return Told(
        brief=say(
            "{name} on scaled data, without a unit; above 1 is normal at first; {now}.",
            "标准化数据上的 {name}，没有单位；开始时大于 1 是正常的；{now}。",
            name=name,
            now=now,
        ),
        blocks=tuple(blocks),
        numbers={
            "loss_name": name,
            "loss": state.loss,
            "smoothed_loss": state.smoothed_loss,
            "best_vali_mse": state.best_vali_mse,
        },
    )


def total(facts: Facts, say: Say) -> Told:
    """The exact number of iterations, and their time."""
    steps, words, state = facts.plan.steps, say.words, facts.state
    rows = (
        ("", say("an epoch", "每轮"), say("{n:epoch|epochs}", "{n} 轮", n=Count(steps.epochs))),
        (
            say("with the last, smaller batch", "含最后的小批次"),
            fmt.count(steps.per_epoch_with_partial),
            fmt.count(steps.total_with_partial),
        ),
        (
            say("without it", "不含"),
            fmt.count(steps.per_epoch_without_partial),
            fmt.count(steps.total_without_partial),
        ),
        (
            say(
                "this config: drop_last = {value}",
                "此配置：drop_last = {value}",
                value=str(steps.drop_last).lower(),
            ),
            fmt.count(steps.per_epoch),
            fmt.count(steps.total),
        ),
        (
            say("batches of validation", "验证的批数"),
            fmt.count(steps.vali_batches),
            fmt.count(steps.vali_batches * steps.epochs),
        ),
        *_test_row(facts, say),
    )
    blocks: list[Block] = [Table(rows=rows, right=(1, 2), titled=True)]
    step_s = facts.step_s
    every = facts.total_steps
    training_s = None if step_s is None or every is None else step_s * every
    evaluation_s = _evaluation_s(facts)
    if step_s is not None and training_s is not None and every is not None:
        blocks.append(
            say.passage(
                "At {pace}, {steps:iteration takes|iterations take} {time}{evaluation}. {besides}",
                "按 {pace} 计算，{steps} 次迭代需要 {time}{evaluation}。{besides}",
                pace=fmt.pace(step_s, words),
                steps=Count(every),
                time=fmt.rough(training_s, words),
                evaluation=""
                if evaluation_s is None
                else say(
                    ", and the evaluations {time}",
                    "，评估需要 {time}",
                    time=fmt.rough(evaluation_s, words),
                ),
                besides=say("Pauses and pacing come on top.", "暂停和限速另计。")
                if facts.mean_step_s is None
                else say("Pauses come on top.", "暂停另计。"),
            )
        )
    else:
        blocks.append(
            say.passage(
                "How long one takes is not measured yet: timellm-ops plan CONFIG --measure makes a"
                " few real steps and says.",
                "一次迭代要多久还没有测过：timellm-ops plan CONFIG --measure 会做几步真实训练再告"
                "诉你。",
            )
        )
    if facts.running and state.step:
        blocks.append(
            say.passage(
                "So far {done} of {all:iteration|iterations} done, in {time}, of which {paused}"
                " stood still.",
                "目前已完成 {done} / {all} 次迭代，用时 {time}，其中停住 {paused}。",
                done=fmt.count(state.step),
                all=Count(_count(state.total_steps or every)),
                time=fmt.duration(state.active_s, words),
                paused=fmt.duration(state.paused_s, words),
            )
            if state.total_steps or every
            else say.passage(
                "So far it is in epoch {epoch}, {done:iteration|iterations} into it, after {time},"
                " of which {paused} stood still; how many an epoch has, the script does not tell.",
                "目前在第 {epoch} 轮，该轮已完成 {done} 次迭代，用时 {time}，其中停住 {paused}；"
                "脚本没有说明一轮有多少次迭代。",
                epoch=state.epoch,
                done=Count(state.iteration),
                time=fmt.duration(state.active_s, words),
                paused=fmt.duration(state.paused_s, words),
            )
        )
    return Told(
        brief=say(
            "{per_epoch} an epoch x {epochs:epoch|epochs} = {total}, if it does not stop early.",
            "每轮 {per_epoch} 次 x {epochs} 轮 = {total} 次（若不提前停止）。",
            per_epoch=fmt.count(steps.per_epoch),
            epochs=Count(steps.epochs),
            total=fmt.count(steps.total),
        ),
        blocks=tuple(blocks),
        numbers={
            "iterations_per_epoch": steps.per_epoch,
            "epochs": steps.epochs,
            "total_iterations": steps.total,
            "with_partial": steps.total_with_partial,
            "without_partial": steps.total_without_partial,
            "seconds_per_iteration": step_s,
            "training_seconds": training_s,
            "evaluation_seconds": evaluation_s,
        },
    )


def _test_row(facts: Facts, say: Say) -> tuple[tuple[str, str, str], ...]:
    """The batches of the test, where there is one: in each epoch, or once after the last."""
    steps, name = facts.plan.steps, say("batches of the test", "测试的批数")
    match facts.config.train.test:
        case "each_epoch":
            every, all_of_it = steps.test_batches, steps.test_batches * steps.epochs
            return ((name, fmt.count(every), fmt.count(all_of_it)),)
        case "end":
            return ((name, "", fmt.count(steps.test_batches)),)
        case "never":
            return ()
        case other:
            assert_never(other)


def _count(number: int | None) -> str:
    return "?" if number is None else fmt.count(number)


def _evaluation_s(facts: Facts) -> float | None:
    """Of all evaluations, by the latest one that was measured."""
    measured = [r.evaluation_seconds for r in facts.state.rows if r.evaluation_seconds is not None]
    if measured:
        return measured[-1] * facts.epochs
    return None if facts.plan.time is None else facts.plan.time.evaluation_s
