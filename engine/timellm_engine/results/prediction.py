"""A forecast beyond what is known, with the model of a run or of a bundle, and its own scaler.

As a process: `python -m timellm_engine.results.prediction`, with the question on standard input.
"""

import sys
from pathlib import Path

import msgspec
import numpy as np
import torch

from timellm_engine.aside import write_beside
from timellm_engine.data.history import History, history_before
from timellm_engine.data.timeline import iso
from timellm_engine.data.windows import in_batches
from timellm_engine.results.forecaster import Forecaster, forecaster
from timellm_engine.results.forecasts import Digest, check_finite
from timellm_engine.results.plots import Panel, draw_forecasts
from timellm_engine.results.prediction_table import prediction_csv, write_prediction
from timellm_engine.task import Tell, read_question, run_task
from timellm_ops.contract.prediction import Prediction, PredictionQuestion, VariableForecast

_MOST_PANELS = 8


def predict_run(question: PredictionQuestion, tell: Tell) -> Prediction:
    """Forecast what comes after the history; nothing of the run is changed.

    Raises `EngineError`.
    """
    model = forecaster(question)
    observed = model.observed(question.input)
    history = history_before(observed, question.horizon_from, model.section, model.frequency)
    scaled, digest = _forecast(model, history, tell)
    columns = list(model.tested)
    deviation, mean = np.array(model.deviation)[columns], np.array(model.mean)[columns]
    forecast = (scaled * deviation + mean).astype(np.float32)
    found = Prediction(
        run_id=model.run_id,
        checkpoint=model.checkpoint,
        epoch=model.epoch,
        source=observed.source,
        frequency=model.frequency,
        history_from=iso(history.past[0]),
        history_to=iso(history.past[-1]),
        timestamps=tuple(iso(moment) for moment in history.future),
        variables=tuple(
            VariableForecast(
                name=model.columns[column],
                forecast=_shortest(forecast[:, place]),
                truth=_shortest(history.truth[:, column].astype(np.float32)),
            )
            for place, column in enumerate(columns)
        ),
        digest=digest,
        findings=observed.findings,
    )
    usual = Path(question.folder) / _usual_name(found)
    if question.output is None:
        output = write_beside(usual, prediction_csv(found, history.future, long=question.long))
    else:
        output = Path(question.output)
        write_prediction(output, found, history.future, long=question.long)
    files = [str(output)]
    if question.plot is not None:
        _draw(Path(question.plot), found, history, columns)
        files.append(question.plot)
    other = None if question.output is not None or output == usual else str(usual)
    return msgspec.structs.replace(found, files=tuple(files), other_forecast=other)


def _usual_name(found: Prediction) -> str:
    """By the first timestamp, as a file may be called: `forecast-20180220T1300.csv`."""
    date, _, moment = found.timestamps[0].partition(" ")
    digits = "".join(c for c in moment.removesuffix(":00") if c.isdigit())
    return f"forecast-{date.replace('-', '')}T{digits}.csv"


def _forecast(
    model: Forecaster, history: History, tell: Tell
) -> tuple[np.ndarray[tuple[int, int], np.dtype[np.float64]], str]:
    """Scaled forecasts of the tested columns, `[pred_len, columns]`, and their digest."""
    scaled = (history.values - np.array(model.mean)) / np.array(model.deviation)
    windows = torch.from_numpy(scaled.T.astype(np.float32, order="C"))[list(model.tested)]
    digest, found = Digest(), []
    for numbers in in_batches(torch.arange(len(windows)), model.batch_size):
        few = windows[numbers]
        with torch.inference_mode():
            forecast = model.model(few).float().cpu()
        check_finite(forecast)
        digest.add(forecast)
        found.append(forecast)
        tell("variables", sum(map(len, found)), len(windows))
    return torch.cat(found).T.double().numpy(), digest.hex()


def _shortest(values: np.ndarray[tuple[int], np.dtype[np.float32]]) -> tuple[float, ...]:
    """The numbers with as many digits as single precision has, and not those of double."""
    return tuple(float(str(value)) for value in values)


def _draw(path: Path, found: Prediction, history: History, columns: list[int]) -> None:
    panels = []
    for variable, column in list(zip(found.variables, columns, strict=True))[:_MOST_PANELS]:
        truth = np.array(variable.truth, dtype=np.float32)
        panels.append(
            Panel(
                title=variable.name,
                past=history.past,
                history=history.values[:, column].astype(np.float32),
                future=history.future,
                truth=truth,
                forecast=np.array(variable.forecast, dtype=np.float32),
            )
        )
    more = len(found.variables) - len(panels)
    also = f", the first {len(panels)} of {len(found.variables)} variables" if more else ""
    title = f"Forecast from {found.timestamps[0]}: {found.run_id}, {found.checkpoint}{also}"
    draw_forecasts(path, title, panels)


if __name__ == "__main__":
    sys.exit(run_task(lambda tell: predict_run(read_question(PredictionQuestion), tell)))
