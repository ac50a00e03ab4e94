"""Whether this model is the published function: a comparison with tensors that its code made.

A case is a folder with `backbone/` (a frozen model), `case.json` (settings, description, prompt
texts) and `case.safetensors`. Found by trying, and stated here once: `loss`, `grad.*` and
`adam_losses` were made as the published code runs a batch, that is with padded prompts and no
mask (`padding = "reference"`), in evaluation mode (no dropout). `output_padded` is the same;
`output_single` is each window run alone, which is what `padding = "masked"` gives for a batch.

The relative error of a tensor is its largest absolute difference over the largest absolute value
of the reference. One tensor is measured by another's size: adding a vector to every key adds the
same number to all scores of a query, which softmax does not see, so the gradient of the keys'
bias is zero and only its rounding is in the files; its difference is taken over the largest
gradient of the layer that it belongs to.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal

import torch
from safetensors.torch import load_file
from torch import Tensor
from torch.nn import functional

from timellm_engine.model.backbone import Backbone, load_backbone
from timellm_engine.model.layers import fold_variables, normalise
from timellm_engine.model.timellm import PUBLISHED_NAMES, TimeLLM, from_published
from timellm_ops.contract.config import BackboneSection, ModelSection, PromptSection

TOLERANCE = 1e-4
"""The largest relative error of a case in float32 that counts as the same function."""

ADAM_LEARNING_RATE = 1e-3
ZERO_BY_SYMMETRY = "reprogramming.key.bias"


class CaseError(ValueError):
    """A folder that is no case. Its text is one line."""


@dataclass(frozen=True, kw_only=True)
class Case:
    """A case as it was read."""

    name: str
    settings: Mapping[str, Any]
    description: str
    prompts: list[str]
    tensors: Mapping[str, Tensor]
    backbone: Backbone
    device: torch.device

    def model(
        self, padding: Literal["masked", "reference"], *, given_prompts: bool = False
    ) -> TimeLLM:
        """The model of this case with the case's weights, in evaluation mode.

        `given_prompts`: it says the case's prompts, which are of the case's windows.
        """
        weights = {
            name.removeprefix("weights."): tensor
            for name, tensor in self.tensors.items()
            if name.startswith("weights.")
        }
        model = (partial(_Told, self.prompts) if given_prompts else TimeLLM)(
            self.backbone,
            ModelSection(
                num_prototypes=len(weights["mapping_layer.bias"]),
                prototypes="mapping",
                **{key: self.settings[key] for key in _MODEL_KEYS},
            ),
            PromptSection(padding=padding),
            self.description,
            self.settings["seq_len"],
            self.settings["pred_len"],
        )
        model.load_trainable_state(from_published(weights))
        return model.to(self.device).eval()


class _Told(TimeLLM):
    """Says what it was told, whatever the windows."""

    def __init__(self, told: list[str], *others: Any, **named: Any) -> None:
        super().__init__(*others, **named)
        self._told = told

    def prompts(self, _rows: Tensor) -> list[str]:
        """The prompts that were told."""
        return self._told


_MODEL_KEYS = ("patch_len", "stride", "d_model", "n_heads", "d_ff")


@dataclass(frozen=True, kw_only=True)
class Parity:
    """How far the model is from a case."""

    case: str
    errors: Mapping[str, float]
    """Relative errors by what was compared, in the order in which they are printed."""
    worst_gradient: str
    prompts_exact: bool
    ids_exact: bool

    @property
    def passed(self) -> bool:
        """Whether every error is within `TOLERANCE` and the prompts are the same to the letter."""
        within = all(error <= TOLERANCE for error in self.errors.values())
        return within and self.prompts_exact and self.ids_exact


def load_case(folder: Path, device: torch.device | str = "cpu") -> Case:
    """Read a case, to be run on `device`; the backbone is cut to the layers that its settings say.

    Raises `CaseError`, and `BackboneError` for a backbone that cannot be used.
    """
    for part in ("case.json", "case.safetensors", "backbone"):
        if not (folder / part).exists():
            raise CaseError(f"{folder}: found no {part}; expected a folder with reference tensors")
    try:
        stated = json.loads((folder / "case.json").read_text(encoding="utf-8"))
        settings, prompts = stated["config"], stated["prompts"]
        description = stated["description"]
    except (ValueError, KeyError) as error:
        raise CaseError(f"{folder}/case.json: found no usable {error}") from None
    section = BackboneSection(
        source=str((folder / "backbone").resolve()), layers=settings.get("llm_layers")
    )
    return Case(
        name=folder.resolve().name,
        settings=settings,
        description=description,
        prompts=prompts,
        tensors=load_file(folder / "case.safetensors"),
        backbone=load_backbone(section, seed=0, device=device),
        device=torch.device(device),
    )


def compare(case: Case, *, given_prompts: bool = False) -> Parity:
    """Run the case in both padding modes, then its gradients and its steps of Adam.

    `given_prompts`: with the prompts of the case, on a processor that rounds in its own way and
    would write other last digits.
    """
    reference = case.model("reference", given_prompts=given_prompts)
    prompts = reference.prompts(fold_variables(normalise(case.tensors["x"])[0]))
    x, y = (case.tensors[name].to(case.device) for name in ("x", "y"))
    padded = reference(x)
    loss = functional.mse_loss(padded, y)
    loss.backward()  # type: ignore[no-untyped-call]
    gradients = _gradient_errors(reference, case.tensors)
    with torch.no_grad():
        alone = case.model("masked", given_prompts=given_prompts)(x)
    worst = max(gradients, key=lambda name: gradients[name])
    return Parity(
        case=case.name,
        errors={
            "outputs, padded as published": relative_error(padded, case.tensors["output_padded"]),
            "outputs, each window alone": relative_error(alone, case.tensors["output_single"]),
            "loss": relative_error(loss, case.tensors["loss"].squeeze()),
            "gradients": gradients[worst],
            "Adam losses": relative_error(
                _adam_losses(case, given_prompts), case.tensors["adam_losses"]
            ),
        },
        worst_gradient=worst,
        prompts_exact=prompts == case.prompts,
        ids_exact=reference.tokenize(prompts) == case.tensors["prompt_ids"].tolist(),
    )


def relative_error(found: Tensor, reference: Tensor, scale: float | None = None) -> float:
    """Largest absolute difference over `scale`, which is the reference's own largest value.

    Infinite where the shapes differ or a number is not finite.
    """
    if found.shape != reference.shape or not bool(found.isfinite().all()):
        return float("inf")
    largest = float(reference.abs().max()) if scale is None else scale
    difference = float((found.detach().cpu().double() - reference.double()).abs().max())
    if difference == 0.0:
        return 0.0
    return difference / largest if largest else float("inf")


def _gradient_errors(model: TimeLLM, tensors: Mapping[str, Tensor]) -> dict[str, float]:
    references = {ours: tensors[f"grad.{name}"] for ours, name in PUBLISHED_NAMES.items()}
    layer = ZERO_BY_SYMMETRY.partition(".")[0]
    largest_of_layer = max(
        float(gradient.abs().max()) for name, gradient in references.items() if layer in name
    )
    parameters = dict(model.named_parameters())
    errors = {}
    for name, reference in references.items():
        found = parameters[name].grad
        scale = largest_of_layer if name == ZERO_BY_SYMMETRY else None
        errors[name] = float("inf") if found is None else relative_error(found, reference, scale)
    return errors


def _adam_losses(case: Case, given_prompts: bool) -> Tensor:
    """The loss before each of as many steps of Adam as the case has losses, in float64."""
    model = case.model("reference", given_prompts=given_prompts)
    trainable = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimiser = torch.optim.Adam(trainable, lr=ADAM_LEARNING_RATE)
    x, y = (case.tensors[name].to(case.device) for name in ("x", "y"))
    losses = []
    for _ in range(len(case.tensors["adam_losses"])):
        optimiser.zero_grad()
        loss = functional.mse_loss(model(x), y)
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        losses.append(loss.item())
    return torch.tensor(losses, dtype=torch.float64)
