"""Inference from a bundle: the model with its prototypes folded, and the scaler. No training.

bundle = load_bundle(Path("runs/<id>/bundle"))
forecast = bundle.forecast(history)  # [seq_len, columns] to [pred_len, columns]
"""

from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from timellm_engine.durable import described
from timellm_engine.errors import InputError
from timellm_engine.model.backbone import load_backbone
from timellm_engine.model.timellm import TimeLLM
from timellm_ops.contract import bundle as contract
from timellm_ops.contract.bundle import DESCRIPTION, FORMAT, WEIGHTS

_Values = np.ndarray[tuple[int, int], np.dtype[np.float64]]


@dataclass(frozen=True, kw_only=True)
class LoadedBundle:
    """A model in evaluation mode, and what its numbers mean."""

    model: TimeLLM
    description: contract.Bundle
    device: torch.device

    def forecast(self, history: _Values) -> _Values:
        """The `pred_len` steps after `history`, `[seq_len, columns]`, both in original units.

        Columns are in the bundle's order. Raises `ValueError` for another shape, or a number that
        is not finite.
        """
        wanted = (self.description.seq_len, len(self.description.columns))
        if history.shape != wanted:
            raise ValueError(f"the history is {history.shape}, not {wanted}")
        if not np.isfinite(history).all():
            raise ValueError("the history holds a number that is not finite")
        mean, deviation = self.scaler()
        scaled = ((history - mean) / deviation).T.astype(np.float32, order="C")
        windows = torch.from_numpy(scaled).to(self.device)
        answer = self.forecast_scaled(windows).cpu().double().numpy().T
        forecast: _Values = answer * deviation + mean
        return forecast

    def forecast_scaled(self, windows: Tensor) -> Tensor:
        """Scaled windows `[rows, seq_len]` to their scaled forecasts `[rows, pred_len]`."""
        with torch.inference_mode():
            forecast: Tensor = self.model(windows)
        return forecast

    def scaler(self) -> tuple[_Values, _Values]:
        """Mean and deviation of every column."""
        columns = self.description.columns
        mean = np.array([[column.mean for column in columns]])
        return mean, np.array([[column.deviation for column in columns]])


def read_description(folder: Path) -> contract.Bundle:
    """What a bundle says of itself. Raises `InputError` for what is none."""
    path = folder / DESCRIPTION
    expected = "a bundle, as `timellm-ops export` makes one"
    try:
        found = msgspec.json.decode(path.read_bytes(), type=contract.Bundle)
    except FileNotFoundError:
        raise InputError(str(folder), f"no {DESCRIPTION}", expected) from None
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise InputError(str(path), f"what cannot be read ({error})", expected) from None
    if found.format != FORMAT:
        raise InputError(str(path), f"format {found.format}", f"format {FORMAT}")
    return found


def load_bundle(
    folder: Path, *, device: torch.device | str = "cpu", backbone: str | None = None
) -> LoadedBundle:
    """The model in `folder`, with its backbone from where it was in training, or from `backbone`.

    Nothing is unpickled, and torch's random numbers are left as they were. Raises `InputError`
    for a bundle that is damaged, and for another backbone than that of the training.
    """
    description = read_description(folder)
    weights = _read_weights(folder, description)
    frozen = description.backbone
    section = frozen.section
    if backbone is not None:
        section = msgspec.structs.replace(section, source=backbone)
    found = load_backbone(section, frozen.seed, device, description.precision)
    if found.digest != frozen.digest:
        raise InputError(
            "backbone.source",
            f'"{section.source}", another backbone (sha256 {found.digest[:12]}…)',
            f"{frozen.name}, the one of the training (sha256 {frozen.digest[:12]}…)",
        )
    with torch.random.fork_rng(devices=[]):
        model = TimeLLM(
            found,
            description.model,
            description.prompt,
            description.prompt.description,
            description.seq_len,
            description.pred_len,
            folded=True,
            precision=description.precision,
        )
    try:
        model.load_trainable_state(weights)
    except ValueError as error:
        raise InputError(str(folder), f"weights that do not fit ({error})", "its own") from None
    model.requires_grad_(False)
    model.to(device).eval()
    return LoadedBundle(model=model, description=description, device=torch.device(device))


def _read_weights(folder: Path, description: contract.Bundle) -> dict[str, Tensor]:
    path = folder / WEIGHTS
    try:
        entry = described(path)
        if (entry.bytes, entry.sha256) != (description.weights_bytes, description.weights_sha256):
            found = f"a file that {DESCRIPTION} does not describe"
            raise InputError(str(path), found, "the bundle's own weights")
        weights: dict[str, Tensor] = load_file(path)
    except (OSError, SafetensorError) as error:
        found = f"a file that cannot be read ({' '.join(str(error).split())})"
        raise InputError(str(path), found, "the bundle's own weights") from None
    return weights
