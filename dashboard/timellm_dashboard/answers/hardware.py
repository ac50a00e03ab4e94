"""Questions about the hardware: what else may use the GPU, heads and cards, heat."""

from typing import assert_never

from timellm_dashboard.answers.answer import Block, Passage, Say, Table, Told
from timellm_dashboard.answers.diagrams import bars_diagram, path_diagram
from timellm_dashboard.answers.facts import Facts
from timellm_dashboard.words import format as fmt
from timellm_ops.contract.counting import Count
from timellm_ops.contract.plan import MemoryPlan
from timellm_ops.contract.sizes import part_text


def sharing(facts: Facts, say: Say) -> Told:
    """What the run needs of the GPU, and what may go on beside it."""
    most = _most_memory(facts)
    needed = None if most is None else most.bytes
    sample = facts.state.sample if facts.running else None
    on_gpu = facts.plan.device == "cuda"
    where = say("GPU memory", "显存") if on_gpu else say("memory", "内存")
    blocks: list[Block] = []
    if most is not None:
        blocks += [
            say.passage(
                "It takes most in {phase}: about {size} of {where}, estimated from the config.",
                "{phase}时占用最多：约 {size} {where}，由配置估算。",
                phase=_phase_name(most, say),
                size=fmt.storage(most.bytes),
                where=where,
            ),
            bars_diagram(
                [(item, float(size), fmt.storage(size)) for item, size in _largest(most, say)]
            ),
        ]
    used = None if sample is None else sample.memory_used_bytes
    all_of_it = None if sample is None else sample.memory_total_bytes
    if used is not None and all_of_it:
        blocks.append(
            say.passage(
                "Now {used}{whose} are in use by all programs ({share}).",
                "现在所有程序共占用{whose} {used}（{share}）。",
                whose=say("", "显存") if on_gpu else say(" of the card's memory", "显卡的显存"),
                used=part_text(used, all_of_it, say(" of ", " / ")),
                share=fmt.percent(used / all_of_it),
            )
        )
    on_processors = facts.own and not on_gpu
    title = (say("beside a training", "训练的同时"), "", say("because", "原因"))
    rows = _beside_processors(say) if on_processors else _beside_a_gpu(say)
    blocks.append(Table(rows=(title, *rows), titled=True))
    if not on_processors:
        blocks.append(_watched(say))
    needs = (
        ""
        if needed is None
        else say(
            "; the run takes about {size} of {where} at most",
            "；运行最多约占用 {size} {where}",
            size=fmt.storage(needed),
            where=where,
        )
    )
    return Told(
        brief=_what_may_go_on(say, needs, on_processors=on_processors),
        blocks=tuple(blocks),
        numbers={
            "needed_bytes": needed,
            "used_bytes": used,
            "total_bytes": all_of_it,
            "device": facts.plan.device,
        },
    )


def _what_may_go_on(say: Say, needs: str, *, on_processors: bool) -> str:
    if on_processors:
        return say(
            "Anything that needs little of the processors{needs}.",
            "凡是不大占用处理器的都可以{needs}。",
            needs=needs,
        )
    return say(
        "Anything that leaves the GPU alone{needs}.", "凡是不用 GPU 的都可以{needs}。", needs=needs
    )


_Rows = tuple[tuple[str, str, str], ...]


def _beside_a_gpu(say: Say) -> _Rows:
    return (
        (
            say("writing, e-mail, shell", "文档、邮件、终端"),
            say("yes", "可以"),
            say("processor only", "只用处理器"),
        ),
        (
            say("web pages", "网页"),
            say("mostly", "大多可以"),
            say("switch off the browser's hardware acceleration", "关闭浏览器的硬件加速"),
        ),
        (
            say("films, video calls", "视频、视频会议"),
            say("better not", "最好不要"),
            say("decoded and drawn by the GPU", "由 GPU 解码和绘制"),
        ),
        (
            say("games, another training", "游戏、另一个训练"),
            say("no", "不行"),
            say("both slow down, or one runs out of memory", "都会变慢，或有一个显存不足"),
        ),
    )


