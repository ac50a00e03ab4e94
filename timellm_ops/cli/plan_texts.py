"""The words of the page that `plan` prints, in English and Chinese."""

from msgspec import Struct

from timellm_ops.cli.options import Language


class PlanTexts(Struct, frozen=True, kw_only=True):
    """Labels, and sentences with places for numbers."""

    splits: str
    split_columns: tuple[str, ...]
    names: dict[str, str]
    """Splits, modules, phases and items of memory by what they are called in a plan."""
    as_published: str
    steps: str
    step_rows: tuple[str, ...]
    """Samples; iterations as configured; with and without the partial batch; pieces; evaluation."""
    partial: str
    trainable: str
    weight_columns: tuple[str, ...]
    total: str
    share_words: str
    backbone: str
    backbone_words: str
    backbone_unknown: str
    known_from: dict[str, str]
    memory: str
    memory_where: dict[str, str]
    basis: dict[str, str]
    peak: str
    measured_peak: str
    files: str
    file_columns: tuple[str, ...]
    files_note: str
    time: str
    time_unknown: str
    time_rows: tuple[str, ...]
    fit: str
    fits: str
    fits_not: str
    remedy: str
    remedy_fits: str
    remedy_not: str
    no_remedy: str
    prompt: str


_EN = PlanTexts(
    splits="Data",
    split_columns=(
        "split", "rows", "+ look-back", "from", "to", "windows", "× columns", "= samples",
    ),
    names={
        "train": "training", "vali": "validation", "test": "test",
        "training": "training", "evaluation": "evaluation", "final_test": "final test",
    },
    as_published=(
        "{dataset}, {rows:row|rows} and {columns:column|columns} as published; the file is not here"
    ),
    steps="Iterations",
    step_rows=(
        "an epoch", "{epochs:epoch|epochs}", "with the partial batch",
        "without it (train.drop_last)", "passes in a step (train.accumulate)",
        "batches of a validation, of a test",
    ),
    partial="the last batch of an epoch has {count} of {size:sample|samples}",
    trainable="Trained weights",
    weight_columns=("tensor", "shape", "parameters", "size", "comes from"),
    total="sum",
    share_words="{module} has {share} of them",
    backbone="Backbone",
    backbone_words="{name}, {kept} of {layers:layer|layers}: {count} parameters, {size} in {dtype}",
    backbone_unknown="{name}: not known before it is here, and with it neither weights nor memory",
    known_from={
        "embedded": "the engine's own", "folder": "from its config.json",
        "cache": "from its config.json in the hub's cache",
        "table": "from the table of well-known backbones; nothing was fetched",
        "table_by_name": "{source} is not here; going by its name it is {known}",
        "nothing": "neither here nor well known",
    },
    memory="Memory at its peak, {where}",
    memory_where={"cpu": "of the engine's process", "cuda": "on the GPU"},
    basis={"exact": "", "estimate": "estimate", "assumed": "assumed"},
    peak="peak",
    measured_peak="measured",
    files="Files",
    file_columns=("where", "file", "size", "bytes"),
    files_note=(
        "with the one before each that stays, about {kept} at the end; and a few KB of "
        "state.json, manifest.json and bundle.json"
    ),
    time="Time",
    time_unknown="only a few real steps can tell: add --measure",
    time_rows=("a step", "evaluated", "an epoch", "whole run"),
    fit="Fit",
    fits="needs {needed} of {memory}: it fits, {left} are left",
    fits_not="needs {needed}, and there are {memory}: it does not fit",
    remedy="with {changes}: {needed}",
    remedy_fits="it fits",
    remedy_not="not yet",
    no_remedy="nothing that a config can change would make it fit",
    prompt="a prompt of about {tokens:token|tokens} before {patches:patch|patches}",
)  # fmt: skip

_ZH = PlanTexts(
    splits="数据",
    split_columns=("划分", "行数", "+ 回看", "起", "止", "窗口", "× 列数", "= 样本"),
    names={
        "train": "训练集", "vali": "验证集", "test": "测试集",
        "training": "训练", "evaluation": "评估", "final_test": "最终测试",
        "runtime": "运行库", "backbone": "骨干（冻结）", "weights": "可训练权重",
        "gradients": "梯度", "optimiser": "优化器状态", "in passing": "临时",
        "mapping, rounded": "映射层的低精度副本",
        "mapping: gradient, and rounded": "映射层的梯度及低精度副本",
        "backbone: laid out for the processor": "骨干：按处理器排布的权重",
        "words: laid out for the processor": "词嵌入：按处理器排布的权重",
        "words of prompts, in the first layer": "提示词中的词：第一层的结果",
        "backbone: a weight written out": "骨干：展开的一个权重",
        "making the prototypes": "生成初始原型",
        "solving for the head": "求解输出头的初值",
        "moments, written out": "展开的优化器状态",
        "activations: patch embedding": "激活：patch 嵌入",
        "activations: reprogramming": "激活：重编程注意力",
        "activations: prompt": "激活：提示词", "activations: backbone": "激活：骨干",
        "activations: head": "激活：输出头",
        "not given back after training": "训练后未归还系统",
        "last weights": "最后的权重", "best weights, read back": "读回的最佳权重",
        "keys and values of the prompts": "提示词的键和值",
    },
    as_published="{dataset}：按公布的 {rows} 行 {columns} 列计算；本机没有该文件",
    steps="迭代",
    step_rows=(
        "每轮", "{epochs} 轮", "含不满的批", "不含（train.drop_last）",
        "每步的前向次数（train.accumulate）", "一次验证、一次测试的批数",
    ),
    partial="每轮的最后一批有 {count} 个样本（满批 {size} 个）",
    trainable="可训练权重",
    weight_columns=("张量", "形状", "参数量", "大小", "取决于"),
    total="合计",
    share_words="{module} 占 {share}",
    backbone="骨干模型",
    backbone_words="{name}，{layers} 层中的 {kept} 层：冻结参数 {count}，以 {dtype} 占 {size}",
    backbone_unknown="{name}：本机没有，规模未知，因此权重和内存也未知",
    known_from={
        "embedded": "引擎自带", "folder": "来自其 config.json",
        "cache": "来自缓存中的 config.json",
        "table": "来自常见骨干模型表；没有下载任何东西",
        "table_by_name": "本机没有 {source}；按名称视为 {known}",
        "nothing": "本机没有，也不在常见模型表中",
    },
    memory="峰值内存，{where}",
    memory_where={"cpu": "引擎进程", "cuda": "显存"},
    basis={"exact": "", "estimate": "估计", "assumed": "假定"},
    peak="峰值",
    measured_peak="实测",
    files="文件",
    file_columns=("位置", "文件", "大小", "字节"),
    files_note=(
        "连同各自保留的前一份，结束时约 {kept}；另有几 KB 的 state.json、manifest.json 和 "
        "bundle.json"
    ),
    time="时间",
    time_unknown="需要实际运行几步才能知道：加上 --measure",
    time_rows=("每步", "评估速度", "每轮", "全部"),
    fit="能否放下",
    fits="需要 {needed}，共有 {memory}：放得下，剩余 {left}",
    fits_not="需要 {needed}，只有 {memory}：放不下",
    remedy="改为 {changes}：{needed}",
    remedy_fits="放得下",
    remedy_not="还不够",
    no_remedy="改配置也无法放下",
    prompt="每个提示词约 {tokens} 个 token，后接 {patches} 个 patch",
)  # fmt: skip

TEXTS: dict[Language, PlanTexts] = {"en": _EN, "zh": _ZH}
