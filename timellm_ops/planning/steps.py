"""Splits, windows, batches and steps, exactly as the engine will have them."""

import math
from collections.abc import Mapping

from timellm_ops.contract.config import DataSection, TrainSection
from timellm_ops.contract.datareport import DataReport
from timellm_ops.contract.plan import DataPlan, SplitName, SplitPlan, StepsPlan
from timellm_ops.contract.published import PUBLISHED_SHAPES
from timellm_ops.contract.shapes import head_windows
from timellm_ops.contract.splits import forecast_columns, split_ends, splits_of, steps_per_epoch

_NAMES: tuple[SplitName, ...] = ("train", "vali", "test")


def published_data(section: DataSection) -> DataPlan:
    """The splits of a data set whose size is known without its file: published, or synthetic."""
    if section.dataset == "synthetic":
        rows, columns = section.synthetic_rows, section.synthetic_columns
    else:
        shape = PUBLISHED_SHAPES[section.dataset]
        rows, columns = shape.rows, shape.columns
    splits = splits_of(section, split_ends(section, rows))
    trained, tested = forecast_columns(section, columns)
    return DataPlan(
        dataset=section.dataset,
        source="",
        rows=rows,
        columns=trained,
        splits=tuple(
            SplitPlan(
                name=name,
                rows=found.end - found.begin - _look_back(section, name),
                look_back=_look_back(section, name),
                windows=found.windows(section),
                columns=count,
                samples=found.windows(section) * count,
            )
            for name, found, count in zip(
                _NAMES, splits[:3], (trained, tested, tested), strict=True
            )
        ),
    )


def reported_data(section: DataSection, report: DataReport) -> DataPlan:
    """The splits of a series that was read."""
    return DataPlan(
        dataset=section.dataset,
        source=report.source,
        rows=report.rows,
        columns=len(report.columns),
        splits=tuple(
            SplitPlan(
                name=name,
                rows=split.rows,
                look_back=_look_back(section, name),
                windows=split.windows,
                columns=split.columns,
                samples=split.samples,
                first=split.first,
                last=split.last,
            )
            for name, split in zip(_NAMES, report.splits, strict=True)
        ),
    )


def _look_back(section: DataSection, name: SplitName) -> int:
    return 0 if name == "train" else section.seq_len


def steps_plan(train: TrainSection, data: DataPlan, *, solves_head: bool = False) -> StepsPlan:
    """Iterations of every kind."""
    samples = {split.name: split.samples for split in data.splits}
    whole, partial = divmod(samples["train"], train.batch_size)
    with_partial = whole + (partial > 0)
    own = steps_per_epoch(train, samples["train"])
    return StepsPlan(
        epochs=train.epochs,
        batch_size=train.batch_size,
        drop_last=train.drop_last,
        per_epoch=own,
        total=train.epochs * own,
        per_epoch_with_partial=with_partial,
        per_epoch_without_partial=whole,
        total_with_partial=train.epochs * with_partial,
        total_without_partial=train.epochs * whole,
        partial_batch=partial,
        pieces_per_step=min(train.accumulate, train.batch_size),
        vali_batches=math.ceil(samples["vali"] / train.eval_batch_size),
        test_batches=math.ceil(samples["test"] / train.eval_batch_size),
        evaluated_windows=_evaluated(train, samples),
        head_windows=head_windows(samples["train"], samples["vali"]) if solves_head else 0,
    )


def _evaluated(train: TrainSection, samples: Mapping[SplitName, int]) -> int:
    tests = {"each_epoch": train.epochs, "end": 1, "never": 0}[train.test]
    return train.epochs * samples["vali"] + tests * samples["test"]