def _beside_processors(say: Say) -> _Rows:
    return (
        (
            say("writing, e-mail, shell", "文档、邮件、终端"),
            say("yes", "可以"),
            say("little work for a processor", "几乎不占处理器"),
        ),
        (
            say("web pages, films, video calls", "网页、视频、视频会议"),
            say("mostly", "大多可以"),
            say("a step waits for them now and then", "偶尔会让一步变慢"),
        ),
        (
            say("games, another training, compiling", "游戏、另一个训练、编译"),
            say("better not", "最好不要"),
            say(
                "each takes the processors from the other: both slow down",
                "互相争用处理器：都会变慢",
            ),
        ),
    )


def _watched(say: Say) -> Passage:
    return say.passage(
        "timellm-ops doctor shows who is on the card. A run does not start on a card that is"
        " nearly full or has another run of yours (gpu.share), and policy.sharing and"
        " policy.vram watch over it meanwhile.",
        "timellm-ops doctor 会显示谁在用显卡。显卡几乎占满，或已有你的另一个运行时，"
        "新的运行不会启动（gpu.share）；训练期间由 policy.sharing 和 policy.vram 看守。",
    )


def _most_memory(facts: Facts) -> MemoryPlan | None:
    """The phase that takes most; `None` for a script, whose memory is its own affair."""
    if not facts.own:
        return None
    return max(facts.plan.memory, key=lambda phase: phase.bytes, default=None)


def _phase_name(plan: MemoryPlan, say: Say) -> str:
    match plan.phase:
        case "training":
            return say("training", "训练")
        case "evaluation":
            return say("evaluation", "评估")
        case "final_test":
            return say("the final test", "最终测试")
        case _:
            assert_never(plan.phase)


_SHOWN_ITEMS = 6


def _largest(phase: MemoryPlan, say: Say) -> list[tuple[str, int]]:
    names = {
        "runtime": say("runtime", "运行环境"),
        "backbone": say("language model", "语言模型"),
        "weights": say("trained weights", "训练的权重"),
        "gradients": say("gradients", "梯度"),
        "optimiser": say("optimiser", "优化器"),
    }
    sizes: dict[str, int] = {}
    for item in phase.items:
        name = names.get(item.what, say("activations and the rest", "中间结果及其他"))
        sizes[name] = sizes.get(name, 0) + item.bytes
    ordered = sorted(sizes.items(), key=lambda pair: -pair[1])
    return ordered[:_SHOWN_ITEMS]


def heads(facts: Facts, say: Say) -> Told:
    """Heads are a way to compute, not devices."""
    model, size = facts.config.model, facts.plan.steps.batch_size
    keys, width = model.n_heads * model.d_ff, facts.plan.backbone.width
    wide = say("width", "宽度") if width is None else f"{width:,}"
    stages = (
        (say("a patch", "一个 patch"), f"{model.d_model:,}", f"{model.d_model:,} x {keys:,}"),
        (
            say("its queries", "查询"),
            f"{keys:,}",
            say("cut into {heads}", "分成 {heads} 份", heads=model.n_heads),
        ),
        (
            say("heads", "注意力头"),
            f"{model.n_heads:,}, {model.d_ff:,}",
            say(
                "each looks at {n:prototype|prototypes}",
                "各自查看 {n} 个原型",
                n=Count(model.num_prototypes),
            ),
        ),
        (
            say("put together", "合并"),
            f"{keys:,}",
            f"{keys:,} x {wide}",
        ),
        (say("in its words", "重编程后"), wide, ""),
    )
    return Told(
        brief=say(
            "No: {heads:head is|heads are} {parts:part|parts} of one matrix product, all on the one"
            " device ({device}).",
            "不需要：{heads} 个头是同一次矩阵乘法的 {heads} 个部分，都在同一个设备（{device}）上。",
            heads=Count(model.n_heads),
            parts=Count(model.n_heads),
            device=facts.trains_on or facts.plan.device,
        ),
        blocks=(
            path_diagram(stages),
            say.passage(
                "Each head asks the prototypes a question of its own, {width:number|numbers} long"
                " (model.d_ff); one may look for a trend, another for a peak. {heads} x {width} ="
                " {keys:number|numbers} in one go, for {rows:window|windows} at once.",
                "每个头向原型提出自己的问题，长度为 {width} 个数（model.d_ff）：有的找趋势，有的找"
                "峰值。"
                "{heads} x {width} = {keys} 个数一次算完，{rows} 个窗口同时进行。",
                width=Count(model.d_ff),
                heads=model.n_heads,
                keys=Count(keys),
                rows=Count(size),
            ),
            say.passage(
                "More heads make the reprogramming weights larger, not the number of devices. A run"
                " uses one GPU, the one of gpu.index.",
                "头更多，只是重编程层的权重更大，与设备数量无关。一个运行只用一块显卡，由"
                " gpu.index 指定。",
            ),
        ),
        numbers={"n_heads": model.n_heads, "head_width": model.d_ff, "keys": keys},
    )


