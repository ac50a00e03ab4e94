"""Time-LLM (Jin et al., ICLR 2024, arXiv 2310.01728): forecast by reprogramming a frozen model."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from timellm_engine.errors import BackboneError
from timellm_engine.model.backbone import Backbone
from timellm_engine.model.layers import (
    FlattenHead,
    PatchEmbedding,
    PrototypeMapping,
    Reprogramming,
    TextPrototypes,
    fold_variables,
    normalise,
    unfold_variables,
)
from timellm_engine.model.precision import (
    Precision,
    compute_float32_in_full,
    computing_in,
)
from timellm_engine.model.prefix import LaidOut, PromptPrefix
from timellm_engine.model.prefix_search import prefix_of
from timellm_engine.model.prompts import WindowStatistics, prompt_text, window_statistics
from timellm_engine.model.recompute import compute_layers_again
from timellm_ops.contract.config import ModelSection, PromptSection
from timellm_ops.contract.shapes import (
    evaluated_at_once,
    folded_shapes,
    patch_count,
    trainable_shapes,
)

PUBLISHED_NAMES = {
    "mapping.weight": "mapping_layer.weight",
    "mapping.bias": "mapping_layer.bias",
    "patch_embedding.convolution.weight": "patch_embedding.value_embedding.tokenConv.weight",
    "reprogramming.query.weight": "reprogramming_layer.query_projection.weight",
    "reprogramming.query.bias": "reprogramming_layer.query_projection.bias",
    "reprogramming.key.weight": "reprogramming_layer.key_projection.weight",
    "reprogramming.key.bias": "reprogramming_layer.key_projection.bias",
    "reprogramming.value.weight": "reprogramming_layer.value_projection.weight",
    "reprogramming.value.bias": "reprogramming_layer.value_projection.bias",
    "reprogramming.out.weight": "reprogramming_layer.out_projection.weight",
    "reprogramming.out.bias": "reprogramming_layer.out_projection.bias",
    "head.linear.weight": "output_projection.linear.weight",
    "head.linear.bias": "output_projection.linear.bias",
}
"""Every trainable tensor by its name here, and its name in the published code; same shapes."""

_UNLIKE = (
    WindowStatistics(-1.5, 2.5, -0.5, upward=True, lags=(0, 1, 2, 3, 4)),
    WindowStatistics(0.25, 0.7512345, 0.5, upward=False, lags=(4, 3, 2, 1, 0)),
)
"""Two windows whose prompts have in common what all prompts have, and are of unlike length."""

REFERENCE_MAX_TOKENS = 2048
"""Where the published code cuts a prompt off, whatever its backbone can take."""


def from_published(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The trainable tensors of a published checkpoint under the names of `trainable_state`.

    Anything else in it, such as the frozen backbone that the published code also saves, is left
    out. Raises `KeyError` for a tensor that is missing.
    """
    return {ours: weights[published] for ours, published in PUBLISHED_NAMES.items()}


