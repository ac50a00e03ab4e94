"""Questions about the model: how a patch is embedded, what shapes the weights, what it answers."""

from timellm_dashboard.answers.answer import Block, Say, Table, Told
from timellm_dashboard.answers.diagrams import bars_diagram, path_diagram
from timellm_dashboard.answers.facts import Facts
from timellm_dashboard.words import format as fmt
from timellm_ops.contract.counting import Count
from timellm_ops.contract.plan import TensorPlan

_KERNEL = 3
"""Neighbouring patches that an embedding is made of."""


def embedding(facts: Facts, say: Say) -> Told:
    """From the numbers of a patch to a vector."""
    model = facts.config.model
    size = model.d_model * model.patch_len * _KERNEL
    stages = (
        (
            say("a window", "一个窗口"),
            f"{facts.config.data.seq_len:,}",
            say("cut into patches", "切成 patch"),
        ),
        (
            say("its patches", "patch"),
            f"{facts.patches:,}, {model.patch_len:,}",
            say(
                "{width:filter|filters}, each over {patch:number|numbers} x {kernel} patches",
                "{width} 个滤波器，各覆盖 {patch} 个数 x {kernel} 个 patch",
                width=Count(model.d_model),
                patch=Count(model.patch_len),
                kernel=_KERNEL,
            ),
        ),
        (say("embedded", "嵌入后"), f"{facts.patches:,}, {model.d_model:,}", ""),
    )
    return Told(
        brief=say(
            "A convolution makes {width:number|numbers} of a patch's {patch}, together with those"
            " of its neighbours.",
            "一个卷积把 patch 的 {patch} 个数（连同相邻 patch 的数）变成 {width} 个数。",
            patch=model.patch_len,
            width=Count(model.d_model),
        ),
        blocks=(
            path_diagram(stages),
            say.passage(
                "Each of the embedding's {width} answers one learned question about the patch: is"
                " it rising, is there a peak, how rough is it. A value of the patch is of one"
                " moment; those of the embedding are about the shape of all {patch} together, which"
                " is what can be compared with the text prototypes.",
                "{width} 个数中的每一个都回答一个学到的问题：在上升吗，有峰值吗，有多粗糙。"
                "原来的 {patch} 个值各属一个时刻；嵌入后的 {width} 个数描述的是整体形状，"
                "这样才能与文本原型比较。",
                width=model.d_model,
                patch=model.patch_len,
            ),
            say.passage(
                "The width is model.d_model; its weight has {width} x {patch} x {kernel} = {size}"
                " numbers.",
                "宽度由 model.d_model 决定；权重有 {width} x {patch} x {kernel} = {size} 个数。",
                width=model.d_model,
                patch=model.patch_len,
                kernel=_KERNEL,
                size=fmt.count(size),
            ),
        ),
        numbers={
            "patch_len": model.patch_len,
            "d_model": model.d_model,
            "kernel": _KERNEL,
            "parameters": size,
        },
    )


def weights(facts: Facts, say: Say) -> Told:
    """Every trained tensor, and where each of its dimensions comes from."""
    trainable = facts.plan.trainable
    if trainable is None:
        unknown = say(
            "The numbers of {backbone} are not known here: name a folder that holds it.",
            "这里不知道 {backbone} 的尺寸：请指向存放它的文件夹。",
            backbone=facts.backbone,
        )
        return Told(brief=unknown, blocks=(_path(facts, say),), numbers={"parameters": None})
    tensors = [tensor for module in trainable.modules for tensor in module.tensors]
    large = [tensor for tensor in tensors if len(tensor.shape) > 1]
    titles = (
        say("weight", "权重"),
        say("shape", "形状"),
        say("size", "大小"),
        say("comes from", "来自"),
    )
    rows = tuple(
        (
            _short(tensor.name),
            " x ".join(f"{size:,}" for size in tensor.shape),
            fmt.storage(tensor.bytes),
            _sources(tensor, say),
        )
        for tensor in large
    )
    modules = {
        "prototypes": say("prototypes", "文本原型"),
        "patch_embedding": say("patch embedding", "patch 嵌入"),
        "mapping": say("mapping", "映射层"),
        "reprogramming": say("reprogramming", "重编程"),
        "head": say("head", "输出头"),
    }
    bars = [
        (modules[module.name], float(module.parameters), _share(module.share))
        for module in trainable.modules
        if module.parameters
    ]
    largest = max(trainable.modules, key=lambda module: module.parameters)
    return Told(
        brief=say(
            "{count} trained weights, {size}; {share} of them in the {module}.",
            "共训练 {count} 个权重，{size}；其中 {share} 在{module}。",
            count=fmt.parameters(trainable.parameters),
            size=fmt.storage(trainable.bytes),
            share=f"{100 * largest.share:.1f} %",
            module=modules[largest.name],
        ),
        blocks=(
            Table(rows=(titles, *rows), right=(2,), titled=True),
            bars_diagram(bars),
            _path(facts, say),
            say.passage(
                "A change of a setting in the last column makes another model: a checkpoint of the"
                " one does not fit the other. The language model, {backbone}, is frozen: it is"
                " neither trained nor saved.",
                "改动最后一列里的任何设置都会得到另一个模型：两者的检查点互不通用。"
                "语言模型 {backbone} 是冻结的：既不训练也不保存。",
                backbone=facts.backbone,
            ),
        ),
        numbers={
            "parameters": trainable.parameters,
            "bytes": trainable.bytes,
            **{tensor.name: tensor.parameters for tensor in tensors},
        },
    )


