"""One training step: a batch's loss and gradient, piece by piece, and what is done with it."""

import math
from collections.abc import Sequence
from typing import NamedTuple, Protocol

import torch
from torch import Tensor, nn
from torch.nn import functional

from timellm_engine.model.timellm import TimeLLM
from timellm_engine.training.captured import CapturedPasses
from timellm_engine.training.losses import loss_of
from timellm_engine.training.optimiser import set_pace
from timellm_engine.training.schedule import Pace
from timellm_ops.contract.config import TrainSection


class NotFinite(ArithmeticError):  # noqa: N818 - it says what was found
    """A number that training cannot go on from. Nothing has been changed by it."""


class Losses(NamedTuple):
    """Means over a batch, before the step."""

    loss: float
    """The one that training makes small."""
    mse: float


class Forecaster(Protocol):
    """A model whose text prototypes are the same for all windows of a step."""

    def text_prototypes(self) -> Tensor:
        """The prototypes, which costs much where the vocabulary is large."""
        ...

    def __call__(self, x: Tensor, prototypes: Tensor | None = None) -> Tensor:
        """Forecasts, by these prototypes where they are at hand."""
        ...

    def train(self, mode: bool = True) -> object:
        """Behave as in training, or as out of it."""
        ...


class Stepper:
    """Makes steps of an optimiser on a model, as `[train]` says.

    `finer`: batches are computed in so many times as many pieces.
    """

    def __init__(
        self,
        train: TrainSection,
        model: Forecaster,
        optimiser: torch.optim.Optimizer,
        trainable: Sequence[nn.Parameter],
        *,
        finer: int = 1,
    ) -> None:
        self._train, self._model = train, model
        self._pieces = train.accumulate * finer
        self._optimiser, self._trainable = optimiser, trainable
        self._loss = loss_of(train)
        self._norm_before_clipping: float | None = None
        self._captured: CapturedPasses | None = None
        whole = train.cuda_graphs and self._pieces == 1
        if whole and isinstance(model, TimeLLM) and model.device.type == "cuda":
            self._captured = CapturedPasses(
                model, self._loss, trainable, only_mse=train.loss == "mse"
            )

    def forget_recordings(self) -> bool:
        """Give back the memory that recorded steps keep; whether there was any. Steps that follow
        are made as others are, with the same bits."""
        return self._captured is not None and self._captured.give_up("their memory was needed")

    @property
    def not_captured(self) -> str | None:
        """Why steps are not recorded though they were to be, once that is known."""
        return self._captured.given_up if self._captured is not None else None

    def take(self, x: Tensor, y: Tensor, pace: Pace, upcoming: Tensor | None = None) -> Losses:
        """One step on windows `[batch, seq_len]` and their horizons.

        The gradient is that of the mean over the batch, in however many pieces it is computed: a
        piece counts by its windows, and the prototypes are made once for all. `upcoming` are the
        windows of the next step, where they are known. Raises `NotFinite` before a weight is
        changed.
        """
        set_pace(self._optimiser, pace)
        self._optimiser.zero_grad(set_to_none=True)
        pieces = min(self._pieces, len(x))
        if pieces == 1:
            losses = self._recorded(x, y, upcoming) or self._backward(x, y)
        else:
            losses = self._backward_in_pieces(x, y, pieces)
        if self._train.clip_norm is not None:
            self._clip(self._train.clip_norm)
        self._optimiser.step()
        return losses

    def _recorded(self, x: Tensor, y: Tensor, upcoming: Tensor | None) -> Losses | None:
        """The same as `_backward` of the whole batch, where that has been recorded."""
        found = None if self._captured is None else self._captured.take(x, y, upcoming)
        if found is None:
            return None
        losses = Losses(*found)
        _check(losses.loss)
        return losses

    def _backward_in_pieces(self, x: Tensor, y: Tensor, pieces: int) -> Losses:
        prototypes = self._model.text_prototypes()
        # The pieces' gradients meet here, and go on from here to the weights as one.
        shared = prototypes.detach().requires_grad_()
        loss = mse = 0.0
        for history, truth in zip(x.tensor_split(pieces), y.tensor_split(pieces), strict=True):
            share = len(history) / len(x)
            of_piece = self._backward(history, truth, share, shared)
            loss += share * of_piece.loss
            mse += share * of_piece.mse
        prototypes.backward(shared.grad)  # type: ignore[no-untyped-call]
        return Losses(loss, mse)

    def _backward(
        self, history: Tensor, truth: Tensor, share: float = 1.0, prototypes: Tensor | None = None
    ) -> Losses:
        """Add a share of a piece's gradient to that of the step; the losses of the piece."""
        forecast = self._model(history, prototypes)
        truth = truth.to(forecast.device)
        loss = self._loss(forecast, truth, history)
        value = loss.item()
        _check(value)
        (loss * share).backward()  # type: ignore[no-untyped-call]
        if self._train.loss == "mse":
            return Losses(value, value)
        return Losses(value, functional.mse_loss(forecast.detach(), truth).item())

    def _clip(self, longest: float) -> None:
        norm = nn.utils.clip_grad_norm_(self._trainable, longest).item()
        if not math.isfinite(norm):
            raise NotFinite(f"the length of the gradient is {norm}")
        self._norm_before_clipping = norm

    @property
    def gradient_norm(self) -> float:
        """Length of the latest step's gradient over all trainable weights, before any clipping."""
        if self._norm_before_clipping is not None:
            return self._norm_before_clipping
        gradients = [p.grad for p in self._trainable if p.grad is not None]
        norms = torch.stack([torch.linalg.vector_norm(gradient) for gradient in gradients])
        return float(torch.linalg.vector_norm(norms).item())


def _check(loss: float) -> None:
    if not math.isfinite(loss):
        raise NotFinite(f"the loss is {loss}")
