"""The words around a data set's numbers and around a forecast, in English and in Chinese.

What the engine has come upon in a series stands beside them by `words.phrases.said_of_data`.
"""

from msgspec import Struct

from timellm_ops.cli.options import Language


class DataTexts(Struct, frozen=True, kw_only=True):
    """What the page of a data set says; braces are filled in by the page."""

    rows: str
    rows_every: str
    first: str
    last: str
    columns: str
    tested: str
    more: str
    split: str
    windows: str
    splits: dict[str, str]
    digest: str


class PredictionTexts(Struct, frozen=True, kw_only=True):
    """What the page of a forecast says."""

    weights: str
    imported: str
    """Instead of `weights`, where nobody knows after how many epochs they were saved."""
    history: str
    timestamp: str
    more: str
    error: str
    digest: str
    other: str
    """Before the names of the files, where the usual one holds something else."""


DATA: dict[Language, DataTexts] = {
    "en": DataTexts(
        rows="rows",
        rows_every="{rows:,}, every {frequency}",
        first="from",
        last="to",
        columns="columns",
        tested="tested",
        more="{shown} and {count} more",
        split="split",
        windows="windows of {seq_len:step|steps} to {pred_len}",
        splits={"train": "training", "vali": "validation", "test": "test"},
        digest="digest",
    ),
    "zh": DataTexts(
        rows="行数",
        rows_every="{rows:,}，间隔 {frequency}",
        first="起",
        last="止",
        columns="列",
        tested="测试列",
        more="{shown} 等，另有 {count} 列",
        split="划分",
        windows="窗口（{seq_len} 步预测 {pred_len} 步）",
        splits={"train": "训练", "vali": "验证", "test": "测试"},
        digest="摘要",
    ),
}

PREDICTION: dict[Language, PredictionTexts] = {
    "en": PredictionTexts(
        weights="{run}: weights {checkpoint}, epoch {epoch}",
        imported="{run}: weights {checkpoint}, imported",
        history="history: {first} to {last}, {source}",
        timestamp="timestamp",
        more="variables besides: {count}, in the file below",
        error="{name}: mean absolute error {error:.4g} over {steps:known step|known steps}",
        digest="digest of the forecasts: {digest}",
        other="{path} holds something else and is left as it is; this one is in:",
    ),
    "zh": PredictionTexts(
        weights="{run}：权重 {checkpoint}，第 {epoch} 轮",
        imported="{run}：权重 {checkpoint}，导入",
        history="历史：{first} 至 {last}，{source}",
        timestamp="时间",
        more="其余 {count} 个变量见下面的文件",
        error="{name}：与已知的 {steps} 步相比，平均绝对误差 {error:.4g}",
        digest="预测的摘要：{digest}",
        other="{path} 里是别的内容，保持不变；这一次写在：",
    ),
}
