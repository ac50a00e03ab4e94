"""A run's model against the truth and against simple forecasters, window by window.

As a process: `python -m timellm_engine.results.evaluation`, with the question on standard input.
"""

import contextlib
import sys
import time
from pathlib import Path

import msgspec
import numpy as np
import torch

from timellm_engine.checkpoints.provenance import origin_of
from timellm_engine.results.baselines import (
    Baseline,
    dlinear,
    last_value,
    seasonal_naive,
    usual_season,
    window_mean,
)
from timellm_engine.results.forecast_table import ForecastWriter, forecast_table
from timellm_engine.results.forecasts import Digest, EvaluatedWindows, forecasts
from timellm_engine.results.metrics import Sums
from timellm_engine.results.plots import Panel, draw_evaluation
from timellm_engine.results.trained import Trained, load_trained
from timellm_engine.run_config import read_config
from timellm_engine.task import Tell, read_question, run_task
from timellm_ops.contract.evaluation import (
    BaselineScore,
    Computed,
    Evaluation,
    EvaluationQuestion,
    Recorded,
    compare,
    recorded_beside,
)
from timellm_ops.contract.layout import RunLayout

_SHOWN = (("best", 0.0), ("better than 3 of 4", 0.25), ("median", 0.5), ("worse than 3 of 4", 0.75),
          ("worse than 19 of 20", 0.95), ("worst", 1.0))  # fmt: skip
"""Which forecasts are drawn: by their window's place in the order of squared errors."""


def evaluate_run(question: EvaluationQuestion, tell: Tell) -> Evaluation:
    """Evaluate a run's model; nothing of the run is changed. Raises `EngineError`."""
    layout = RunLayout(Path(question.run_dir))
    config = read_config(layout)
    trained = load_trained(layout, config, question.checkpoint, question.device)
    batch_size = question.batch_size or config.train.eval_batch_size
    of = EvaluatedWindows(trained.job.data, question.split)
    began = time.monotonic()
    baselines = _baselines(trained, question.season, tell)
    with contextlib.ExitStack() as open_files:
        table = None
        if question.forecasts is not None:
            table = open_files.enter_context(forecast_table(Path(question.forecasts), of.names))
        passed = _Pass(trained, of, batch_size, baselines, table)
        passed.run(tell, question.split)
    found = passed.answer(question, time.monotonic() - began)
    recorded = _recorded(layout, found)
    files = () if question.forecasts is None else (question.forecasts,)
    if question.plots is not None:
        panels = _panels(trained, of, passed.window_mse, batch_size)
        files = (*files, *draw_evaluation(question.plots, found, panels))
    return msgspec.structs.replace(found, recorded=recorded, files=files)


def _recorded(layout: RunLayout, found: Evaluation) -> Recorded | None:
    """What the run wrote down about these weights and this split, if it did."""
    if found.split == "train" or not found.whole_epoch:
        return None
    origin = origin_of(layout, found.checkpoint, found.epoch, found.iteration)
    if found.split == "test":
        mse, mae = origin.test_mse, origin.test_mae
    else:
        mse, mae = origin.vali_mse, origin.vali_mae
    return None if mse is None else recorded_beside(found, mse, mae)


def _baselines(trained: Trained, season: int | None, tell: Tell) -> list[Baseline]:
    data, section = trained.job.data, trained.job.config.data
    if season is None:
        season = usual_season(data.frequency)
    return [
        dlinear(
            EvaluatedWindows(data, "train").series(),
            EvaluatedWindows(data, "vali").series(),
            section.seq_len,
            section.pred_len,
            lambda done, total: tell("DLinear", done, total),
        ),
        seasonal_naive(section.seq_len, section.pred_len, season),
        last_value(section.pred_len),
        window_mean(section.pred_len),
    ]


