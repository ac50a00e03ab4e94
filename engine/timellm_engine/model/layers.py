"""The trainable layers of Time-LLM, between a normalised window and the frozen backbone.

Shapes are written in brackets: `rows` are univariate windows (a batch with its variables folded
in), `patches` the patches of a window, `prototypes` the text prototypes, `embedding` the width of
the backbone's token embeddings. Section numbers are those of Jin et al., ICLR 2024.
"""

import math

import torch
from torch import Tensor, nn

from timellm_engine.model.attention import attend
from timellm_engine.model.mapping_product import MappingMemory, mixed
from timellm_ops.contract.shapes import PROTOTYPES_DRAWN_AT_ONCE

NORMALISATION_EPSILON = 1e-5


def normalise(series: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Instance normalisation: the series with mean 0 and deviation 1, its mean, its deviation.

    `series` is `[batch, time, variables]`; mean and deviation are over time, `[batch, 1,
    variables]`. The variance is the biased one, and `NORMALISATION_EPSILON` is inside the root,
    so that a constant series is divided by a small number and not by zero (Kim et al. 2022,
    RevIN without its affine part).
    """
    mean = series.mean(dim=1, keepdim=True)
    variance = series.var(dim=1, keepdim=True, unbiased=False)
    deviation = torch.sqrt(variance + NORMALISATION_EPSILON)
    return (series - mean) / deviation, mean, deviation


def fold_variables(series: Tensor) -> Tensor:
    """`[batch, time, variables]` to `[batch × variables, time]`: every variable on its own."""
    batch, time, variables = series.shape
    return series.transpose(1, 2).reshape(batch * variables, time)


def unfold_variables(rows: Tensor, variables: int) -> Tensor:
    """`[batch × variables, time]` to `[batch, time, variables]`: undoes `fold_variables`."""
    return rows.reshape(-1, variables, rows.shape[-1]).transpose(1, 2)


class PatchEmbedding(nn.Module):
    """Cut a window into overlapping patches and embed each (section 3.1, "Patching").

    The window's last value is repeated `stride` times first, so that its end is in a patch of
    its own. The convolution has width 3 over the *patches* and is circular: a patch sees its two
    neighbours, and the first and the last are neighbours.
    """

    def __init__(self, patch_len: int, stride: int, d_model: int, dropout: float) -> None:
        super().__init__()
        self.patch_len, self.stride = patch_len, stride
        self.convolution = nn.Conv1d(
            patch_len, d_model, kernel_size=3, padding=1, padding_mode="circular", bias=False
        )
        nn.init.kaiming_normal_(self.convolution.weight, mode="fan_in", nonlinearity="leaky_relu")
        self.dropout = nn.Dropout(dropout)

    def forward(self, rows: Tensor) -> Tensor:
        """`[rows, time]` to `[rows, patches, d_model]`."""
        padded = torch.cat([rows, rows[:, -1:].expand(-1, self.stride)], dim=1)
        patches = padded.unfold(dimension=1, size=self.patch_len, step=self.stride)
        embedded: Tensor = self.convolution(patches.transpose(1, 2)).transpose(1, 2)
        dropped: Tensor = self.dropout(embedded)
        return dropped


class PrototypeMapping(nn.Linear):
    """Text prototypes as learned mixtures of the word embeddings (section 3.1).

    A linear map over the vocabulary: `weight` is `[prototypes, vocabulary]`, so that prototype
    `p` is `weight[p] · E + bias[p]`, the bias being the same number in every dimension.
    """

    def __init__(self, vocabulary: int, prototypes: int) -> None:
        super().__init__(vocabulary, prototypes)
        self._memory = MappingMemory()

    def forward(self, word_embeddings: Tensor) -> Tensor:
        """`[vocabulary, embedding]` to `[prototypes, embedding]`, in the weights' own type."""
        product = mixed(self.weight, word_embeddings, self._memory)
        return product.to(self.weight.dtype) + self.bias.unsqueeze(1)


class TextPrototypes(nn.Module):
    """Text prototypes as they are, `[prototypes, embedding]`, whatever they were once mixed from.

    A mapping's answer never changes once training is over: it is all that a forecast needs of it.
    """

    def __init__(self, prototypes: int, embedding_size: int) -> None:
        super().__init__()
        self.values = nn.Parameter(torch.zeros(prototypes, embedding_size))

    @classmethod
    @torch.no_grad()
    def begun_by_mapping(cls, prototypes: int, word_embeddings: Tensor) -> "TextPrototypes":
        """Prototypes that begin where those of a new `PrototypeMapping` do.

        Its weights are drawn some rows at a time, the same numbers in the same order: all of them
        together may be larger than everything that training needs afterwards.
        """
        vocabulary, width = word_embeddings.shape
        begun = cls(prototypes, width)
        for rows in torch.split(begun.values, PROTOTYPES_DRAWN_AT_ONCE):
            weight = torch.empty(len(rows), vocabulary)
            nn.init.kaiming_uniform_(weight, a=math.sqrt(5))  # as `nn.Linear` begins
            weight = weight.to(word_embeddings.device, word_embeddings.dtype)
            rows.copy_(weight @ word_embeddings)
        bound = 1.0 / math.sqrt(vocabulary)
        begun.values.add_(torch.empty(prototypes, 1).uniform_(-bound, bound))
        return begun

    def forward(self, _word_embeddings: Tensor) -> Tensor:
        """The prototypes themselves."""
        return self.values


class Reprogramming(nn.Module):
    """Say each patch in the backbone's words: attention from patches to prototypes (section 3.1).

    Each of `n_heads` heads is `d_keys` wide, which need not divide `d_model` or the embedding.
    """

    def __init__(
        self, d_model: int, n_heads: int, d_keys: int, embedding_size: int, dropout: float
    ) -> None:
        super().__init__()
        self.n_heads, self.dropout = n_heads, dropout
        self.recompute = False
        """Whether attention weights are computed again for the gradient instead of being kept."""
        self.query = nn.Linear(d_model, n_heads * d_keys)
        self.key = nn.Linear(embedding_size, n_heads * d_keys)
        self.value = nn.Linear(embedding_size, n_heads * d_keys)
        self.out = nn.Linear(n_heads * d_keys, embedding_size)

    def forward(self, patches: Tensor, prototypes: Tensor) -> Tensor:
        """`[rows, patches, d_model]` and `[prototypes, embedding]` to `[rows, patches, embedding]`.

        The prototypes are the same for every row, so all patches of all rows are the queries of
        one attention.
        """
        rows, count, _ = patches.shape
        attended = attend(
            self._heads(self.query(patches.reshape(rows * count, -1))),
            self._heads(self.key(prototypes)),
            self._heads(self.value(prototypes)),
            dropout=self.dropout if self.training else 0.0,
            recompute=self.recompute,
        )
        projected: Tensor = self.out(attended.transpose(0, 1).reshape(rows, count, -1))
        return projected

    def _heads(self, projected: Tensor) -> Tensor:
        """`[items, n_heads × d_keys]` to `[n_heads, items, d_keys]`."""
        return projected.view(projected.shape[0], self.n_heads, -1).transpose(0, 1)


class FlattenHead(nn.Module):
    """From the backbone's answer at the patches to the forecast (section 3.1, "Output")."""

    def __init__(self, features: int, patches: int, pred_len: int, dropout: float) -> None:
        super().__init__()
        self.linear = nn.Linear(features * patches, pred_len)
        self.dropout = nn.Dropout(dropout)

    def forward(self, hidden: Tensor) -> Tensor:
        """`[rows, patches, features]` to `[rows, pred_len]`; flattened feature by feature."""
        dropped: Tensor = self.dropout(self.linear(self.flattened(hidden)))
        return dropped

    def flattened(self, hidden: Tensor) -> Tensor:
        """`[rows, patches, features]` as its linear map takes it, `[rows, features × patches]`."""
        return hidden.transpose(1, 2).flatten(start_dim=1)