def _end_of_heat(facts: Facts, say: Say) -> str:
    """Where a run is stopped for heat; empty where nothing is known that would stop it."""
    emergency_c, sample = facts.config.policy.thermal.emergency_c, facts.state.sample
    if emergency_c is not None:
        return say(
            ", and at {at} it is saved and stopped",
            "；到 {at} 时保存并停止",
            at=fmt.celsius(emergency_c),
        )
    if sample is not None and sample.shutdown_c is None:
        return ""
    return say(
        ", and near the card's own end it is saved and stopped",
        "；接近显卡自身极限时保存并停止",
    )


def _whose_limits(facts: Facts, say: Say) -> list[Block]:
    """That the limits are not measured against a card's own, where they are not."""
    sample = facts.state.sample
    if sample is None:
        return [
            say.passage(
                "No card has been read yet: the limits are assumed to be those of the config. They"
                " are lowered where the card's own ask for it.",
                "尚未读取任何显卡：界限假定为配置里的值；显卡自身的界限若更低，会相应降低。",
            )
        ]
    if sample.slowdown_c is not None and sample.shutdown_c is not None:
        return []
    emergency_c = facts.config.policy.thermal.emergency_c
    if sample.shutdown_c is not None or emergency_c is not None:
        stops = say("", "")
    else:
        stops = say(
            ", and no temperature stops the run (policy.thermal.emergency_c is not set)",
            "，也没有会停止运行的温度（未设置 policy.thermal.emergency_c）",
        )
    return [
        say.passage(
            "This card does not tell all of where it slows down and where it turns itself off: the"
            " limits are assumed to suit it{stops}.",
            "这块显卡没有全部说明在多少度降频、在多少度关闭：假定界限适合它{stops}。",
            stops=stops,
        )
    ]


