"""The published output as events: the real log, logs as the script writes them, and noise."""

import math
import os
import tracemalloc
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from published_writer import LOADING, SMALL, SMALL_EPOCHS, Epoch, Script, bar, lines, text

from timellm_ops.adapters.published import ANOTHER_TRAINING, CHECKPOINTS_DELETED, PublishedLog
from timellm_ops.adapters.published_lines import LONGEST, matches
from timellm_ops.contract import events as ev
from timellm_ops.contract.reduction import reduce
from timellm_ops.contract.state import RunState

FIXTURE = (Path(__file__).parents[1] / "fixtures" / "published.log").read_bytes()
REAL_LOG = "upstream_etth1_gpt2_4epochs.log"

RECORD = b"\titers: 100, epoch: 1 | loss: 0.1349008\n\tspeed: 0.1361s/iter; left time: 131.3678s\n"
PROGRESS = ev.Progress(
    iteration=100, epoch=1, loss=0.1349008, seconds_per_iteration=0.1361, left_seconds=131.3678
)
RESULTS = (
    b"Epoch: 1 | Train Loss: 0.1200985 Vali Loss: 0.0538890 Test Loss: 0.0280579"
    b" MAE Loss: 0.1270990\n"
)
SAVING = b"Validation loss decreased (inf --> 0.053889).  Saving model ...\n"


def found_in(*chunks: bytes) -> list[tuple[ev.Event, int]]:
    log = PublishedLog()
    return [found for chunk in chunks for found in log.feed(chunk)] + log.finish()


def events_in(*chunks: bytes) -> list[ev.Event]:
    return [event for event, _ in found_in(*chunks)]


def split(data: bytes, places: Sequence[int]) -> list[bytes]:
    return [data[a:b] for a, b in pairwise([0, *sorted(places), len(data)])]


def real_log() -> bytes:
    folder = os.environ.get("TIMELLM_FIXTURES_DIR")
    if not folder:
        pytest.skip("TIMELLM_FIXTURES_DIR is not set: it holds the real log")
    return (Path(folder) / REAL_LOG).read_bytes()


@st.composite
def trainings(draw: st.DrawFn) -> tuple[Script, list[Epoch]]:
    """A short training, in every respect as the script may have it."""
    script = Script(
        epochs=draw(st.integers(1, 5)),
        steps=draw(st.integers(30, 330)),
        patience=draw(st.integers(1, 3)),
    )
    loss = st.floats(1e-3, 9.0)
    epochs = [
        Epoch(
            losses=draw(st.lists(loss, min_size=3, max_size=3)),
            pace_s=draw(st.lists(st.floats(0.01, 3.0), min_size=3, max_size=3)),
            train=draw(loss),
            vali=draw(loss),
            test=draw(loss),
            mae=draw(loss),
            lr=draw(st.sampled_from([4e-4, 0.00019999999999999966, 9.999999999999983e-05])),
        )
        for _ in range(draw(st.integers(1, script.epochs)))
    ]
    return script, epochs


# --- what is said --------------------------------------------------------------------------------


def test_the_real_log_gives_the_events_that_can_be_read_in_it() -> None:
    found = events_in(real_log())
    assert [e for e in found if isinstance(e, ev.Progress)][:2] == [
        PROGRESS,
        ev.Progress(
            iteration=200,
            epoch=1,
            loss=0.0667993,
            seconds_per_iteration=0.1284,
            left_seconds=111.0853,
        ),
    ]
    assert [(e.epoch, e.iteration) for e in found if isinstance(e, ev.Progress)] == [
        (epoch, iteration) for epoch in (1, 2, 3, 4) for iteration in (100, 200)
    ]
    ended = [e for e in found if isinstance(e, ev.EpochEnded)]
    assert [e.epoch for e in ended] == [1, 2, 3, 4]
    assert ended[3] == ev.EpochEnded(
        epoch=4,
        train_mse=0.0904151,
        vali_mse=0.0534271,
        test_mse=0.0274111,
        test_mae=0.1263386,
        seconds=186.98573184013367,
    )
    assert [e for e in found if isinstance(e, ev.CheckpointWriting)] == [
        ev.CheckpointWriting(kind="best", epoch=1, vali_mse=0.053889),
        ev.CheckpointWriting(kind="best", epoch=3, vali_mse=0.052851, previous_vali_mse=0.053889),
    ]
    assert [e for e in found if isinstance(e, ev.EarlyStopping)] == [
        ev.EarlyStopping(counter=1, patience=10)
    ] * 2
    assert [e.lr for e in found if isinstance(e, ev.LearningRateChanged)] == [
        0.0003999999999999993,
        0.00019999999999999966,
        9.999999999999983e-05,
        4.9999999999999914e-05,
    ]
    assert [e for e in found if isinstance(e, ev.EpochStarted)] == [
        ev.EpochStarted(epoch=1),
        *(ev.EpochStarted(epoch=epoch, steps=266, epochs=4) for epoch in (2, 3, 4)),
    ]
    assert len(found) == 8 + 4 + 2 + 2 + 4 + 4


