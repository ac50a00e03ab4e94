"""The lines of the published training scripts: one pattern for all of them, and what each says.

A line may stand anywhere in the text, behind a progress bar, a launcher's prefix or another
process's words.
"""

import functools
import re
from collections.abc import Iterator
from typing import NamedTuple, TypeAlias

LONGEST = 512
"""Bytes, at least as many as any line has."""


class ProgressLine(NamedTuple):
    """`iters: 100, epoch: 1 | loss: 0.1349008`, the first half of a progress record."""

    iteration: int
    epoch: int
    loss: float


class SpeedLine(NamedTuple):
    """`speed: 0.1361s/iter; left time: 131.3678s`, the second half."""

    seconds_per_iteration: float
    left_seconds: float


class CostLine(NamedTuple):
    """`Epoch: 1 cost time: 34.49`: an epoch's training is done, its evaluation begins."""

    epoch: int
    seconds: float


class ResultsLine(NamedTuple):
    """`Epoch: 1 | Train Loss: ... Vali Loss: ... Test Loss: ... MAE Loss: ...`."""

    epoch: int
    train_mse: float
    vali_mse: float
    test_mse: float | None
    test_mae: float | None


class SavingLine(NamedTuple):
    """`Validation loss decreased (inf --> 0.053889).  Saving model ...`."""

    previous_vali_mse: float
    vali_mse: float


class CounterLine(NamedTuple):
    """`EarlyStopping counter: 1 out of 10`."""

    counter: int
    patience: int


class StoppingLine(NamedTuple):
    """`Early stopping`: the patience is used up."""


class RateLine(NamedTuple):
    """`Updating learning rate to 0.0002`; or `lr = 0.0004`, which most schedules print once just
    before it and the cosine schedule prints in its place."""

    lr: float
    updating: bool


class DeletedLine(NamedTuple):
    """`success delete checkpoints`: the script has removed its checkpoints folder, its last act."""


PublishedLine: TypeAlias = (
    ProgressLine
    | SpeedLine
    | CostLine
    | ResultsLine
    | SavingLine
    | CounterLine
    | StoppingLine
    | RateLine
    | DeletedLine
)

_TOKENS = {
    b"NUMBER": rb"[-+]?(?:\d{1,24}(?:\.\d{0,24})?(?:[eE][-+]?\d{1,3})?|nan|inf)",
    b"COUNT": rb"\d{1,9}",
    b"GAP": rb"\ {0,4}",
    # The number is not cut off; only another process's line, in capitals, may run into it.
    b"END": rb"(?![a-z\d_.])",
}
_LINES = rb"""
      (?P<progress>iters:GAP(?P<iteration>COUNT),GAPepoch:GAP(?P<progress_epoch>COUNT)
        GAP\|GAPloss:GAP(?P<loss>NUMBER)END)
    | (?P<speed>speed:GAP(?P<pace>NUMBER)s/iter;GAPleft\ time:GAP(?P<left>NUMBER)s)
    | (?P<cost>Epoch:GAP(?P<cost_epoch>COUNT)\ GAPcost\ time:GAP(?P<seconds>NUMBER)END)
    | (?P<results>Epoch:GAP(?P<results_epoch>COUNT)(?:,GAPSteps:GAPCOUNT)?GAP\|
        GAPTrain\ Loss:GAP(?P<train>NUMBER)\ GAPVali\ Loss:GAP(?P<vali>NUMBER)END
        (?:\ GAPTest\ Loss:GAP(?P<test>NUMBER)END)?
        (?:\ GAPMAE\ Loss:GAP(?P<mae>NUMBER)END)?)
    | (?P<saving>Validation\ loss\ decreased\ \((?P<before>NUMBER)\ -->\ (?P<after>NUMBER)\)
        \.?GAPSaving\ model)
    | (?P<counting>EarlyStopping\ counter:GAP(?P<counter>COUNT)\ out\ of\ (?P<patience>COUNT)(?!\d))
    | (?P<stopping>(?<!\w)Early\ stopping(?=\s*(?:$|Early\ stopping)))
    | (?P<updating>Updating\ learning\ rate\ to\ GAP(?P<new_rate>NUMBER)END)
    | (?P<rate>(?<![\w.])lr\ =\ (?P<rate_now>NUMBER)END)
    | (?P<deleted>success\ delete\ checkpoints)
"""
_PATTERN = re.compile(
    functools.reduce(lambda lines, token: lines.replace(*token), _TOKENS.items(), _LINES),
    re.VERBOSE,
)
_WHOLLY_PRINTED = re.compile(rb"(\.\d{7,}|e[-+]\d\d|nan|inf|s|model|stopping)$")

_BEGINNINGS = (
    b"iters:",
    b"speed:",
    b"Epoch:",
    b"Validation loss decreased",
    b"EarlyStopping counter:",
    b"Early stopping",
    b"Updating learning rate to",
    b"lr = ",
    b"success delete checkpoints",
)


def matches(text: bytes) -> Iterator[re.Match[bytes]]:
    """Where the lines are in a text, in order. Looked for by their first words, since the pattern
    by itself is slow on a megabyte of noise."""
    starts = sorted(start for words in _BEGINNINGS for start in _places(text, words))
    end = 0
    for start in starts:
        match = _PATTERN.match(text, start) if start >= end else None
        if match is not None:
            end = match.end()
            yield match


def _places(text: bytes, words: bytes) -> Iterator[int]:
    start = text.find(words)
    while start >= 0:
        yield start
        start = text.find(words, start + len(words))


def read_line(match: re.Match[bytes]) -> PublishedLine:
    """What a match says."""
    read = match.group
    match match.lastgroup:
        case "progress":
            return ProgressLine(
                int(read("iteration")), int(read("progress_epoch")), float(read("loss"))
            )
        case "speed":
            return SpeedLine(float(read("pace")), float(read("left")))
        case "cost":
            return CostLine(int(read("cost_epoch")), float(read("seconds")))
        case "results":
            test, mae = read("test"), read("mae")
            return ResultsLine(
                int(read("results_epoch")),
                float(read("train")),
                float(read("vali")),
                None if test is None else float(test),
                None if mae is None else float(mae),
            )
        case "saving":
            return SavingLine(float(read("before")), float(read("after")))
        case "counting":
            return CounterLine(int(read("counter")), int(read("patience")))
        case "stopping":
            return StoppingLine()
        case "updating":
            return RateLine(float(read("new_rate")), updating=True)
        case "rate":
            return RateLine(float(read("rate_now")), updating=False)
        case _:
            return DeletedLine()


def is_whole(match: re.Match[bytes]) -> bool:
    """Whether a match at the very end of a text that may be cut off there is sure to be whole.

    A number may have had more digits: it counts if it has as many as the scripts print. Of a
    counter the patience may be cut, which shows where it is below the counter or just at it.
    """
    if match.lastgroup == "counting":
        return int(match["counter"]) < int(match["patience"])
    return _WHOLLY_PRINTED.search(match.group()) is not None
