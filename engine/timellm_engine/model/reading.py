"""A cache of keys and values that ends a reading as soon as it has them all.

Imports `transformers`, so it is itself imported where a backbone is about to run.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from torch import Tensor
from transformers import DynamicCache, PretrainedConfig


class ReadingCache(DynamicCache):  # type: ignore[misc]
    """Keys and values of every layer, for a backbone of this configuration."""

    def __init__(self, config: PretrainedConfig) -> None:
        super().__init__(config=config)
        self._last_layer = config.num_hidden_layers - 1
        self._reading = False

    @contextmanager
    def reading(self) -> Iterator[None]:
        """Within it, a pass over tokens ends where the last layer has keys and values for them.

        What that layer and those after it would make of the tokens is never looked at: for one
        layer of the backbone, neither attention nor feed-forward has to be computed.
        """
        self._reading = True
        try:
            yield
        except _AllRead:
            pass
        finally:
            self._reading = False

    def update(
        self, key_states: Tensor, value_states: Tensor, layer_idx: int, *args: Any, **kwargs: Any
    ) -> tuple[Tensor, Tensor]:
        """Take keys and values of a layer; all that it has now."""
        both = super().update(key_states, value_states, layer_idx, *args, **kwargs)
        if self._reading and layer_idx == self._last_layer:
            raise _AllRead
        return both  # type: ignore[no-any-return]


class _AllRead(Exception):  # noqa: N818 - it says what has happened
    """Nothing that is still to be computed would be looked at."""
