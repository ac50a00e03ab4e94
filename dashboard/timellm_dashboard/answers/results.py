"""Questions about results: what is saved, when, and what the errors say."""

from timellm_dashboard.answers.answer import Block, Say, Table, Told
from timellm_dashboard.answers.diagrams import bars_diagram, timeline_diagram
from timellm_dashboard.answers.facts import SCRIPT, Facts
from timellm_dashboard.words import format as fmt
from timellm_dashboard.words.losses import LOSS_NAMES
from timellm_ops.contract.counting import Count
from timellm_ops.contract.state import SavedCheckpoint


def saved(facts: Facts, say: Say) -> Told:
    """What is left on disk."""
    files, state = facts.plan.files, facts.state
    blocks: list[Block] = []
    kinds = (
        (
            "checkpoints/best",
            say("weights of the best epoch", "最佳一轮的权重"),
            _bytes(state.best),
        ),
        (
            "checkpoints/last",
            say("weights, optimiser, position: to go on", "权重、优化器、位置：用于续训"),
            _bytes(state.last),
        ),
        (
            "bundle",
            say("the model for forecasts alone", "只用于预测的模型"),
            facts.bundle_bytes,
        ),
    )
    sizes = (
        (None, None, None)
        if files is None
        else (files.best_bytes, files.last_bytes, files.bundle_bytes)
    )
    rows = [
        (
            say("folder", "文件夹"),
            say("holds", "内容"),
            say("planned", "预计"),
            say("on disk", "实际"),
        )
    ]
    for (folder, holds, now), size in zip(kinds, sizes, strict=True):
        planned = "-" if size is None or not facts.own else fmt.storage(size)
        found = "-" if now is None else fmt.storage(now)
        rows.append((folder, holds, planned, found))
    blocks.append(Table(rows=tuple(rows), right=(2, 3), titled=True))
    trainable = facts.plan.trainable
    if trainable is not None and facts.own:
        largest = sorted(trainable.modules, key=lambda module: -module.bytes)
        blocks.append(
            bars_diagram(
                [
                    (m.name.replace("_", " "), float(m.bytes), fmt.storage(m.bytes))
                    for m in largest
                    if m.bytes
                ]
            )
        )
    blocks += [
        say.passage(
            "Only what is trained is saved. The language model, {backbone}, is frozen: its digest"
            " is kept, and it is loaded anew. Nothing is deleted at the end, and a new checkpoint"
            " never overwrites the one before it until it is whole on disk.",
            "只保存被训练的部分。语言模型 {backbone} 是冻结的：只记下它的摘要，需要时重新加载。"
            "结束时不会删除任何东西；新的检查点完整落盘之前，绝不会覆盖旧的。",
            backbone=facts.backbone,
        ),
        say.passage(
            "All of it is below runs/<id>: the config, the journal, the log, the checkpoints, and"
            " what evaluate and predict write. Planned sizes leave out a few kilobytes of JSON.",
            "全部都在 runs/<id> 下面：配置、运行日志、引擎输出、检查点，以及 evaluate 和 predict"
            " 的结果。预计大小不含几 kB 的 JSON。",
        ),
        *_to_forecast(facts, say),
    ]
    best = None if state.best is None else state.best.bytes
    planned_best = None if files is None or not facts.own else files.best_bytes
    size = best if best else planned_best
    return Told(
        brief=say(
            "The trained weights, {best}; to go on, {last}; the model for forecasts, {bundle}.",
            "训练的权重 {best}；续训用 {last}；预测用模型 {bundle}。",
            best="-" if size is None else fmt.storage(size),
            last=_size(None if state.last is None else state.last.bytes, sizes[1], facts),
            bundle=_size(facts.bundle_bytes, sizes[2], facts),
        )
        if facts.own
        else say(
            "What a script saves is its own affair; {found}.",
            "脚本保存什么由它自己决定；{found}。",
            found=say("nothing of it was found yet", "目前还没有发现")
            if best is None
            else say("its best weights take {size}", "其最佳权重为 {size}", size=fmt.storage(best)),
        ),
        blocks=tuple(blocks),
        numbers={
            "best_bytes_planned": planned_best,
            "last_bytes_planned": sizes[1] if facts.own else None,
            "bundle_bytes_planned": sizes[2] if facts.own else None,
            "best_bytes": best,
            "last_bytes": None if state.last is None else state.last.bytes,
        },
    )


def _to_forecast(facts: Facts, say: Say) -> list[Block]:
    """Which of the files forecasts, of a run that has ended."""
    if not facts.own or not facts.state.ended or facts.state.best is None:
        return []
    return [
        say.passage(
            "To forecast from your newest rows: timellm-ops predict {run} --input FILE. It takes"
            " checkpoints/best. Elsewhere the folder bundle is enough: timellm-ops predict ./bundle"
            " --input FILE.",
            "用你最新的数据预测：timellm-ops predict {run} --input 文件，所用的是"
            " checkpoints/best。在别处有 bundle 文件夹就够了：timellm-ops predict ./bundle --input"
            " 文件。",
            run=facts.name,
        )
    ]


