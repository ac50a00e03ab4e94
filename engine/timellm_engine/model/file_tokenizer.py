"""A tokenizer that is one file, read by the library `tokenizers` alone.

Called as those of `transformers` are, with the same ids, and there without importing it.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from tokenizers import Tokenizer


class Encoded(NamedTuple):
    """What a text becomes."""

    input_ids: list[int] | list[list[int]]
    """Of one text, or of each."""


class FileTokenizer:
    """The tokenizer of a `tokenizer.json`, whose one special token is `eos_token`."""

    def __init__(self, file: Path, eos_token: str) -> None:
        self._tokenizer = Tokenizer.from_file(str(file))
        self.eos_token = eos_token
        self.pad_token: str | None = None

    def __len__(self) -> int:
        return int(self._tokenizer.get_vocab_size())

    @property
    def all_special_ids(self) -> list[int]:
        """Tokens that stand for no text."""
        return [self._id(self.eos_token)]

    def __call__(
        self,
        text: str | Sequence[str],
        *,
        padding: bool = False,
        truncation: bool = False,
        max_length: int | None = None,
    ) -> Encoded:
        """The ids of a text or of each of several.

        `truncation` cuts the end off beyond `max_length` tokens; `padding` makes all as long as
        the longest, with `pad_token` behind. Raises `ValueError` where there is none.
        """
        texts = [text] if isinstance(text, str) else list(text)
        rows: list[list[int]] = [row.ids for row in self._tokenizer.encode_batch(texts)]
        if truncation:
            rows = [row[:max_length] for row in rows]
        if padding:
            if self.pad_token is None:
                raise ValueError("there is no token to pad with")
            pad, longest = self._id(self.pad_token), max(map(len, rows), default=0)
            rows = [row + [pad] * (longest - len(row)) for row in rows]
        return Encoded(rows[0] if isinstance(text, str) else rows)

    def decode(self, ids: Sequence[int]) -> str:
        """The text of these tokens, special ones included."""
        return str(self._tokenizer.decode(list(ids), skip_special_tokens=False))

    def get_vocab(self) -> dict[str, int]:
        """The id of every token."""
        return dict(self._tokenizer.get_vocab())

    def save_pretrained(self, folder: Path | str) -> None:
        """Put it into `folder` as the files that `transformers` reads a tokenizer from."""
        from transformers import PreTrainedTokenizerFast

        PreTrainedTokenizerFast(
            tokenizer_object=self._tokenizer, bos_token=self.eos_token, eos_token=self.eos_token
        ).save_pretrained(folder)

    def _id(self, token: str) -> int:
        found = self._tokenizer.token_to_id(token)
        if found is None:
            raise ValueError(f"there is no token {token}")
        return int(found)
