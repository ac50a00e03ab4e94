"""Seconds of each part of a training step and of an evaluation, as the models really do it.

A step is taken by the model's own public methods, one after the other, the gradient being handed
back from part to part; names are those of `work`. `prompt texts` has no floor: no product is in
it.
"""

import statistics
from collections.abc import Callable

import torch
from machine import now
from published_computation import PublishedTimeLLM
from torch import Tensor
from torch.nn import functional

from timellm_engine.model.layers import fold_variables, normalise
from timellm_engine.model.precision import computing_in
from timellm_engine.model.timellm import TimeLLM

Seconds = dict[str, float]


class Stopwatch:
    """Adds what has passed since its last reading to a part."""

    def __init__(self, device: str) -> None:
        self.taken: Seconds = {}
        self._device = device
        self._since = now(device)

    def lap(self, part: str) -> float:
        """What has passed was this part; the seconds of it."""
        moment = now(self._device)
        passed, self._since = moment - self._since, moment
        self.taken[part] = self.taken.get(part, 0.0) + passed
        return passed


def engine_pass(
    model: TimeLLM, x: Tensor, y: Tensor, optimiser: torch.optim.Optimizer | None
) -> Seconds:
    """A step of training, or without an optimiser, an evaluation of `x`.

    An evaluation makes its prototypes once for all windows, which is no part of a pass.
    """
    training, device = optimiser is not None, model.device.type
    model.train(training)
    with torch.inference_mode(mode=not training), computing_in(model.precision, model.device):
        prototypes = None if training else model.text_prototypes()
        watch = Stopwatch(device)
        series = x.unsqueeze(-1)
        ids = model.tokenize(model.prompts(fold_variables(normalise(series)[0])))
        normalised, mean, deviation = normalise(series.to(model.device))
        rows = fold_variables(normalised)
        watch.lap("prompt texts")
        if prototypes is None:
            prototypes = model.text_prototypes()
            watch.lap("prototypes")
        mixed_from = _leaf(prototypes, training)
        patches = model.reprogram(rows, mixed_from)
        watch.lap("reprogramming")
        read = _leaf(patches, training)
        hidden = _answered(model, ids, read, watch)
        watch.lap("backbone forward" if training else "backbone")
        answered = _leaf(hidden, training)
        forecast = model.head(answered).float() * deviation[:, 0] + mean[:, 0]
        watch.lap("head")
    if optimiser is not None:
        chain = ((hidden, answered), (patches, read), (prototypes, mixed_from))
        _backward(watch, forecast, y.to(model.device), chain)
        optimiser.step()
        optimiser.zero_grad(set_to_none=True)
        watch.lap("optimiser")
    return watch.taken


def _answered(model: TimeLLM, ids: list[list[int]], patches: Tensor, watch: Stopwatch) -> Tensor:
    """`model.answer`, with a lap where the prompts have been read."""
    ahead = model.reading_ahead()
    if ahead is None:
        return model.answer(ids, patches)
    prompts = ahead.lay_out(ids, model.device)
    read = ahead.read(prompts, patches.shape[1])
    watch.lap("prompts")
    return ahead.answer_to(patches, prompts, read)[:, :, : model.d_ff].float()


def published_pass(
    model: PublishedTimeLLM,
    x: Tensor,
    y: Tensor,
    optimiser: torch.optim.Optimizer | None,
    *,
    bf16: bool = False,
) -> Seconds:
    """The same of the published computation, in float32 or under autocast."""
    training, device = optimiser is not None, x.device.type
    model.train(training)
    precision = torch.autocast(device, torch.bfloat16, enabled=bf16)
    with torch.inference_mode(mode=not training), precision:
        watch = Stopwatch(device)
        mean = x.mean(dim=1, keepdim=True)
        deviation = torch.sqrt(x.var(dim=1, keepdim=True, unbiased=False) + 1e-5)
        rows = (x - mean) / deviation
        texts = model.prompts(rows)
        ids = model.tokenizer(texts, return_tensors="pt", padding=True).input_ids
        watch.lap("prompt texts")
        prototypes = model.mapping_layer(model.words.weight.permute(1, 0)).permute(1, 0)
        watch.lap("prototypes")
        mixed_from = _leaf(prototypes, training)
        patches = model.reprogram(model.embed(rows), mixed_from)
        watch.lap("reprogramming")
        read = _leaf(patches, training)
        answer = model.llm(
            inputs_embeds=torch.cat([model.words(ids.to(x.device)), read], dim=1),
            output_hidden_states=True,
            output_attentions=True,
        ).last_hidden_state
        hidden = answer[:, -model.patches :, : model.settings["d_ff"]]
        watch.lap("backbone forward" if training else "backbone")
        answered = _leaf(hidden, training)
        flat = answered.permute(0, 2, 1).flatten(start_dim=1)
        forecast = model.dropout(model.output_projection(flat)).float() * deviation + mean
        watch.lap("head")
    if optimiser is not None:
        chain = ((hidden, answered), (patches, read), (prototypes, mixed_from))
        _backward(watch, forecast, y, chain)
        optimiser.step()
        optimiser.zero_grad()
        watch.lap("optimiser")
    return watch.taken


def _leaf(tensor: Tensor, training: bool) -> Tensor:
    """Where a part's gradient ends, to be handed on."""
    return tensor.detach().requires_grad_() if training else tensor


def _backward(
    watch: Stopwatch, forecast: Tensor, y: Tensor, chain: tuple[tuple[Tensor, Tensor], ...]
) -> None:
    """From the loss through the head, the backbone and the reprogramming to the prototypes."""
    functional.mse_loss(forecast, y).backward()
    watch.lap("head")
    parts = ("backbone backward", "reprogramming", "prototypes")
    for part, (left, entered) in zip(parts, chain, strict=True):
        left.backward(entered.grad)
        watch.lap(part)


def in_turns(
    passes: dict[str, Callable[[int], Seconds]], rounds: int
) -> dict[str, dict[str, float]]:
    """Medians of each part of each contender, which take turns; the first round is not counted."""
    found: dict[str, list[Seconds]] = {name: [] for name in passes}
    for number in range(rounds + 1):
        for name, make in passes.items():
            seconds = make(number)
            if number:
                found[name].append(seconds)
    return {
        name: {part: statistics.median(one[part] for one in each) for part in each[0]}
        for name, each in found.items()
    }