def _bytes(checkpoint: SavedCheckpoint | None) -> int | None:
    return None if checkpoint is None else checkpoint.bytes


def _size(found: int | None, planned: int | None, facts: Facts) -> str:
    size = found or (planned if facts.own else None)
    return "-" if size is None else fmt.storage(size)


def checkpoints(facts: Facts, say: Say) -> Told:
    """When a checkpoint is made, and what an end costs."""
    section, state, words = facts.config.checkpoint, facts.state, say.words
    minutes = Count(section.every_minutes)
    every = say("every {minutes:minute|minutes}", "每 {minutes} 分钟", minutes=minutes)
    if section.every_steps is not None:
        steps = Count(section.every_steps)
        every += say(" and every {steps:step|steps}", "，以及每 {steps} 步", steps=steps)
    rows = (
        (say("what happens", "发生什么"), say("what it costs", "代价")),
        (
            say("<leave>, or the terminal is closed", "按 <leave> 或关闭终端"),
            say("nothing: the run goes on", "没有：运行继续"),
        ),
        (
            say("Ctrl+C in the dashboard", "仪表盘里按 Ctrl+C"),
            say("nothing: it says how to leave", "没有：只提示如何离开"),
        ),
        (
            say("<stop>, or stop --after-checkpoint", "按 <stop> 或 stop --after-checkpoint"),
            say("nothing: goes on to the next checkpoint", "没有：继续到下一个检查点"),
        ),
        (
            say("timellm-ops stop, Ctrl+C with --plain", "timellm-ops stop、--plain 下按 Ctrl+C"),
            say("nothing: saves at the next step, then stops", "没有：在下一步保存后停止"),
        ),
        (
            say("<stop_now>, stop --now, Ctrl+C twice", "按 <stop_now>、stop --now、Ctrl+C 两次"),
            say(
                "nothing if the next step ends within {grace}: it saves; else it is killed",
                "若下一步在 {grace}内结束则没有：会保存；否则强制结束",
                grace=fmt.duration(facts.config.supervisor.stop_grace_s, words),
            ),
        ),
        (
            say("Ctrl+C three times, kill -9, power cut", "Ctrl+C 三次、kill -9、断电"),
            say("the steps since last was saved", "上次保存 last 之后的步数"),
        ),
    )
    blocks: list[Block] = [
        say.passage(
            "last is saved {every}, at the end of each epoch and before every stop; best at the end"
            " of each epoch whose validation is lower than all before.",
            "last 在{every}、每轮结束时和每次停止之前保存；best 在某一轮的验证损失低于之前所有轮时"
            "保存。",
            every=every,
        )
    ]
    script = facts.problem == SCRIPT
    if script:
        blocks.insert(
            0,
            say.passage(
                "A script saves as it was written: the published one at the end of each better"
                " epoch. What it saves is watched and told. <stop> waits for its next checkpoint"
                " and then sends SIGINT; timellm-ops stop, and Ctrl+C with --plain, send it at"
                " once, <stop_now> and stop --now SIGTERM, and {grace} after each comes the next"
                " of SIGINT, SIGTERM, SIGKILL. It ends with what it has saved, and cannot go on"
                " from there. All that follows is about our own engine.",
                "脚本按自己的写法保存：原版脚本在每个更好的轮结束时保存。它保存的内容会被发现并显"
                "示。按 <stop> 会等它的下一个检查点，然后发送 SIGINT；timellm-ops stop 和 --plain"
                " 下的 Ctrl+C 立即发送 SIGINT，按 <stop_now> 和 stop --now 发送 SIGTERM；每过"
                " {grace}依次改用 SIGINT、SIGTERM、SIGKILL 中的下一个。它带着已保存的内容结束，之"
                "后不能续训。以下都是关于我们自己的引擎。",
                grace=fmt.duration(facts.config.supervisor.stop_grace_s, words),
            ),
        )
    if facts.running and state.total_steps:
        marks = [
            (
                row.epoch * (state.steps_per_epoch or 0),
                say("epoch {n}", "第 {n} 轮", n=row.epoch)
                + (say(": best", "：最佳") if row.epoch == state.best_epoch else ""),
            )
            for row in state.rows[-6:]
        ]
        if state.last is not None:
            step = fmt.count(state.last.step)
            marks.append(
                (state.last.step, say("last: step {step}", "最新：第 {step} 步", step=step))
            )
        blocks.append(
            timeline_diagram(state.total_steps, state.step, marks, say("step 0", "第 0 步"))
        )
    blocks += [
        Table(rows=rows, titled=True),
        say.passage(
            "To go on: timellm-ops run --resume {run}. It goes on after the step that last holds,"
            " with the same weights, optimiser and random numbers, so the result is that of an"
            " undisturbed run. A new run makes a new folder and never overwrites an old one.",
            "续训：timellm-ops run --resume {run}。从 last 所记的那一步之后继续，权重、优化器和随"
            "机数都相同，"
            "结果与从未中断的运行一样。新的运行会建立新文件夹，绝不覆盖旧的。",
            run=state.run_id if facts.running and state.outcome != "finished" else "RUN",
        ),
    ]
    at_risk = state.steps_at_risk if facts.running and not state.ended and not script else None
    now = ""
    if at_risk is not None:
        step_s = facts.step_s
        lost = ""
        if step_s is not None:
            lost = say(" ({time})", "（{time}）", time=fmt.duration(at_risk * step_s, words))
        now = say(
            "; a power cut now would cost {steps:step|steps}{lost}",
            "；此刻断电会损失 {steps} 步{lost}",
            steps=Count(at_risk),
            lost=lost,
        )
    whose = say("our own engine: ", "我们自己的引擎：") if script else ""
    return Told(
        brief=whose
        + say(
            "{every} and at each epoch's end; one Ctrl+C loses nothing{now}.",
            "{every}以及每轮结束时；按一次 Ctrl+C 不会丢失任何东西{now}。",
            every=every if script else every[:1].upper() + every[1:],
            now=now,
        ),
        blocks=tuple(blocks),
        numbers={
            "every_minutes": section.every_minutes,
            "every_steps": section.every_steps,
            "last_step": None if state.last is None else state.last.step,
            "steps_at_risk": at_risk,
        },
    )


