"""An evaluation as a page of plain text: numbers that people compare, one under the other."""

from collections.abc import Iterator, Sequence
from itertools import pairwise

from timellm_ops.cli.evaluation_texts import ENGLISH, Texts
from timellm_ops.cli.text_table import table
from timellm_ops.contract.counting import Count
from timellm_ops.contract.evaluation import Evaluation, Score, compare

_BLOCKS, _ASCII_BLOCKS = "▁▂▃▄▅▆▇█", "_.-=+*#@"
_SPARK_CELLS = 32
_MOST_VARIABLES = 12
_STEPS_SHOWN = 5
_EQUAL = 5e-4
"""Share of an MSE below which two are called equal: what the percentage rounds to nothing."""


def evaluation_page(
    found: Evaluation, texts: Texts = ENGLISH, *, ascii_only: bool = False
) -> Iterator[str]:
    """Line by line."""
    form = texts.weights if found.epoch else texts.imported
    at = "" if found.whole_epoch or not found.epoch else texts.step.format(step=found.iteration)
    yield form.format(run=found.run_id, checkpoint=found.checkpoint, epoch=found.epoch) + at
    windows = texts.windows.format(
        split=texts.splits[found.split],
        each=Count(found.windows // max(1, len(found.variables))),
        variables=Count(len(found.variables)),
        windows=found.windows,
        seq_len=Count(found.seq_len),
        pred_len=found.pred_len,
    )
    yield windows.replace("×", "x") if ascii_only else windows
    yield ""
    yield from _compared(found, texts)
    yield ""
    yield sentence(found, texts)
    yield ""
    yield from _by_variable(found, texts)
    yield ""
    yield from _by_step(found, texts, ascii_only=ascii_only)
    yield ""
    yield from _identity(found, texts)
    yield from found.files


def sentence(found: Evaluation, texts: Texts = ENGLISH) -> str:
    """Whether the model helps at all, in one sentence."""
    best = compare(found.mse, found.baselines)
    if best is None or best.skill is None:
        return texts.incomparable
    if abs(best.skill) < _EQUAL:
        form = texts.equal
    else:
        form = texts.better if best.skill > 0 else texts.worse
    return form.format(
        percent=100 * abs(best.skill),
        name=texts.baselines.get(best.name, best.name),
        mse=found.mse,
        other=best.mse,
    )


def _compared(found: Evaluation, texts: Texts) -> Iterator[str]:
    rows = [
        (texts.scaled, "MSE", "MAE", ""),
        ("Time-LLM", _short(found.mse), _short(found.mae), ""),
    ]
    for baseline in found.baselines:
        mse, mae = ("-" if e is None else _short(e) for e in (baseline.mse, baseline.mae))
        name = texts.baselines.get(baseline.name, baseline.name)
        detail = baseline.detail
        if baseline.mse is not None:  # why one cannot forecast is said as it was found
            detail = texts.details.get(baseline.name, detail)
        rows.append((name, mse, mae, detail))
    yield from table(rows)


def _by_variable(found: Evaluation, texts: Texts) -> Iterator[str]:
    """Errors in original units exist by variable only: each has a unit of its own."""
    highest = sorted(found.variables, key=lambda v: -v.mse)[:_MOST_VARIABLES]
    shown = [variable for variable in found.variables if variable in highest]
    rows = [(texts.by_variable, "MSE", "MAE", texts.mae_in_unit, texts.rmse_in_unit)]
    for v in shown:
        original = f"{v.mae_original:.4g}", f"{v.mse_original**0.5:.4g}"
        rows.append((v.name, _short(v.mse), _short(v.mae), *original))
    yield from table(rows)
    more = len(found.variables) - len(shown)
    if more > 0:
        yield texts.more_variables.format(count=more)


def _by_step(found: Evaluation, texts: Texts, *, ascii_only: bool) -> Iterator[str]:
    last = len(found.by_step) - 1
    count = min(_STEPS_SHOWN, last + 1)
    steps = sorted({round(last * i / max(1, count - 1)) for i in range(count)})
    chosen = [found.by_step[step] for step in steps]
    yield from table(
        [
            (texts.by_step, *(str(step + 1) for step in steps)),
            ("MSE", *(_short(score.mse) for score in chosen)),
            ("MAE", *(_short(score.mae) for score in chosen)),
        ]
    )
    course = sparkline(found.by_step, ascii_only=ascii_only)
    yield texts.course.format(last=last + 1, course=course)


def sparkline(scores: Sequence[Score], *, ascii_only: bool = False) -> str:
    """MSE by step as one row of blocks, from the lowest to the highest."""
    blocks = _ASCII_BLOCKS if ascii_only else _BLOCKS
    cells = min(_SPARK_CELLS, len(scores))
    edges = [round(len(scores) * i / cells) for i in range(cells + 1)]
    means = [
        sum(score.mse for score in scores[begin:end]) / (end - begin)
        for begin, end in pairwise(edges)
    ]
    low, high = min(means), max(means)
    span = high - low or 1.0
    return "".join(blocks[round((mean - low) / span * (len(blocks) - 1))] for mean in means)


def _identity(found: Evaluation, texts: Texts) -> Iterator[str]:
    if found.recorded is not None:
        errors = f"MSE {found.recorded.mse:.7f}"
        if found.recorded.mae is not None:
            errors += f", MAE {found.recorded.mae:.7f}"
        verdict = texts.agrees if found.recorded.agrees else texts.differs
        yield texts.recorded.format(errors=errors, verdict=verdict)
    computed = found.computed
    yield texts.digest.format(
        digest=found.digest,
        batch_size=computed.batch_size,
        device=computed.device,
        threads=Count(computed.threads),
        torch=computed.torch,
        seconds=found.seconds,
    )


def _short(error: float) -> str:
    return f"{error:.4f}"