def _share(share: float) -> str:
    """A share that is not nothing is not called so."""
    return "< 0.1 %" if 0.0 < share < 0.0005 else f"{100 * share:.1f} %"


def _short(name: str) -> str:
    """A weight's name without what says nothing here: `patch_embedding`, `reprogramming.key`."""
    kept = name
    for ending in (".weight", ".convolution", ".linear", ".values"):
        kept = kept.removesuffix(ending)
    return kept


def _sources(tensor: TensorPlan, say: Say) -> str:
    """`d_model x patch_len x 3`: a dimension of a constant stands as the constant."""
    names = {
        "backbone: vocabulary": say("vocabulary", "词表"),
        "backbone: embedding width": say("embedding", "词向量宽度"),
    }
    parts = []
    for size, settings in zip(tensor.shape, tensor.depends, strict=True):
        shown = [names.get(s, s.rpartition(".")[2]) for s in settings]
        parts.append(", ".join(shown) if shown else f"{size}")
    return " x ".join(f"({p})" if ", " in p and len(parts) > 1 else p for p in parts)


def _path(facts: Facts, say: Say) -> Block:
    """The way of a batch through the model."""
    data, model, size = facts.config.data, facts.config.model, facts.plan.steps.batch_size
    patches, width = facts.patches, facts.plan.backbone.width
    wide = say("width", "宽度") if width is None else f"{width:,}"
    tokens = facts.plan.prompt_tokens or 0
    layers = facts.plan.backbone.kept_layers
    return path_diagram(
        (
            (
                say("windows", "窗口"),
                f"{size:,}, {data.seq_len:,}",
                say("normalise, cut, embed", "归一化、切分、嵌入"),
            ),
            (
                say("patches", "patch"),
                f"{size:,}, {patches:,}, {model.d_model:,}",
                say(
                    "{heads:head looks|heads look} at {prototypes:text prototype|text prototypes}",
                    "{heads} 个头查看 {prototypes} 个文本原型",
                    heads=Count(model.n_heads),
                    prototypes=Count(model.num_prototypes),
                ),
            ),
            (
                say("in its words", "重编程后"),
                f"{size:,}, {patches:,}, {wide}",
                say(
                    "behind a prompt of about {tokens} tokens",
                    "接在约 {tokens} 个词元的提示之后",
                    tokens=tokens,
                ),
            ),
            (
                say("language model", "语言模型"),
                f"{size:,}, {tokens:,} + {patches:,}, {wide}",
                say(
                    "{layers:frozen layer|frozen layers}; {d_ff:value|values} read at each patch",
                    "{layers} 层，冻结；每个 patch 处读出 {d_ff} 个值",
                    layers=Count("?" if layers is None else layers),
                    d_ff=Count(model.d_ff),
                ),
            ),
            (
                say("answer", "输出"),
                f"{size:,}, {patches:,}, {model.d_ff:,}",
                f"{patches * model.d_ff:,} x {data.pred_len:,}",
            ),
            (say("forecasts", "预测"), f"{size:,}, {data.pred_len:,}", ""),
        )
    )


def inference(facts: Facts, say: Say) -> Told:
    """Whether forecasts repeat, and whether the test split leaks."""
    run, model = facts.config.run, facts.config.model
    rows = (
        ("", say("in training", "训练时"), say("in a forecast", "预测时")),
        (say("dropout", "随机丢弃"), f"{100 * model.dropout:.0f} %", say("none", "无")),
        (say("noise on windows", "窗口噪声"), f"{model.window_noise:g}", say("none", "无")),
        (
            say("order of windows", "窗口顺序"),
            say("by the seed {seed}", "由种子 {seed} 决定", seed=run.seed),
            say("as they come", "按时间"),
        ),
        (say("weights", "权重"), say("moved by each step", "每步移动"), say("fixed", "固定")),
    )
    return Told(
        brief=say(
            "The same weights and the same window give the same forecast; the test windows are"
            " never trained on.",
            "相同的权重和相同的窗口得到相同的预测；测试窗口从不参与训练。",
        ),
        blocks=(
            Table(rows=rows, titled=True),
            say.passage(
                "Everything random is switched off in a forecast. On the same machine, with the"
                " same device and number of threads, it is the same to the last bit; timellm-ops"
                " evaluate prints a digest of all forecasts, by which two evaluations are"
                " compared. Another device rounds differently in the last digits.",
                "预测时一切随机都已关闭。在同一台机器、同一设备、同样的线程数下，结果逐位相同；"
                "timellm-ops evaluate 会打印全部预测的摘要，可用来比较两次评估。"
                "换一种设备，末几位的舍入会不同。",
            ),
            say.passage(
                "Scaling is fitted on training rows alone, early stopping looks at validation"
                " alone. Test windows only look back into earlier rows, as a real forecast does."
                " Choosing between many configs by their test errors would be a leak: choose by"
                " validation.",
                "标准化只用训练行拟合，提前停止只看验证。测试窗口只回看更早的行，与真实预测一样。"
                "按测试误差在许多配置中挑选才会泄露：请按验证误差挑选。",
            ),
            say.passage(
                "Training repeats as well: with run.deterministic = {deterministic} and the seed"
                " {seed}, the same config makes the same weights on the same machine, interrupted"
                " or not.",
                "训练同样可以重现：run.deterministic = {deterministic}、种子 {seed} 时，"
                "同样的配置在同一台机器上得到同样的权重，无论中途是否中断。",
                deterministic=str(run.deterministic).lower(),
                seed=run.seed,
            ),
        ),
        numbers={"seed": run.seed, "deterministic": run.deterministic, "dropout": model.dropout},
    )
