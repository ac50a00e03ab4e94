"""Forward and backward pass of a step on a GPU, recorded once and launched whole (CUDA graphs).

A step is some hundred to some thousand kernels, and where the model or the batch is small, a GPU
is done with each before Python has launched the next one. A recorded step has the same kernels in
the same order, random numbers included, and so the same bits; it is recorded once for each length
of prompts that occurs. It needs a step's memory for itself, beside what evaluations take, so it is
left alone where there is not enough.
"""

import gc
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from timellm_engine.errors import PreflightError, TrainingError, kind_of, one_line
from timellm_engine.model.prefix import LaidOut
from timellm_engine.model.timellm import TimeLLM
from timellm_engine.training.losses import Loss

_TIMES_A_STEP = 2
"""What must be free, in what a step needs on its way: for what is recorded, and for evaluations."""
_NO_ROOM = "the GPU has no room for a second step"
_WAITS = "called a synchronizing CUDA operation"
"""How torch says, as a `RuntimeError`, that something waits for the GPU."""


class _Pass(NamedTuple):
    """A recording, with what it reads and what it writes."""

    graph: "torch.cuda.CUDAGraph"
    x: Tensor
    y: Tensor
    prompts: LaidOut
    losses: Tensor
    """The loss and its MSE, `[2]`."""


