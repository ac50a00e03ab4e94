"""How the embedded backbone's tokenizer was made.

By `python -m timellm_engine.model.embedded_tokenizer`. A byte-level BPE (so no text is unknown)
over text that this module writes: prompts of random windows, with descriptions of made-up data
sets. Digits are tokens of their own, as in the tokenizers of recent decoders, which makes a number
as long as its digits and keeps an ETTh1 prompt of 512→96 near the length it has in GPT-2's own
vocabulary. Everything is drawn from one seed, so the file in `assets/` can be made again.
"""

import random
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from timellm_engine.model.embedded import END_OF_TEXT, SPECIFICATION, TOKENIZER_FILE
from timellm_engine.model.prompts import WindowStatistics, prompt_text

SEED = 2021
PROMPTS = 400

_SUBJECTS = """
    load power current voltage temperature humidity pressure wind rainfall traffic demand supply
    price sales volume flow level speed energy oil water heat vibration latency
""".split()  # noqa: SIM905 - a list of words is read as a text
_PLACES = """
    station transformer building region factory city river road warehouse network hospital
""".split()  # noqa: SIM905
_PERIODS = ("minute", "hour", "day", "week", "month")
_DESCRIPTIONS = (
    "The data set holds the {first} and {second} of a {place}, one reading every {period}.",
    "A series of {first} with hourly, daily and weekly cycles, a slow trend and noise.",
    "This dataset records {first} against {second}; values are taken at intervals of one {period}.",
)


def corpus(seed: int = SEED) -> Iterator[str]:
    """Prompts and descriptions, the same for the same seed."""
    generator = random.Random(seed)
    for _ in range(PROMPTS):
        seq_len = generator.choice((96, 192, 336, 512, 720))
        pred_len = generator.choice((24, 48, 96, 192, 336, 720))
        yield prompt_text(
            _statistics(generator, seq_len), _description(generator), seq_len, pred_len
        )


def _description(generator: random.Random) -> str:
    first, second = generator.sample(_SUBJECTS, 2)
    return generator.choice(_DESCRIPTIONS).format(
        first=first,
        second=second,
        place=generator.choice(_PLACES),
        period=generator.choice(_PERIODS),
    )


def _statistics(generator: random.Random, seq_len: int) -> WindowStatistics:
    return WindowStatistics(
        minimum=-generator.uniform(0.5, 5.0),
        maximum=generator.uniform(0.5, 5.0),
        median=generator.uniform(-1.0, 1.0),
        upward=generator.random() < 0.5,
        lags=(0, *generator.sample(range(1, seq_len), 4)),
    )


def train_tokenizer() -> Any:
    """The tokenizer as a `tokenizers.Tokenizer`."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Digits(individual_digits=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=SPECIFICATION["vocab_size"],
        special_tokens=[END_OF_TEXT],
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    tokenizer.train_from_iterator(corpus(), trainer)
    return tokenizer


def main() -> None:
    """Write the tokenizer where the package looks for it."""
    target = Path(__file__).parent / "assets" / TOKENIZER_FILE
    target.parent.mkdir(exist_ok=True)
    tokenizer = train_tokenizer()
    tokenizer.save(str(target))
    sys.stderr.write(f"{target}: {tokenizer.get_vocab_size()} tokens\n")


if __name__ == "__main__":
    main()
