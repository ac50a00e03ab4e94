"""Keys and values of prompts that are read ahead: all of them, and nothing beyond them.

Imports `transformers`, so it is itself imported where a backbone is about to run.
"""

from types import TracebackType
from typing import Any

import torch
from torch import Tensor
from transformers.cache_utils import DynamicCache, DynamicLayer


class _ReadingLayer(DynamicLayer):  # type: ignore[misc]
    """What a layer has read, as it was given first: rows that share it need no copies of it."""

    keys: Tensor
    values: Tensor

    def update(
        self, key_states: Tensor, value_states: Tensor, *_args: Any, **_kwargs: Any
    ) -> tuple[Tensor, Tensor]:
        """Take keys and values; all that there are now."""
        both = self.followed_by(key_states, value_states)
        if not self.is_initialized:
            self.lazy_initialization(key_states, value_states)
        self.keys, self.values = both
        return both

    def followed_by(self, keys: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
        """What there is, and these behind it."""
        if not self.get_seq_length():
            return keys, values
        return torch.cat([self.keys, keys], dim=-2), torch.cat([self.values, values], dim=-2)


class ReadingCache(DynamicCache):  # type: ignore[misc]
    """Keys and values of each of so many layers.

    Made without a backbone's configuration, it keeps those of every token, also in a layer that
    looks back over a sliding window only: how far back that is depends on the row.
    """

    def __init__(self, layers: int) -> None:
        super().__init__()
        self.layer_class_to_replicate = _ReadingLayer
        self._last_layer = layers - 1
        self._reading = self._complete = False

    def reading(self) -> "_Reading":
        """Within it, a pass over tokens ends where the last layer has keys and values for them.

        What that layer and those after it would make of the tokens is never looked at: for one
        layer of the backbone, neither attention nor feed-forward has to be computed.
        """
        return _Reading(self)

    def complete(self) -> None:
        """From here on, what comes is handed back with what was read and not kept.

        Nothing is read after it, and a layer that is computed again finds what it found first.
        """
        self._complete = True

    def stop_when_read(self, *, wanted: bool) -> None:
        """Whether a pass is to end where the last layer has its keys and values."""
        self._reading = wanted

    def update(
        self, key_states: Tensor, value_states: Tensor, layer_idx: int, *args: Any, **kwargs: Any
    ) -> tuple[Tensor, Tensor]:
        """Take keys and values of a layer; all that it has now."""
        if self._complete:
            if layer_idx >= len(self.layers):
                return key_states, value_states
            return self.layers[layer_idx].followed_by(key_states, value_states)  # type: ignore[no-any-return]
        both = super().update(key_states, value_states, layer_idx, *args, **kwargs)
        if self._reading and layer_idx == self._last_layer:
            raise _AllRead
        return both  # type: ignore[no-any-return]

    def move_to_the_end(self, padding: Tensor) -> None:
        """Move each row's tokens so many places on, `[rows]`, from before its padding to behind.

        So that nothing is between a row's tokens and those that follow, and a window that is
        counted in places reaches as far back as it should.
        """
        total = self.layers[0].keys.shape[-2]
        places = torch.arange(total, device=padding.device) - padding.unsqueeze(1)
        places = (places % total)[:, None, :, None]
        for layer in self.layers:
            layer.keys = torch.take_along_dim(layer.keys, places, dim=-2)
            layer.values = torch.take_along_dim(layer.values, places, dim=-2)


class _Reading:
    """Not a generator: the exception that is caught in one holds on to it, by way of its
    traceback, and it to the exception, and so to every key and value until somebody looks."""

    def __init__(self, cache: ReadingCache) -> None:
        self._cache = cache

    def __enter__(self) -> None:
        self._cache.stop_when_read(wanted=True)

    def __exit__(
        self, kind: type[BaseException] | None, _error: object, _trace: TracebackType | None
    ) -> bool:
        self._cache.stop_when_read(wanted=False)
        return kind is _AllRead


class _AllRead(Exception):  # noqa: N818 - it says what has happened
    """Nothing that is still to be computed would be looked at."""