class _Pass:
    """Once over all windows of a split: errors of the model and the baselines, and the digest."""

    def __init__(
        self,
        trained: Trained,
        of: EvaluatedWindows,
        batch_size: int,
        baselines: list[Baseline],
        table: ForecastWriter | None,
    ) -> None:
        self._trained, self._of, self._batch_size = trained, of, batch_size
        self._baselines, self._table = baselines, table
        shape = len(of.names), trained.job.config.data.pred_len
        self._model = Sums.none(*shape)
        self._simple = [Sums.none(*shape) for _ in baselines]
        self._digest = Digest()
        self.window_mse = np.empty(len(of.windows), dtype=np.float32)
        """Of every window, by its number."""

    def run(self, tell: Tell, what: str) -> None:
        """Forecast every window once."""
        total, done = len(self._of.windows), 0
        numbers = torch.arange(total)
        tell(f"{what} windows", 0, total)
        for batch in forecasts(
            self._trained.job.model, self._of.windows, numbers, self._batch_size
        ):
            variables = self._of.variables(batch.numbers)
            errors = self._model.add(variables, batch.forecast, batch.truth)
            self.window_mse[batch.numbers.numpy()] = errors.numpy()
            self._digest.add(batch.forecast)
            for sums, baseline in zip(self._simple, self._baselines, strict=True):
                if baseline.forecast is not None:
                    sums.add(variables, baseline.forecast(batch.history), batch.truth)
            if self._table is not None:
                self._table.add(self._of.shown(batch))
            done += len(batch.numbers)
            tell(f"{what} windows", done, total)

    def answer(self, question: EvaluationQuestion, seconds: float) -> Evaluation:
        """What came of it."""
        job, overall = self._trained.job, self._model.overall()
        scores = [
            _scored(baseline, sums)
            for baseline, sums in zip(self._baselines, self._simple, strict=True)
        ]
        best = compare(overall.mse, scores)
        return Evaluation(
            run_id=self._trained.run_id,
            split=question.split,
            checkpoint=question.checkpoint,
            epoch=self._trained.epoch,
            iteration=self._trained.iteration,
            whole_epoch=self._trained.iteration == job.steps_per_epoch,
            seq_len=job.config.data.seq_len,
            pred_len=job.config.data.pred_len,
            windows=len(self._of.windows),
            mse=overall.mse,
            mae=overall.mae,
            variables=self._model.by_variable(self._of.names, self._of.deviations),
            by_step=self._model.by_step(),
            baselines=tuple(scores),
            best_baseline=None if best is None else best.name,
            skill=None if best is None else best.skill,
            digest=self._digest.hex(),
            computed=Computed(
                batch_size=self._batch_size,
                device=str(job.device),
                threads=torch.get_num_threads(),
                torch=str(torch.__version__),
            ),
            seconds=seconds,
        )


def _scored(baseline: Baseline, sums: Sums) -> BaselineScore:
    if baseline.forecast is None:
        return BaselineScore(name=baseline.name, detail=baseline.detail)
    overall = sums.overall()
    return BaselineScore(
        name=baseline.name,
        detail=baseline.detail,
        mse=overall.mse,
        mae=overall.mae,
        by_step=sums.by_step(),
    )


def _panels(
    trained: Trained, of: EvaluatedWindows, window_mse: np.ndarray, batch_size: int
) -> list[Panel]:
    """A few forecasts from the best to the worst, in original units."""
    order = np.argsort(window_mse, kind="stable")
    chosen = [int(order[round(share * (len(order) - 1))]) for _, share in _SHOWN]
    panels = []
    numbers = torch.tensor(chosen)
    titles = iter(_SHOWN)
    for batch in forecasts(trained.job.model, of.windows, numbers, batch_size):
        shown = of.shown(batch)
        for row in range(len(batch.numbers)):
            place, _ = next(titles)
            name = of.names[shown.variable[row]]
            error = window_mse[int(batch.numbers[row])]
            panels.append(
                Panel(
                    title=f"{place}: {name}, MSE {error:.3g}",
                    past=shown.past[row],
                    history=shown.history[row],
                    future=shown.future[row],
                    truth=shown.truth[row],
                    forecast=shown.forecast[row],
                )
            )
    return panels


if __name__ == "__main__":
    sys.exit(run_task(lambda tell: evaluate_run(read_question(EvaluationQuestion), tell)))
