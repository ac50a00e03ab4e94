"""A trained model and what its numbers mean, of a run or of an inference bundle alone."""

from dataclasses import dataclass
from pathlib import Path

import msgspec

from timellm_engine.checkpoints.bundle import load_bundle
from timellm_engine.data.history import Observed, own_series, read_input
from timellm_engine.errors import InputError
from timellm_engine.model.timellm import TimeLLM
from timellm_engine.results.trained import load_trained
from timellm_engine.run_config import read_config
from timellm_engine.training.build import choose_device
from timellm_ops.contract.bundle import Bundle
from timellm_ops.contract.config import Config, DataSection, TrainSection
from timellm_ops.contract.layout import RunLayout
from timellm_ops.contract.prediction import PredictionQuestion

_AT_ONCE = 64
"""Windows of a bundle in one batch: a bundle does not say what its machine has room for."""


@dataclass(frozen=True, kw_only=True)
class Forecaster:
    """A model in evaluation mode. Columns are in the order of the training."""

    run_id: str
    checkpoint: str
    epoch: int
    model: TimeLLM
    section: DataSection
    """How a file of the series is read, and how long windows are."""
    columns: tuple[str, ...]
    tested: tuple[int, ...]
    """Which columns are forecast."""
    mean: tuple[float, ...]
    deviation: tuple[float, ...]
    """The scaler, by column: a scaled value is (value - mean) / deviation."""
    frequency: str
    batch_size: int
    series: Observed | None
    """That of the training, where it is at hand."""

    def observed(self, path: str | None) -> Observed:
        """The series whose future is asked for: of a file, or that of the training. Raises
        `InputError`."""
        if path is not None:
            return read_input(Path(path), self.columns, self.frequency, self.section)
        if self.series is None:
            raise InputError("--input", "nothing", "a file: a bundle holds no data")
        return self.series


def forecaster(question: PredictionQuestion) -> Forecaster:
    """The one that is asked for. Raises `EngineError`."""
    return _of_run(question) if question.bundle is None else _of_bundle(question)


def _of_run(question: PredictionQuestion) -> Forecaster:
    layout = RunLayout(Path(question.run_dir))
    config = read_config(layout)
    trained = load_trained(layout, config, question.checkpoint, question.device)
    data = trained.job.data
    return Forecaster(
        run_id=layout.run_id,
        checkpoint=question.checkpoint,
        epoch=trained.epoch,
        model=trained.job.model,
        section=config.data,
        columns=data.columns,
        tested=data.tested,
        mean=data.mean,
        deviation=data.deviation,
        frequency=data.frequency,
        batch_size=trained.job.config.train.eval_batch_size,
        series=own_series(data, config.data),
    )


def _of_bundle(question: PredictionQuestion) -> Forecaster:
    folder = Path(question.bundle or "")
    train = TrainSection(device=question.device or "auto")
    device = choose_device(Config(data=DataSection(dataset="synthetic"), train=train))
    loaded = load_bundle(folder, device=device, backbone=question.backbone)
    found = loaded.description
    names = tuple(column.name for column in found.columns)
    return Forecaster(
        run_id=found.origin.run_id,
        checkpoint=found.origin.checkpoint,
        epoch=found.origin.epoch,
        model=loaded.model,
        section=_section_of(found),
        columns=names,
        tested=tuple(names.index(name) for name in found.tested),
        mean=tuple(column.mean for column in found.columns),
        deviation=tuple(column.deviation for column in found.columns),
        frequency=found.frequency,
        batch_size=_AT_ONCE,
        series=None,
    )


def _section_of(found: Bundle) -> DataSection:
    """As the run read its own file, but any columns besides are none of its concern."""
    return DataSection(
        dataset="custom",
        target=found.tested[0],
        features="M",
        seq_len=found.seq_len,
        pred_len=found.pred_len,
        frequency=found.frequency,
        **msgspec.structs.asdict(found.reading),
    )