def heat(facts: Facts, say: Say) -> Told:
    """What the temperature means, and who watches it."""
    state, limits, words = facts.state, facts.limits, say.words
    sample = state.sample
    now = None if sample is None else sample.temperature_c
    rows: list[tuple[str, str, str]] = []
    if limits is not None:
        rows += [
            (
                fmt.celsius(limits.resume_below_c),
                say("a pause ends below this", "低于此温度，暂停结束"),
                "policy.thermal",
            ),
            (
                fmt.celsius(limits.pause_above_c),
                say("above this the run is paused", "高于此温度，运行暂停"),
                "policy.thermal",
            ),
        ]
    if limits is not None and limits.emergency_c is not None:
        rows.append(
            (
                fmt.celsius(limits.emergency_c),
                say("the run is saved and stopped", "保存并停止运行"),
                "policy.thermal",
            )
        )
    if sample is not None and sample.slows_at_c is not None:
        rows.append(
            (
                fmt.celsius(sample.slows_at_c),
                say("the card slows itself down", "显卡自行降频"),
                say("the card", "显卡"),
            )
        )
    if sample is not None and sample.shutdown_c is not None:
        rows.append(
            (
                fmt.celsius(sample.shutdown_c),
                say("the card turns itself off", "显卡自行关闭"),
                say("the card", "显卡"),
            )
        )
    for value, meaning in (
        (now, say("now", "现在")),
        (state.peak_temperature_c, say("highest of this run", "本次运行最高")),
    ):
        if value is not None:
            rows.append((fmt.celsius(value), meaning, ""))
    rows.sort(key=lambda row: float(row[0].split()[0]))
    blocks: list[Block] = []
    if rows:
        blocks.append(Table(rows=tuple(rows), right=(0,)))
    blocks += [
        say.passage(
            "Heat by itself breaks no card: it protects itself, first by a slower clock, then by"
            " turning off. What many hot nights cost is lifetime of fans and paste, and speed as"
            " soon as the clock falls. A laptop's card is built for 70 to 85 °C under load.",
            "温度本身不会烧坏显卡：它会保护自己，先降频，再关机。许多个炎热的夜晚消耗的是风扇和导"
            "热膏的寿命，"
            "以及降频后的速度。笔记本显卡在负载下本就按 70 到 85 °C 设计。",
        )
    ]
    blocks.append(_who_watches(facts, say))
    if limits is not None and not facts.looks_at_no_gpu:
        blocks += _whose_limits(facts, say)
    if facts.running and state.pauses:
        blocks.append(
            say.passage(
                "So far: {pauses:pause|pauses}, {time} in all.",
                "到目前为止：暂停 {pauses} 次，共 {time}。",
                pauses=Count(state.pauses),
                time=fmt.duration(state.paused_s, words),
            )
        )
    blocks.append(
        say.passage(
            "It helps to raise the back of the laptop, to clean the fan, and to lower the card's"
            " power limit (policy.governor.actuator = power does so, with the rights to);"
            " timellm-ops policy simulate CONFIG rehearses a night for a given room.",
            "垫高笔记本后部、清洁风扇、调低显卡功率上限（有权限时 policy.governor.actuator ="
            " power 会自动调）都有帮助；timellm-ops policy simulate CONFIG 可以按给定室温预演"
            "一夜。",
        )
    )
    told = (
        say("not measured yet", "尚未测量")
        if now is None
        else say(
            "now {now}, at most {peak}",
            "现在 {now}，最高 {peak}",
            now=fmt.celsius(now),
            peak=fmt.celsius(state.peak_temperature_c or now),
        )
    )
    return Told(
        brief=say(
            "Not by itself; {told}{paused}.",
            "温度本身不会；{told}{paused}。",
            told=told,
            paused=""
            if limits is None or facts.looks_at_no_gpu
            else say(
                "; paused above {limit}",
                "；高于 {limit} 时暂停",
                limit=fmt.celsius(limits.pause_above_c),
            ),
        ),
        blocks=tuple(blocks),
        numbers={
            "temperature_c": now,
            "peak_temperature_c": state.peak_temperature_c,
            "pause_above_c": None if limits is None else limits.pause_above_c,
            "resume_below_c": None if limits is None else limits.resume_below_c,
            "pauses": state.pauses,
            "paused_seconds": state.paused_s,
        },
    )


def _who_watches(facts: Facts, say: Say) -> Passage:
    """What the rules of this run do about heat: none of them acts without readings, and the
    governor sets the pace only where there is a thermal rule."""
    limits = facts.limits
    if limits is None:
        return say.passage(
            "No thermal rule is in force in this run (policy.thermal.enabled): nobody pauses it"
            " for heat.",
            "此运行没有启用温度规则（policy.thermal.enabled）：过热时不会暂停。",
        )
    if facts.looks_at_no_gpu:
        return say.passage(
            "This run looks at no GPU (gpu.probe): no temperature is read, so nothing slows it"
            " down, pauses it or stops it for heat.",
            "此运行不读取任何 GPU（gpu.probe）：没有温度读数，所以不会因过热而放慢、暂停或停止。",
        )
    if limits.governed:
        before = say(
            "the governor slows it down a little before it is hot, above",
            "变热之前先由调速规则略微放慢；高于",
        )
    else:
        before = say(
            "nothing slows it down before it is hot (policy.governor.enabled), but above",
            "变热之前不会放慢（policy.governor.enabled）；但高于",
        )
    return say.passage(
        "This run does not rely on the card alone: {before} {pause} it is paused between two steps"
        " until it is below {resume}{end}.",
        "此运行不只依赖显卡自身：{before} {pause} 时停在两步之间，直到低于 {resume}{end}。",
        before=before,
        end=_end_of_heat(facts, say),
        pause=fmt.celsius(limits.pause_above_c),
        resume=fmt.celsius(limits.resume_below_c),
    )