def test_the_small_log_gives_exactly_its_events_in_order() -> None:
    expected: list[ev.Event] = []
    writing = [
        ev.CheckpointWriting(kind="best", epoch=1, vali_mse=0.3912),
        ev.EarlyStopping(counter=1, patience=10),
        ev.CheckpointWriting(kind="best", epoch=3, vali_mse=0.388802, previous_vali_mse=0.3912),
    ]
    left = [(143.0411, 122.1084), (243.7549, 89.9808), (183.0918, 63.6336)]
    for number, epoch in enumerate(SMALL_EPOCHS, start=1):
        known = {} if number == 1 else {"steps": 230, "epochs": 5}
        expected.append(ev.EpochStarted(epoch=number, **known))
        expected += [
            ev.Progress(
                iteration=100 * (i + 1),
                epoch=number,
                loss=epoch.losses[i],
                seconds_per_iteration=epoch.pace_s[i],
                left_seconds=left[number - 1][i],
            )
            for i in (0, 1)
        ]
        expected.append(
            ev.EpochEnded(
                epoch=number,
                train_mse=epoch.train,
                vali_mse=epoch.vali,
                test_mse=epoch.test,
                test_mae=epoch.mae,
                seconds=SMALL.seconds(epoch),
            )
        )
        expected += [writing[number - 1], ev.LearningRateChanged(lr=epoch.lr)]
    assert events_in(FIXTURE) == expected


def test_the_small_log_is_what_the_writer_writes() -> None:
    assert LOADING.encode() + text(SMALL.output(SMALL_EPOCHS)) == FIXTURE


