"""The words around an evaluation's numbers, in English and in Chinese."""

from msgspec import Struct

from timellm_dashboard.words.names import CHINESE_BASELINES
from timellm_ops.cli.options import Language


class Texts(Struct, frozen=True, kw_only=True):
    """What a page of an evaluation says; braces are filled in by the page."""

    weights: str
    step: str
    imported: str
    """Instead of `weights`, where nobody knows after how many epochs they were saved."""
    windows: str
    splits: dict[str, str]
    scaled: str
    baselines: dict[str, str]
    """Names of the baselines, where they are not the same."""
    details: dict[str, str]
    """How the baselines forecast, where it is not said as the engine says it."""
    better: str
    worse: str
    equal: str
    incomparable: str
    by_variable: str
    mae_in_unit: str
    rmse_in_unit: str
    more_variables: str
    by_step: str
    course: str
    recorded: str
    agrees: str
    differs: str
    digest: str


ENGLISH = Texts(
    weights="{run}: weights {checkpoint}, epoch {epoch}",
    step=", step {step}",
    imported="{run}: weights {checkpoint}, imported",
    windows=(
        "{split} split, {each:window|windows} × {variables:variable|variables} = {windows:,}; "
        "{seq_len:step|steps} in, {pred_len} out"
    ),
    splits={"test": "test", "vali": "validation", "train": "training"},
    scaled="scaled",
    baselines={},
    details={},
    better=(
        "Time-LLM is {percent:.1f} % better than the best baseline, {name}: MSE {mse:.4f} against "
        "{other:.4f}."
    ),
    worse=(
        "Time-LLM is {percent:.1f} % worse than the best baseline, {name}: MSE {mse:.4f} against "
        "{other:.4f}."
    ),
    equal="Time-LLM is as good as the best baseline, {name}: MSE {mse:.4f}.",
    incomparable="There is no baseline to compare with.",
    by_variable="by variable",
    mae_in_unit="MAE in its unit",
    rmse_in_unit="RMSE in its unit",
    more_variables="variables with smaller errors: {count} more, in the file below",
    by_step="by step",
    course="MSE, step 1 to {last}: {course}",
    recorded="on record: {errors}, {verdict}",
    agrees="the same",
    differs="NOT the same",
    digest=(
        "digest of the forecasts: {digest} (batches of {batch_size} on {device}, "
        "{threads:thread|threads}, torch {torch}; {seconds:.0f} s)"
    ),
)

CHINESE = Texts(
    weights="{run}：权重 {checkpoint}，第 {epoch} 轮",
    step="，第 {step} 步",
    imported="{run}：权重 {checkpoint}，导入的",
    windows=(
        "{split}划分，{each} 个窗口 × {variables} 个变量 = {windows:,}；输入 {seq_len} 步，"
        "预测 {pred_len} 步"
    ),
    splits={"test": "测试", "vali": "验证", "train": "训练"},
    scaled="标准化后",
    baselines=CHINESE_BASELINES,
    details={
        "DLinear": "25 步移动平均的趋势与余项，各一个线性映射，拟合于训练窗口",
        "seasonal naive": "重复窗口的最后一个周期",
        "last value": "每一步都取窗口的最后一个值",
        "window mean": "每一步都取窗口的均值",
    },
    better="Time-LLM 比最好的基线 {name} 好 {percent:.1f} %：MSE {mse:.4f} 对 {other:.4f}。",
    worse="Time-LLM 比最好的基线 {name} 差 {percent:.1f} %：MSE {mse:.4f} 对 {other:.4f}。",
    equal="Time-LLM 与最好的基线 {name} 一样好：MSE {mse:.4f}。",
    incomparable="没有可比较的基线。",
    by_variable="按变量",
    mae_in_unit="MAE（原单位）",
    rmse_in_unit="RMSE（原单位）",
    more_variables="另有 {count} 个误差更小的变量，见下面的文件",
    by_step="按步",
    course="MSE，第 1 到 {last} 步：{course}",
    recorded="运行记录：{errors}，{verdict}",
    agrees="一致",
    differs="不一致",
    digest=(
        "预测的摘要：{digest}（每批 {batch_size}，{device}，{threads} 线程，torch {torch}；"
        "{seconds:.0f} 秒）"
    ),
)

TEXTS: dict[Language, Texts] = {"en": ENGLISH, "zh": CHINESE}