def metrics(facts: Facts, say: Say) -> Told:
    """The two errors."""
    state, best = facts.state, facts.best
    rows = (
        ("", "MSE", "MAE"),
        (
            say("is the mean of", "是什么的平均"),
            say("(forecast - truth)^2", "(预测 - 真实)^2"),
            say("|forecast - truth|", "|预测 - 真实|"),
        ),
        (say("a miss of 2 counts", "偏差为 2 时计"), "4", "2"),
        (
            say("swayed by few large misses", "受少数大偏差影响"),
            say("much", "大"),
            say("little", "小"),
        ),
        (
            say("unit, on scaled data", "单位（标准化数据）"),
            say("none", "无"),
            say("deviations of a column", "该列的标准差"),
        ),
    )
    blocks: list[Block] = [
        Table(rows=rows, titled=True),
        say.passage(
            "Training makes {loss} small (train.loss). The lowest validation MSE decides which"
            " epoch"
            " is the best; MAE is reported beside it because an average miss is easier to picture:"
            " a MAE of 0.40 is 0.40 deviations of the column.",
            "训练使 {loss} 变小（train.loss）。验证 MSE 最低的一轮就是最佳；同时报告 MAE，"
            "因为平均偏差更直观：MAE 为 0.40 就是该列标准差的 0.40 倍。",
            loss=LOSS_NAMES[facts.config.train.loss],
        ),
    ]
    if state.rows:
        table = tuple(
            (
                str(row.epoch),
                fmt.loss(row.vali_mse),
                "-" if row.test_mse is None else fmt.loss(row.test_mse),
                "-" if row.test_mae is None else fmt.loss(row.test_mae),
                say("best", "最佳") if row.epoch == state.best_epoch else "",
            )
            for row in state.rows[-10:]
        )
        titles = (
            say("epoch", "轮"),
            say("validation MSE", "验证 MSE"),
            say("test MSE", "测试 MSE"),
            say("test MAE", "测试 MAE"),
            "",
        )
        blocks.append(Table(rows=(titles, *table), right=(0, 1, 2, 3), titled=True))
        blocks.append(
            bars_diagram(
                [
                    (
                        say("epoch {n}", "第 {n} 轮", n=row.epoch),
                        row.vali_mse,
                        fmt.loss(row.vali_mse),
                    )
                    for row in state.rows[-10:]
                ]
            )
        )
    blocks.append(
        say.passage(
            "Whether a number is good is told by simple forecasts on the same windows: timellm-ops"
            " evaluate puts it beside them, and gives MAE in the unit of each column.",
            "一个数字好不好，要看同样窗口上的简单预测：timellm-ops evaluate 会并排给出，"
            "并以每列自己的单位给出 MAE。",
        )
    )
    found = say("nothing is evaluated yet", "尚未评估")
    if state.final_mse is not None and state.final_mae is not None:
        found = say(
            "final test MSE {mse}, MAE {mae}",
            "最终测试 MSE {mse}，MAE {mae}",
            mse=fmt.loss(state.final_mse),
            mae=fmt.loss(state.final_mae),
        )
    elif best is not None:
        found = say(
            "best so far: epoch {epoch}, validation {vali}",
            "目前最佳：第 {epoch} 轮，验证 {vali}",
            epoch=best.epoch,
            vali=fmt.loss(best.vali_mse),
        )
    return Told(
        brief=say(
            "MSE punishes large misses, MAE is the average miss; validation MSE decides. {found}.",
            "MSE 重罚大偏差，MAE 是平均偏差；由验证 MSE 决定。{found}。",
            found=found[:1].upper() + found[1:],
        ),
        blocks=tuple(blocks),
        numbers={
            "best_epoch": state.best_epoch,
            "best_vali_mse": state.best_vali_mse,
            "final_mse": state.final_mse,
            "final_mae": state.final_mae,
        },
    )