@given(trainings())
def test_whatever_a_training_prints_is_found_once_and_in_order(
    training: tuple[Script, list[Epoch]],
) -> None:
    script, epochs = training
    found = events_in(text(script.output(epochs)))
    kinds = (ev.EpochStarted, ev.Progress, ev.EpochEnded)
    told = [(type(e).__name__, e.epoch) for e in found if isinstance(e, kinds)]
    done = [e.epoch for e in found if isinstance(e, ev.EpochEnded)]
    assert told == [
        told_of
        for number in done
        for told_of in [
            ("EpochStarted", number),
            *[("Progress", number)] * (script.steps // 100),
            ("EpochEnded", number),
        ]
    ]
    assert done == list(range(1, len(done) + 1))
    for event in found:
        if isinstance(event, ev.EpochEnded):
            epoch = epochs[event.epoch - 1]
            assert event.train_mse == float(f"{epoch.train:.7f}")
            assert event.test_mae == float(f"{epoch.mae:.7f}")
            assert event.seconds == script.seconds(epoch)
        if isinstance(event, ev.EpochStarted):
            assert event.steps in (None, script.steps)
            assert event.epochs in (None, script.epochs)
    improved = [e for e in found if isinstance(e, (ev.CheckpointWriting, ev.EarlyStopping))]
    assert len(improved) == len(done)
    assert all(event.at is None and event.t is None for event in found)


def test_losses_that_are_not_finite_are_told_as_they_are() -> None:
    found = events_in(
        RECORD.replace(b"0.1349008", b"nan"),
        RESULTS.replace(b"0.0538890", b"inf").replace(b"0.1200985", b"nan"),
        SAVING.replace(b"0.053889", b"nan"),
    )
    _, progress, ended, writing = found
    assert isinstance(progress, ev.Progress)
    assert math.isnan(progress.loss)
    assert progress.left_seconds == 131.3678
    assert isinstance(ended, ev.EpochEnded)
    assert math.isnan(ended.train_mse)
    assert ended.vali_mse == math.inf
    assert writing == ev.CheckpointWriting(kind="best", epoch=1)


def test_the_first_improvement_has_nothing_before_it() -> None:
    assert events_in(RESULTS, SAVING)[-1] == ev.CheckpointWriting(
        kind="best", epoch=1, vali_mse=0.053889, previous_vali_mse=None
    )


@pytest.mark.parametrize("said_so", [b"", b"Early stopping\n"])
def test_used_up_patience_ends_the_training_once(said_so: bytes) -> None:
    log = RESULTS + b"EarlyStopping counter: 3 out of 3\n" + said_so
    assert events_in(log)[2:] == [ev.EarlyStopping(counter=3, patience=3, stopped=True)]


def test_early_stopping_counts_even_where_its_counter_does_not_say_so() -> None:
    log = RESULTS + b"EarlyStopping counter: 2 out of 3\nEarly stopping\n"
    assert events_in(log)[2:] == [
        ev.EarlyStopping(counter=2, patience=3),
        ev.EarlyStopping(counter=2, patience=3, stopped=True),
    ]


def test_a_cosine_schedule_tells_its_rate_in_other_words() -> None:
    log = RESULTS + b"lr = 0.0003938442\n" + RECORD.replace(b"epoch: 1", b"epoch: 2")
    assert ev.LearningRateChanged(lr=0.0003938442) in events_in(log)
    assert ev.LearningRateChanged(lr=0.0004) in events_in(RESULTS, b"lr = 0.0004000000\n")


def test_a_script_without_mean_absolute_errors_has_epochs_too() -> None:
    log = b"Epoch: 2, Steps: 181 | Train Loss: 9.5 Vali Loss: 8.25 Test Loss: 7.125\n"
    assert events_in(log)[-1] == ev.EpochEnded(
        epoch=2, train_mse=9.5, vali_mse=8.25, test_mse=7.125
    )


def test_a_progress_record_without_its_second_line_is_told_when_that_cannot_come_any_more() -> None:
    first = RECORD.splitlines(keepends=True)[0]
    log = PublishedLog()
    assert log.feed(first) == []
    found = [event for event, _ in log.feed(first.replace(b"100", b"200"))]
    assert found == [
        ev.EpochStarted(epoch=1),
        ev.Progress(iteration=100, epoch=1, loss=0.1349008),
    ]
    assert [event for event, _ in log.finish()] == [
        ev.Progress(iteration=200, epoch=1, loss=0.1349008)
    ]


def test_that_the_script_deletes_its_checkpoints_is_said() -> None:
    found = events_in(FIXTURE, b"success delete checkpoints")
    assert found[-1] == ev.Alert(level="warning", message=CHECKPOINTS_DELETED)


# --- chunks --------------------------------------------------------------------------------------


def test_byte_by_byte_it_is_the_same_log() -> None:
    assert found_in(*split(FIXTURE, range(1, len(FIXTURE)))) == found_in(FIXTURE)


@given(st.data())
def test_chunks_may_be_split_anywhere(data: st.DataObject) -> None:
    places = data.draw(st.lists(st.integers(0, len(FIXTURE)), max_size=12))
    assert found_in(*split(FIXTURE, places)) == found_in(FIXTURE)


@settings(max_examples=30)
@given(st.data())
def test_chunks_of_the_real_log_may_be_split_anywhere(data: st.DataObject) -> None:
    log = real_log()
    places = data.draw(st.lists(st.integers(0, len(log)), max_size=12))
    assert found_in(*split(log, places)) == found_in(log)


DRAWN = "\r 38%|███▊      | 100/230 [00:13<00:17,  7.4it/s]".encode()
"""A bar over something with a length."""

NO_WORDS = st.lists(st.integers(0, 64) | st.integers(128, 255), max_size=60).map(bytes)

NOISE = st.one_of(
    st.binary(max_size=40),
    st.sampled_from(
        [
            b"\r",
            b"\n",
            b"\r\n",
            b"\x1b[A",
            "\r 38%|███▊      | 100/266 [00:13<00:22,  7.4it/s]".encode(),
        ]
    ),
    st.sampled_from([bar(n, n // 8).encode() for n in (0, 7, 99, 230)]),
    st.sampled_from([RECORD, RESULTS, SAVING, b"Early stopping\n", b"lr = 0.0004000000\n"]),
    st.integers(1, 70_000).map(lambda size: b"x" * size),
)


@given(st.lists(NOISE, max_size=15), st.data())
def test_whatever_is_printed_the_events_do_not_depend_on_the_chunks(
    parts: list[bytes], data: st.DataObject
) -> None:
    log = b"".join(parts)
    whole = found_in(log)
    places = data.draw(st.lists(st.integers(0, len(log)), max_size=8))
    assert found_in(*split(log, places)) == whole
    offsets = [offset for _, offset in whole]
    assert offsets == sorted(set(offsets))
    assert all(0 < offset <= len(log) for offset in offsets)


@given(st.integers(0, len(FIXTURE)))
def test_an_event_is_there_as_soon_as_its_line_has_ended(place: int) -> None:
    log = PublishedLog()
    so_far = log.feed(FIXTURE[:place])
    assert so_far + log.feed(FIXTURE[place:]) == found_in(FIXTURE)
    line_ends = FIXTURE[:place].rfind(b"\n") + 1
    due = [pair for pair in found_in(FIXTURE) if pair[1] < line_ends]
    held_back = (ev.Progress, ev.EpochStarted)  # until the second line of their record
    assert len(due) - len(so_far) in (0, 1, 2)
    assert all(isinstance(event, held_back) for event, _ in due[len(so_far) :])


# --- noise ---------------------------------------------------------------------------------------


@given(trainings())
def test_line_ends_of_two_bytes_change_nothing(training: tuple[Script, list[Epoch]]) -> None:
    script, epochs = training
    log = text(script.output(epochs))
    assert events_in(log.replace(b"\n", b"\r\n")) == events_in(log)


def test_bars_with_a_length_and_colours_are_noise_as_well() -> None:
    coloured = b"\x1b[32m" + RECORD.rstrip(b"\n") + b"\x1b[0m\n"
    coloured = coloured.replace(b"0.1349008", b"\x1b[1;31m0.1349008\x1b[0m")
    assert events_in(DRAWN + coloured) == [ev.EpochStarted(epoch=1), PROGRESS]


@pytest.mark.parametrize("prefix", [b"[rank0]: ", b"[default0]:", b"0: ", b"[2026-01-31 21:45] "])
def test_launchers_may_put_something_before_each_line(prefix: bytes) -> None:
    log = b"".join(prefix + line for line in lines(SMALL.output(SMALL_EPOCHS)))
    assert events_in(log) == events_in(b"".join(lines(SMALL.output(SMALL_EPOCHS))))


def test_a_megabyte_without_a_line_end_hides_nothing() -> None:
    noise = bytes(range(0x20, 0x7F)) * 12_000
    assert len(noise) > 1 << 20
    assert events_in(noise + RECORD) == [ev.EpochStarted(epoch=1), PROGRESS]
    assert events_in(noise + RECORD.rstrip(b"\n") + noise + RESULTS)[:2] == [
        ev.EpochStarted(epoch=1),
        PROGRESS,
    ]


@given(st.integers(0, 700), st.binary(max_size=20).filter(lambda b: b"\n" not in b))
@example(512, b"")
def test_a_line_is_found_wherever_it_stands_in_a_long_one(shift: int, other: bytes) -> None:
    saving = SAVING.rstrip(b"\n")
    noise = b"~" * ((1 << 16) - 300 + shift) + b" "
    found = events_in(RESULTS, other.replace(b"\r", b""), b" ", noise, saving, noise, b"\n")
    assert [e for e in found if isinstance(e, ev.CheckpointWriting)] == [
        ev.CheckpointWriting(kind="best", epoch=1, vali_mse=0.053889)
    ]


def test_no_line_is_longer_than_what_is_kept_of_a_long_one() -> None:
    number = b"-" + b"1" * 24 + b"." + b"1" * 24 + b"e-111"
    gap = b" " * 4
    names = (b"Train Loss:", b"Vali Loss:", b"Test Loss:", b"MAE Loss:")
    longest = gap.join(name + gap + number for name in names)
    results = (
        b"Epoch:" + gap + b"1" * 9 + b"," + gap + b"Steps:" + gap + b"1" * 9 + gap + b"|" + gap
    )
    (match,) = matches(results + longest)
    assert match.end() == len(results + longest)
    assert match.end() < LONGEST


def test_memory_does_not_grow_with_a_line_that_never_ends() -> None:
    log = PublishedLog()
    block = b"\x00\xff" * 100_000 + b"iters: Epoch: "
    log.feed(block)
    tracemalloc.start()
    for _ in range(50):
        log.feed(block)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 5 * len(block)


def test_numbers_that_are_cut_off_at_the_end_are_not_guessed() -> None:
    full = RESULTS.rstrip(b"\n")
    assert isinstance(events_in(full)[-1], ev.EpochEnded)
    assert events_in(full[:-3]) == []
    assert events_in(RESULTS, b"EarlyStopping counter: 1 out of 1")[2:] == []
    assert events_in(RESULTS, b"EarlyStopping counter: 1 out of 10")[2:] == [
        ev.EarlyStopping(counter=1, patience=10)
    ]
    assert events_in(RESULTS, b"Updating learning rate to 4.9999999999999914e-0")[2:] == []


@given(st.lists(st.one_of(NO_WORDS, st.sampled_from([DRAWN, bar(0, 0).encode()])), max_size=9))
def test_noise_alone_says_nothing(noise: list[bytes]) -> None:
    assert events_in(*noise) == []


def test_a_carriage_return_ends_a_line_unless_a_bar_follows() -> None:
    log = b"lr = 0.0004\r5 of 10 files\nUpdating learning rate to 0.000\r5it [00:03,  7.93it/s]2\n"
    assert events_in(log)[0] == ev.LearningRateChanged(lr=0.0002)
    first_line = log[: log.index(b"\n") + 1]
    assert events_in(first_line, RECORD)[0] == ev.LearningRateChanged(lr=0.0004)


@given(trainings(), st.data())
def test_a_line_may_be_torn_by_bars_where_the_output_was_buffered(
    training: tuple[Script, list[Epoch]], data: st.DataObject
) -> None:
    """Python writes what is printed into a file in blocks, bars at once."""
    script, epochs = training
    printed = b"".join(lines(script.output(epochs, bars=False)))
    places = data.draw(st.lists(st.integers(0, len(printed)), max_size=6))
    drawn = "".join(bar(n, n // 8) for n in (0, 50, script.steps)) + "\n"
    torn = (drawn * 3).encode().join(split(printed, places))
    assert events_in(torn) == events_in(printed)


# --- several processes, several trainings --------------------------------------------------------


@given(trainings(), st.integers(2, 4))
def test_what_several_processes_print_counts_once(
    training: tuple[Script, list[Epoch]], processes: int
) -> None:
    script, epochs = training
    output = script.output(epochs)
    again = [part for part in output for _ in range(processes if part[0] == "out" else 1)]
    assert events_in(text(again)) == events_in(text(output))


@given(trainings())
def test_records_of_two_processes_may_come_as_pairs(
    training: tuple[Script, list[Epoch]],
) -> None:
    script, epochs = training
    printed = lines(script.output(epochs))
    other = [line.replace(b"loss: ", b"loss: 1").replace(b"time: ", b"time: 1") for line in printed]
    doubled, i = [], 0
    while i < len(printed):
        size = 2 if b"iters" in printed[i] else 1
        doubled += printed[i : i + size] + other[i : i + size]
        i += size
    assert events_in(*doubled) == events_in(*printed)


def test_a_process_may_fall_behind_into_the_evaluation_of_another() -> None:
    output = Script(epochs=2, steps=200).output([SMALL_EPOCHS[0]])
    epoch, printed = text(output), lines(output)
    last = next(i for i, line in enumerate(printed) if b"iters: 200" in line)
    evaluation = epoch.index(b"\r40it", epoch.index(b"cost time"))
    assert epoch[:evaluation].endswith(bar(0, 0).encode())
    behind = [epoch[:evaluation], b"\n", *printed[last : last + 3], epoch[evaluation:]]
    assert events_in(*behind) == events_in(epoch)


def test_lines_of_two_processes_may_run_into_each_other() -> None:
    cost = b"Epoch: 1 cost time: 34.492552518844604"
    log = RECORD + cost + cost + b"\n\n" + RESULTS.rstrip(b"\n") + RESULTS + b"\n"
    ended = [e for e in events_in(log) if isinstance(e, ev.EpochEnded)]
    assert [e.seconds for e in ended] == [34.492552518844604]


def test_another_processs_bar_before_a_line_end_is_not_the_end_of_that_bar() -> None:
    """A line and its end are two writes, between which another process may draw."""
    epoch = text(Script(epochs=9, steps=60).output([SMALL_EPOCHS[0]]))
    cost = epoch.index(b"Epoch: 1 cost")
    line_end = epoch.index(b"\n", cost)
    torn = epoch[:line_end] + bar(59, 7).encode() + epoch[line_end:]
    second = RECORD.replace(b"epoch: 1", b"epoch: 2")
    assert ev.EpochStarted(epoch=2, steps=60) in events_in(epoch, second)
    assert ev.EpochStarted(epoch=2, steps=60) in events_in(torn, second)


@given(trainings(), trainings(), st.booleans())
def test_trainings_in_a_row_are_told_apart(
    first: tuple[Script, list[Epoch]], second: tuple[Script, list[Epoch]], bars: bool
) -> None:
    one, two = (text(script.output(epochs, bars=bars)) for script, epochs in (first, second))
    found = events_in(one, two)
    alert = ev.Alert(level="info", message=ANOTHER_TRAINING)
    assert found == [*events_in(one), alert, *events_in(two)]


def test_a_training_that_crashed_and_began_again_is_another_one() -> None:
    beginning = text(SMALL.output(SMALL_EPOCHS))
    beginning = beginning[: beginning.index(b"\tspeed: 0.1284")]
    found = events_in(beginning, b"\nKilled\n", beginning, b"\n")
    assert [(type(e).__name__, getattr(e, "iteration", None)) for e in found] == [
        ("EpochStarted", None),
        ("Progress", 100),
        ("Progress", 200),
        ("Alert", None),
        ("EpochStarted", None),
        ("Progress", 100),
        ("Progress", 200),
    ]


def test_whatever_comes_after_the_end_of_a_training_is_another_one() -> None:
    later = RECORD.replace(b"epoch: 1", b"epoch: 3")
    found = events_in(FIXTURE, b"success delete checkpoints\n", later)
    assert found[-3:-1] == [
        ev.Alert(level="info", message=ANOTHER_TRAINING),
        ev.EpochStarted(epoch=3),
    ]


def test_the_state_of_a_second_training_holds_nothing_of_the_first() -> None:
    state = reduce(RunState(), ev.RunStarted(run_id="r", name="n", engine="foreign"))
    for event in events_in(FIXTURE):
        state = reduce(state, event)
    state = reduce(state, ev.CheckpointSaved(kind="best", path="checkpoint", bytes=9, epoch=3))
    assert (state.epochs, state.steps_per_epoch, state.total_steps) == (5, 230, 1150)
    assert [row.epoch for row in state.rows] == [1, 2, 3]
    assert state.steps_at_risk == 0
    for event in events_in(FIXTURE, RECORD)[-3:]:
        state = reduce(state, event)
    assert (state.epoch, state.iteration) == (1, 100)
    assert (state.epochs, state.steps_per_epoch, state.rows, state.best) == (None, None, (), None)
    assert state.steps_at_risk == 100