class TimeLLM(nn.Module):
    """The whole function, from a window of the scaled series to its forecast.

    `description` is what the prompt says about the data set unless `prompt.description` says
    otherwise. `folded`: the prototypes are parameters themselves, and there is no mapping that
    makes them. `precision` is what forecasts are computed in, in training and out of it.
    `recompute`: the backbone's layers and the attention to the prototypes are computed again for
    the gradient. Raises `BackboneError` where `model.d_ff` is wider than the backbone, or where
    its layers are to be computed again and cannot be told apart.
    """

    def __init__(
        self,
        backbone: Backbone,
        model: ModelSection,
        prompt: PromptSection,
        description: str,
        seq_len: int,
        pred_len: int,
        *,
        folded: bool = False,
        precision: Precision = "fp32",
        recompute: bool = False,
    ) -> None:
        super().__init__()
        compute_float32_in_full()
        if model.d_ff > backbone.hidden_size:
            raise BackboneError(
                "model.d_ff",
                str(model.d_ff),
                f"at most {backbone.hidden_size}, the hidden size of {backbone.name}",
            )
        self.seq_len, self.pred_len, self.d_ff = seq_len, pred_len, model.d_ff
        self.window_noise = model.window_noise
        self.evaluated_finer = 1
        """Of the windows that are answered together in an evaluation, such a part is."""
        self.padding = prompt.padding
        self.precision: Precision = precision
        self.description = prompt.description or description
        self.says_statistics = prompt.statistics
        self.patches = patch_count(seq_len, model.patch_len, model.stride)
        self._described = backbone
        self.backbone = backbone.model
        self.word_embeddings = backbone.word_embeddings
        self.patch_embedding = PatchEmbedding(
            model.patch_len, model.stride, model.d_model, model.dropout
        )
        self.mapping: PrototypeMapping | None = None
        self.prototypes: TextPrototypes | None = None
        if folded:
            self.prototypes = TextPrototypes(model.num_prototypes, backbone.embedding_size)
        elif model.prototypes == "direct":
            self.prototypes = TextPrototypes.begun_by_mapping(
                model.num_prototypes, backbone.word_embeddings.weight
            )
        else:
            self.mapping = PrototypeMapping(backbone.vocab_size, model.num_prototypes)
        self.reprogramming = Reprogramming(
            model.d_model, model.n_heads, model.d_ff, backbone.embedding_size,
            model.attention_dropout,
        )  # fmt: skip
        self.head = FlattenHead(model.d_ff, self.patches, pred_len, model.dropout)
        self._prefix: PromptPrefix | None = None
        self._prefix_sought = not backbone.causal
        self._ids_of_all: list[int] | None = None
        """The tokens of the prompt that all windows have, where it does not say statistics."""
        self.backbone.eval()
        self.reprogramming.recompute = recompute
        if recompute and not compute_layers_again(self.backbone):
            raise BackboneError(
                "train.activation_checkpointing",
                "true",
                f"false with {backbone.name}, whose layers cannot be told apart",
            )
        self._check_shapes(model, folded=folded)

    def _check_shapes(self, model: ModelSection, *, folded: bool) -> None:
        """Whether this is the model that plans are made with. Raises `RuntimeError`: a defect."""
        embedding_size = self._described.embedding_size
        expected = trainable_shapes(
            model, self.seq_len, self.pred_len,
            embedding_size=embedding_size, vocab_size=self._described.vocab_size,
        )  # fmt: skip
        if folded:
            expected = folded_shapes(expected, model, embedding_size)
        own = {name: tuple(tensor.shape) for name, tensor in self.trainable_state().items()}
        if own != {tensor.name: tensor.shape for tensor in expected}:
            raise RuntimeError("the trainable tensors are not those of timellm_ops.contract.shapes")

    def forward(self, x: Tensor, prototypes: Tensor | None = None) -> Tensor:
        """Forecast `[batch, seq_len]` or `[batch, seq_len, variables]`, scaled.

        The answer is `[batch, pred_len]` or `[batch, pred_len, variables]`. Variables are
        forecast each on its own, by the same weights. `x` may be on the CPU, wherever the model is.
        `prototypes`, where they are at hand, are what `text_prototypes` gave. Raises
        `BackboneError` for a prompt that the backbone has not the positions for.
        """
        series = x.unsqueeze(-1) if x.dim() == 2 else x
        ids = self._ids(series)  # first: a GPU may still be at work on what was asked before
        rows, mean, deviation = self._rows(series)
        with computing_in(self.precision, self.device):
            forecasts = self._forecasts(ids, self._heard(rows), prototypes)
        forecast = unfold_variables(forecasts.float(), series.shape[-1]) * deviation + mean
        return forecast.squeeze(-1) if x.dim() == 2 else forecast

    @torch.no_grad()
    def given_to_head(
        self, x: Tensor, prototypes: Tensor | None = None, noise: Tensor | None = None
    ) -> tuple[Tensor, Tensor, Tensor]:
        """What the head makes forecasts of windows `[batch, seq_len]` from, in its order.

        `[batch, d_ff × patches]`, and the windows' mean and deviation `[batch, 1]`, by which its
        answers are scaled. `noise` is added to the normalised windows that patches are cut from.
        """
        ids = self._ids(x.unsqueeze(-1))
        rows, mean, deviation = self._rows(x.unsqueeze(-1))
        heard = rows if noise is None else rows + noise.to(self.device)
        with computing_in(self.precision, self.device):
            answers = list(self._answers(ids, heard, prototypes))
        return self.head.flattened(torch.cat(answers)), mean[:, 0], deviation[:, 0]

    def lay_out(self, x: Tensor) -> LaidOut | None:
        """The prompts of windows `[batch, seq_len]`, for `forecast_after`.

        `None` where the backbone cannot read them ahead. What `forward` does before the device's
        work begins.
        """
        prefix = self.reading_ahead()
        if prefix is None:
            return None
        return prefix.lay_out(self._ids(x.unsqueeze(-1)), self.device)

    def forecast_after(self, x: Tensor, prompts: LaidOut) -> Tensor:
        """`forward` of windows `[batch, seq_len]`, their prompts being laid out, in one piece.

        The device's work alone: it never waits for an answer, so it can be recorded.
        """
        assert self._prefix is not None  # noqa: S101 - or nothing would have been laid out
        rows, mean, deviation = self._rows(x.unsqueeze(-1))
        with computing_in(self.precision, self.device):
            hidden = self._prefix.answer_after(prompts, self.reprogram(self._heard(rows)))
            forecasts: Tensor = self.head(hidden[:, :, : self.d_ff].float())
        return forecasts.float() * deviation[:, 0] + mean[:, 0]

    @property
    def device(self) -> torch.device:
        """Where it computes."""
        return self.word_embeddings.weight.device

    def _rows(self, series: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Normalised windows `[rows, seq_len]` on the device, and what undoes that."""
        normalised, mean, deviation = normalise(series.to(self.device))
        return fold_variables(normalised), mean, deviation

    def _heard(self, rows: Tensor) -> Tensor:
        """What patches are cut from; prompts are of `rows` themselves."""
        if not (self.training and self.window_noise > 0.0):
            return rows
        return rows + self.window_noise * torch.randn_like(rows)

    def _ids(self, series: Tensor) -> list[list[int]]:
        """The tokens of the prompts of `[batch, seq_len, variables]`, one prompt a variable.

        Windows are normalised for them on the CPU: the last digit of a number is a token of its
        own, and a run may be resumed, or its model be used, on another device, which rounds in its
        own way.
        """
        if self.says_statistics:
            return self.tokenize(self.prompts(fold_variables(normalise(series.cpu())[0])))
        if self._ids_of_all is None:
            (self._ids_of_all,) = self.tokenize(self._prompts_of([None]))
        return [self._ids_of_all] * (series.shape[0] * series.shape[2])

    def _forecasts(self, ids: list[list[int]], rows: Tensor, prototypes: Tensor | None) -> Tensor:
        """Forecasts of normalised windows `[rows, seq_len]` with these prompts, `[rows, pred_len]`.

        Without a gradient a few rows at a time, with the prototypes made once: what nothing is
        kept of need not all be in memory together.
        """
        forecasts = [self.head(answer) for answer in self._answers(ids, rows, prototypes)]
        return torch.cat(forecasts) if len(forecasts) > 1 else forecasts[0]

    def _answers(
        self, ids: list[list[int]], rows: Tensor, prototypes: Tensor | None
    ) -> Iterator[Tensor]:
        """What the head is given, `[rows, patches, d_ff]`, in the pieces that are computed at
        once."""
        some = len(rows)
        if not torch.is_grad_enabled():
            some = evaluated_at_once(
                self.patches, self._described.hidden_size, on_a_gpu=self.device.type == "cuda"
            )
            some = max(1, some // self.evaluated_finer)
        if len(rows) > some and prototypes is None:
            prototypes = self.text_prototypes()
        for first, piece in zip(range(0, len(rows), some), torch.split(rows, some), strict=True):
            yield self.answer(ids[first : first + some], self.reprogram(piece, prototypes))

    def prompts(self, rows: Tensor) -> list[str]:
        """The prompt of each normalised window, `[rows, seq_len]`."""
        if self.says_statistics:
            return self._prompts_of(window_statistics(rows))
        return self._prompts_of([None] * len(rows))

    def _prompts_of(self, windows: Sequence[WindowStatistics | None]) -> list[str]:
        return [
            prompt_text(statistics, self.description, self.seq_len, self.pred_len)
            for statistics in windows
        ]

    def tokenize(self, prompts: Sequence[str]) -> list[list[int]]:
        """The token ids of each prompt: of its own length, or padded as the published code does.

        Raises `BackboneError` where prompt and patches together do not fit into the backbone.
        """
        tokenizer = self._described.tokenizer
        if self.padding == "reference":
            ids: list[list[int]] = _reference_ids(tokenizer, prompts)
        else:
            ids = tokenizer(list(prompts)).input_ids
        if max(map(max, ids)) >= self._described.vocab_size:
            raise BackboneError(
                "prompt.padding",
                f'"{self.padding}" with a padding token that {self._described.name} does not know',
                '"masked", which needs none',
            )
        longest, limit = max(map(len, ids)), self._described.max_positions
        if limit is not None and longest + self.patches > limit:
            raise BackboneError(
                "prompt.description",
                f"a prompt of {longest} tokens before {self.patches} patches",
                f"at most {limit} together, the positions of {self._described.name}: "
                "a shorter description, a longer model.stride, or another backbone",
            )
        return ids

    def reprogram(self, rows: Tensor, prototypes: Tensor | None = None) -> Tensor:
        """Normalised windows `[rows, seq_len]` as `[rows, patches, embedding]`."""
        if prototypes is None:
            prototypes = self.text_prototypes()
        reprogrammed: Tensor = self.reprogramming(self.patch_embedding(rows), prototypes)
        return reprogrammed

    def text_prototypes(self) -> Tensor:
        """What patches are reprogrammed into, `[prototypes, embedding]`."""
        source = self.mapping or self.prototypes
        assert source is not None  # noqa: S101 - one of them is always there
        words = self.word_embeddings.weight
        with computing_in(self.precision, words.device):
            prototypes: Tensor = source(words)
        return prototypes

    def answer(self, ids: list[list[int]], patches: Tensor) -> Tensor:
        """What the backbone says at the patches, `[rows, patches, d_ff]`, in float32.

        With the prompts read ahead where the backbone can do that; in one piece otherwise.
        """
        prefix = self.reading_ahead()
        if prefix is None:
            return self.answer_in_one_piece(ids, patches)
        return prefix.answer(ids, patches)[:, :, : self.d_ff].float()

    def reading_ahead(self) -> PromptPrefix | None:
        """How prompts are read ahead, if they can be, which is tried out once."""
        if not self._prefix_sought:
            self._prefix_sought = True
            unlike = _UNLIKE if self.says_statistics else (None, None)
            self._prefix = prefix_of(
                self._described,
                self.tokenize(self._prompts_of(unlike)),
                self.patches,
                self._hidden_in_one_piece,
                precision=self.precision,
                recompute=self.reprogramming.recompute,
            )
        return self._prefix

    def read_ahead_by(self, way: PromptPrefix | None) -> None:
        """Take this way of reading prompts ahead, or none, and look for no other."""
        self._prefix, self._prefix_sought = way, True

    def answer_in_one_piece(self, ids: list[list[int]], patches: Tensor) -> Tensor:
        """`answer` with prompts and patches as one sequence, which every backbone can do."""
        return self._hidden_in_one_piece(ids, patches)[:, :, : self.d_ff].float()

    def _hidden_in_one_piece(self, ids: list[list[int]], patches: Tensor) -> Tensor:
        """Last hidden states at the patches, `[rows, patches, hidden]`.

        Each row is its prompt, its patches, and then padding up to the longest row. So positions
        count from zero without a gap, and no padding is in front of anything that is read: a
        causal backbone needs no mask at all, and a bidirectional one is given one. A row's answer
        is the one it would have alone, whatever a backbone's kind of positions.
        """
        rows, count, width = patches.shape
        lengths = torch.tensor([len(row) for row in ids])
        total = int(lengths.max()) + count
        padded = torch.zeros(rows, total, dtype=torch.long)
        for row, tokens in enumerate(ids):
            padded[row, : len(tokens)] = torch.tensor(tokens)
        device = patches.device
        at = (torch.arange(rows) * total + lengths).unsqueeze(1) + torch.arange(count)
        at = at.flatten().to(device)
        embedded = self.word_embeddings(padded.to(device)).flatten(end_dim=1)
        inputs = embedded.index_copy(0, at, patches.flatten(end_dim=1).to(embedded.dtype))
        mask = {}
        if not self._described.causal:
            kept = torch.arange(total) < (lengths + count).unsqueeze(1)
            mask = {"attention_mask": kept.long().to(device)}
        answer = self.backbone(inputs_embeds=inputs.view(rows, total, width), **mask)
        hidden: Tensor = answer.last_hidden_state
        return hidden.flatten(end_dim=1).index_select(0, at).view(rows, count, -1)

    def train(self, mode: bool = True) -> "TimeLLM":
        """Switch the trainable part; the backbone stays in evaluation mode."""
        super().train(mode)
        self.backbone.eval()
        return self

    def trainable_state(self) -> dict[str, Tensor]:
        """The trainable tensors by name, the very ones and no copies; no backbone."""
        return {n: p.detach() for n, p in self.named_parameters() if p.requires_grad}

    @torch.no_grad()
    def folded_state(self) -> dict[str, Tensor]:
        """`trainable_state` of the same model made with `folded=True`, which forecasts the same.

        The prototypes are computed here as a forecast would, so they have its very bits.
        """
        if self.mapping is None:
            return self.trainable_state()
        kept = {n: t for n, t in self.trainable_state().items() if not n.startswith("mapping.")}
        return {**kept, "prototypes.values": self.text_prototypes().detach()}

    def load_trainable_state(self, state: Mapping[str, Tensor]) -> None:
        """Take over what `trainable_state` gave. Raises `ValueError` for another set or shape."""
        own = self.trainable_state()
        if own.keys() != state.keys():
            odd = ", ".join(sorted(own.keys() ^ state.keys()))
            raise ValueError(f"trainable weights do not match this model: {odd}")
        for name, tensor in own.items():
            if tensor.shape != state[name].shape:
                raise ValueError(
                    f"trainable weight {name} is {tuple(state[name].shape)}, "
                    f"not {tuple(tensor.shape)}"
                )
            tensor.copy_(state[name])


def _reference_ids(tokenizer: Any, prompts: Sequence[str]) -> list[list[int]]:
    """Padded to the longest with the end-of-text token, or `[PAD]` where there is none."""
    if tokenizer.eos_token:
        tokenizer.pad_token = tokenizer.eos_token
    else:
        tokenizer.add_special_tokens({"pad_token": "[PAD]"})
    ids: list[list[int]] = tokenizer(
        list(prompts), padding=True, truncation=True, max_length=REFERENCE_MAX_TOKENS
    ).input_ids
    return ids
