"""What the numbers of the card and of the machine mean."""

from timellm_dashboard.actions import Said
from timellm_dashboard.explain.passage import Explanation

CARD: tuple[Explanation, ...] = (
    Explanation(
        id="memory",
        covers=("gpu.memory", "gpu.memory_share"),
        title=Said("VRAM", "显存"),
        body=Said(
            "Memory used on the GPU by all programs; 1 GiB is 1,024 MiB of nvidia-smi. A high share"
            " is normal on a small card and does it no harm.",
            "GPU 上所有程序占用的显存，1 GiB 等于 nvidia-smi 的 1,024 MiB。"
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
)

MACHINE: tuple[Explanation, ...] = (
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
)