class CapturedPasses:
    """The passes of a run's steps. `loss` is that of training, `only_mse` that it is the MSE."""

    def __init__(
        self, model: TimeLLM, loss: Loss, trainable: Sequence[nn.Parameter], *, only_mse: bool
    ) -> None:
        self._model, self._loss, self._only_mse = model, loss, only_mse
        self._trainable = list(trainable)
        self._gradients: list[Tensor] = []
        self._passes: dict[tuple[int, ...], _Pass] = {}
        self._ahead: tuple[Tensor, LaidOut | None] | None = None
        self._stream = torch.cuda.Stream(model.device)  # type: ignore[no-untyped-call]
        """Of the first try as well: a weight's end of the graph belongs to the stream where it was
        begun."""
        self.given_up: str | None = None
        """Why steps are not recorded, in a few words; `None` where they are."""

    def take(self, x: Tensor, y: Tensor, upcoming: Tensor | None) -> tuple[float, float] | None:
        """The loss and the MSE of windows `[batch, seq_len]`, and gradients for the weights.

        While the GPU works, the prompts of `upcoming`, the windows of the next step, are written.
        `None`, and nothing done, where a step cannot be recorded: there is no memory for it, or the
        backbone waits for the GPU on its way. Where that shows too late it raises `PreflightError`,
        or `TrainingError` once there are recordings: one that was broken off leaves nothing that
        could be relied on.
        """
        if self.given_up is not None:
            return None
        prompts = self._prompts_of(x)
        if prompts is None:
            self.give_up("with this backbone, prompts cannot be computed ahead of the patches")
            return None
        key = len(x), prompts.known, prompts.tokens.shape[1]
        recorded = self._passes.get(key)
        if recorded is None:
            recorded = self._record(x, y, prompts)
            if recorded is None:
                return None
            self._passes[key] = recorded
        for own, given in (
            (recorded.x, x), (recorded.y, y), (recorded.prompts.tokens, prompts.tokens),
            (recorded.prompts.lengths, prompts.lengths),
        ):  # fmt: skip
            own.copy_(given, non_blocking=True)
        recorded.graph.replay()
        for parameter, gradient in zip(self._trainable, self._gradients, strict=True):
            parameter.grad = gradient
        if upcoming is not None:
            self._ahead = upcoming, self._model.lay_out(upcoming)
        loss, mse = recorded.losses.tolist()
        return loss, mse

    def give_up(self, why: str) -> bool:
        """Record no more, and give back what recordings need; whether there was any to give."""
        had = bool(self._passes)
        if self.given_up is None:
            self.given_up = why
        self._passes.clear()
        self._gradients = []
        for parameter in self._trainable:
            parameter.grad = None
        torch.cuda.empty_cache()
        return had

    def _prompts_of(self, x: Tensor) -> LaidOut | None:
        ahead, self._ahead = self._ahead, None
        if ahead is not None and ahead[0] is x:
            return ahead[1]
        return self._model.lay_out(x)

    def _record(self, x: Tensor, y: Tensor, prompts: LaidOut) -> _Pass | None:
        """A recording of such a step. What is drawn meanwhile is put back."""
        device = self._model.device
        x, y = x.to(device, copy=True), y.to(device, copy=True)
        own = LaidOut(prompts.known, prompts.tokens.clone(), prompts.lengths.clone())
        torch.cuda.synchronize(device)
        why_not = self._tried(x, y, own)
        if why_not is not None:
            self.give_up(why_not)
            return None
        if not self._gradients:
            self._gradients = [torch.zeros_like(p) for p in self._trainable]
        pool = next((each.graph.pool() for each in self._passes.values()), None)
        graph = torch.cuda.CUDAGraph()
        gc.collect()
        try:
            with torch.cuda.graph(graph, pool=pool, stream=self._stream):
                losses, gradients = self._work(x, y, own)
                torch._foreach_copy_(self._gradients, gradients)
        except RuntimeError as error:
            raise self._broken_off(error) from error
        return _Pass(graph, x, y, own, losses)

    def _tried(self, x: Tensor, y: Tensor, prompts: LaidOut) -> str | None:
        """Make such a step for nothing; why it is not to be recorded, if it is not."""
        device = self._model.device
        held = torch.cuda.memory_allocated(device)
        try:
            with torch.random.fork_rng([device]), torch.cuda.stream(self._stream):
                # Kernels choose and set themselves up when they are first used.
                self._work(x, y, prompts)
                step_bytes = torch.cuda.max_memory_allocated(device) - held
                with _waiting_is_an_error():
                    self._work(x, y, prompts)
        except torch.OutOfMemoryError:
            return _NO_ROOM
        except RuntimeError as error:
            if _WAITS not in str(error):
                raise
            return one_line(error)
        torch.cuda.synchronize(device)
        return None if self._passes or self._has_room(step_bytes) else _NO_ROOM

    def _broken_off(self, error: RuntimeError) -> Exception:
        """What to end with: not with a want of memory, which has an end of its own."""
        if kind_of(error) == "memory":
            return error
        said = f"a step of this model cannot be recorded here ({one_line(error)})"
        if self._passes:
            return TrainingError(f"{said}; with train.cuda_graphs = false it goes on")
        return PreflightError(f"train.cuda_graphs: found true, but {said}; expected false")

    def _work(self, x: Tensor, y: Tensor, prompts: LaidOut) -> tuple[Tensor, list[Tensor]]:
        forecast = self._model.forecast_after(x, prompts)
        loss = self._loss(forecast, y, x)
        mse = loss if self._only_mse else functional.mse_loss(forecast.detach(), y)
        gradients = torch.autograd.grad(loss, self._trainable)
        return torch.stack([loss.detach(), mse.detach()]), list(gradients)

    def _has_room(self, step_bytes: int) -> bool:
        device = self._model.device
        free, total = torch.cuda.mem_get_info(device)
        reserved = torch.cuda.memory_reserved(device)
        kept = reserved - torch.cuda.memory_allocated(device)
        if hasattr(torch.cuda, "get_per_process_memory_fraction"):  # of a newer torch
            share = torch.cuda.get_per_process_memory_fraction(device)
            free = min(free, int(share * total) - reserved)
        gradients = sum(parameter.nbytes for parameter in self._trainable)
        return free + kept >= _TIMES_A_STEP * step_bytes + gradients


@contextmanager
def _waiting_is_an_error() -> Iterator[None]:
    """Within it, an operation that makes Python wait for the GPU raises `RuntimeError`."""
    with warnings.catch_warnings():
        # That it may miss something: then the recording itself is broken off.
        warnings.filterwarnings("ignore", message="Synchronization debug mode is a prototype")
        torch.cuda.set_sync_debug_mode("error")
    try:
        yield
    finally:
        torch.cuda.set_sync_debug_mode("default")
