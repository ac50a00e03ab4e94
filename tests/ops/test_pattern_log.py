"""The output of other programs as events, by patterns."""

import math
import os
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pattern_logs import (
    FIXTURES,
    HF,
    HF_INFO,
    events_of,
    file_of,
    shipped,
    time_series_library,
    told,
)

from timellm_ops.adapters.log_pieces import LONGEST_PIECE, LogPieces
from timellm_ops.adapters.log_stream import LogStream
from timellm_ops.adapters.pattern_file import Patterns
from timellm_ops.adapters.pattern_log import ANOTHER_TRAINING, MOST_ALERTS, PatternLog
from timellm_ops.adapters.published import PublishedLog
from timellm_ops.adapters.thinning import FULL
from timellm_ops.contract import events as ev
from timellm_ops.contract.reduction import reduce
from timellm_ops.contract.state import RunState

REAL_LOG = "upstream_etth1_gpt2_4epochs.log"
STEP = "event = 'progress'\nregex = 'step (?P<step>\\d+) of (?P<total>\\d+): (?P<loss>\\S+)'"
EPOCH_STEP = (
    "event = 'progress'\nregex = '^(?P<epoch>\\d+)/(?P<iteration>\\d+) loss (?P<loss>\\S+)'"
)


def only(events: list[ev.Event], kind: type[ev.BaseEvent]) -> list[ev.Event]:
    return [event for event in events if isinstance(event, kind)]


# --- Hugging Face Trainer ------------------------------------------------------------------------


@pytest.mark.parametrize("log", [HF, HF_INFO], ids=["plain", "info"])
def test_a_trainer_of_hugging_face_is_understood(log: bytes) -> None:
    events = [event for event, _ in told(shipped("hf-trainer"), log)]
    assert only(events, ev.EpochStarted) == [
        ev.EpochStarted(epoch=epoch, steps=11, epochs=3) for epoch in (1, 2, 3)
    ]
    steps = [
        (e.epoch, e.iteration, e.loss, e.grad_norm, e.lr)
        for e in events
        if isinstance(e, ev.Progress)
    ]
    assert steps == [
        (1, 5, 1.66, 2.528, 4.394e-05),
        (1, 10, 1.646, 0.6182, 3.636e-05),
        (2, 4, 1.932, 1.951, 2.879e-05),
        (2, 9, 1.607, 3.602, 2.121e-05),
        (3, 3, 2.182, 4.807, 1.364e-05),
        (3, 8, 1.21, 2.261, 6.061e-06),
    ]
    rows = [(e.epoch, e.vali_mse, e.train_mse) for e in events if isinstance(e, ev.EpochEnded)]
    assert rows == [
        (1, 1.353, pytest.approx((1.66 + 1.646) / 2)),
        (2, 1.352, pytest.approx((1.932 + 1.607) / 2)),
        (3, 1.352, pytest.approx((2.182 + 1.21) / 2)),
    ]
    assert events[-1] == ev.TrainingFinished(epoch=3)


def test_a_trainer_that_tells_of_its_checkpoints_says_where_they_are() -> None:
    events = [event for event, _ in told(shipped("hf-trainer"), HF_INFO)]
    assert only(events, ev.CheckpointWriting) == [
        ev.CheckpointWriting(kind="last", epoch=n, iteration=11, path=f"out/checkpoint-{n * 11}")
        for n in (1, 2, 3)
    ]
    assert only([event for event, _ in told(shipped("hf-trainer"), HF)], ev.CheckpointWriting) == []


def test_the_older_form_with_bare_numbers_and_no_bar_is_understood() -> None:
    events = events_of(
        shipped("hf-trainer"),
        "  Num Epochs = 2\n  Total optimization steps = 2,000\n"
        "{'loss': 0.5, 'grad_norm': 1.25, 'learning_rate': 4e-05, 'epoch': 0.5}\n"
        "{'loss': nan, 'learning_rate': 2e-05, 'epoch': 1.5}\n",
    )
    assert only(events, ev.EpochStarted)[0] == ev.EpochStarted(epoch=1, steps=1000, epochs=2)
    first, second = (e for e in events if isinstance(e, ev.Progress))
    assert first == ev.Progress(epoch=1, iteration=500, loss=0.5, lr=4e-05, grad_norm=1.25)
    assert (second.epoch, second.iteration) == (2, 500)
    assert math.isnan(second.loss)


def bar(step: int, total: int) -> str:
    return f"\r{100 * step // total:3d}%|###   | {step}/{total} [00:10<00:20,  2.00it/s]"


@given(
    epochs=st.integers(1, 30),
    steps=st.integers(1, 3000),
    data=st.data(),
)
def test_steps_and_epochs_follow_from_the_bar_and_a_share_of_four_figures(
    epochs: int, steps: int, data: st.DataObject
) -> None:
    total = epochs * steps
    at = sorted(data.draw(st.sets(st.integers(1, total), min_size=1, max_size=5)))
    text = bar(0, total)
    for step in at:
        stale = data.draw(st.integers(0, 1)) * "\r"
        text += f"{stale}\r{{'loss': '0.5', 'epoch': '{step / steps:.4g}'}}\n{bar(step, total)}"
    found = only(events_of(shipped("hf-trainer"), text + "\n"), ev.Progress)
    places = [(e.epoch - 1) * steps + e.iteration for e in found if isinstance(e, ev.Progress)]
    shapes = [
        e for e in events_of(shipped("hf-trainer"), text + "\n") if isinstance(e, ev.EpochStarted)
    ]
    if all(shape.epochs == epochs for shape in shapes):
        assert places == at
    else:  # four figures do not always tell; never a wrong number of epochs for sure
        assert all(shape.epochs is None or total % shape.epochs == 0 for shape in shapes)


def test_an_evaluation_in_the_middle_of_an_epoch_counts_at_its_end() -> None:
    line = "{{'eval_loss': '{}', 'epoch': '{}'}}\n"
    loss = "{{'loss': '{}', 'epoch': '{}'}}\n"
    head = "Num Epochs = 2\nTotal optimization steps = 20\n"
    events = events_of(
        shipped("hf-trainer"),
        head
        + line.format(9.0, 0)
        + loss.format(0.6, 0.4)
        + line.format(0.5, 0.4)
        + loss.format(0.5, 0.8)
        + line.format(0.4, 0.8)
        + loss.format(0.4, 1.2)
        + line.format(0.3, 2)
        + "{'train_runtime': 3}\n",
    )
    assert [(e.epoch, e.vali_mse) for e in events if isinstance(e, ev.EpochEnded)] == [
        (1, 0.4),
        (2, 0.3),
    ]


def test_the_bar_of_an_evaluation_is_not_that_of_the_training() -> None:
    text = bar(10, 40) + bar(0, 7) + bar(7, 7) + "\r{'loss': '1', 'epoch': '0.5'}\n" + bar(10, 40)
    (progress,) = only(events_of(shipped("hf-trainer"), text + "\n"), ev.Progress)
    assert isinstance(progress, ev.Progress)
    assert (progress.epoch, progress.iteration) == (1, 10)
    assert progress.seconds_per_iteration == 0.5
    assert progress.left_seconds == 20.0


# --- Time-Series-Library -------------------------------------------------------------------------


def test_time_series_library_is_understood() -> None:
    text = time_series_library([0.7, 0.6, 0.65, 0.66, 0.67, 0.5])
    events = events_of(shipped("time-series-library"), text)
    state = RunState(engine="imported")
    for event in events:
        state = reduce(state, event)
    assert [row.vali_mse for row in state.rows] == [0.7, 0.6, 0.65, 0.66, 0.67]
    assert [row.seconds for row in state.rows] == [pytest.approx(5.3)] * 5
    assert state.best_epoch == 2
    assert (state.early_counter, state.patience, state.early_stopped) == (3, 3, True)
    assert state.steps_per_epoch == 265
    assert state.seconds_per_iteration == pytest.approx(0.02)
    assert (state.final_mse, state.final_mae) == (0.38662, 0.40185)
    writing = only(events, ev.CheckpointWriting)
    assert writing == [
        ev.CheckpointWriting(kind="best", epoch=1, vali_mse=0.7),
        ev.CheckpointWriting(kind="best", epoch=2, vali_mse=0.6, previous_vali_mse=0.7),
    ]
    assert only(events, ev.TestEvaluated) == [
        ev.TestEvaluated(mse=0.38662, mae=0.40185, windows=2785)
    ]


def test_several_trainings_one_after_the_other_are_told_apart() -> None:
    events = events_of(
        shipped("time-series-library"),
        time_series_library([0.7, 0.6]) + time_series_library([0.5], steps=100),
    )
    told_of = [e.message for e in events if isinstance(e, ev.Alert)]
    assert told_of == [ANOTHER_TRAINING]
    state = RunState(engine="imported")
    for event in events:
        state = reduce(state, event)
    assert [(row.epoch, row.vali_mse) for row in state.rows] == [(1, 0.5)]
    assert state.steps_per_epoch == 100


def test_a_classification_is_read_as_far_as_it_is_about_losses() -> None:
    line = (
        "Epoch: 2, Steps: 9 | Train Loss: 1.234 Vali Loss: 0.987 Vali Acc: 0.654"
        " Test Loss: 0.876 Test Acc: 0.765\n"
    )
    (ended,) = only(events_of(shipped("time-series-library"), line), ev.EpochEnded)
    assert isinstance(ended, ev.EpochEnded)
    assert (ended.vali_mse, ended.test_mse, ended.test_mae) == (0.987, 0.876, None)


# --- the published script ------------------------------------------------------------------------


def comparable(event: ev.Event) -> ev.Event | None:
    """What both can say: the patterns prove no shape, and hear of one end more or less."""
    if isinstance(event, ev.EpochStarted):
        return ev.EpochStarted(epoch=event.epoch)
    return event


def agree_on(log: bytes) -> None:
    code = PublishedLog()
    by_code = [event for event, _ in code.feed(log) + code.finish()]
    by_patterns = [event for event, _ in told(shipped("published"), log)]
    assert by_code
    assert list(map(comparable, by_patterns)) == list(map(comparable, by_code))


def test_patterns_and_code_agree_on_a_published_log() -> None:
    agree_on((FIXTURES / "published.log").read_bytes())


def test_patterns_and_code_agree_on_a_real_published_log() -> None:
    folder = os.environ.get("TIMELLM_FIXTURES_DIR")
    if not folder:
        pytest.skip("TIMELLM_FIXTURES_DIR is not set: no real log to compare on")
    agree_on((Path(folder) / REAL_LOG).read_bytes())


# --- any program ---------------------------------------------------------------------------------


def test_a_program_that_counts_the_steps_of_the_whole_run() -> None:
    patterns = file_of(STEP, "event = 'training'\nregex = '(?P<epochs>\\d+) epochs'")
    events = events_of(patterns, "4 epochs\nstep 30 of 100: 0.5\nstep 50 of 100: 0.4\n")
    assert events == [
        ev.EpochStarted(epoch=2, steps=25, epochs=4),
        ev.Progress(epoch=2, iteration=5, loss=0.5),
        ev.Progress(epoch=2, iteration=25, loss=0.4),
    ]


def test_a_program_that_counts_from_0_and_in_percent_and_minutes() -> None:
    patterns = file_of(
        "event = 'progress'\n"
        "regex = 'e(?P<epoch>\\d+) i(?P<iteration>\\d+) (?P<loss>\\d+)% (?P<left_seconds>\\d+)m'\n"
        "convert = { epoch = 'from_zero', iteration = 'from_zero', loss = 'percent',"
        " left_seconds = 'minutes' }"
    )
    assert events_of(patterns, "e0 i9 50% 3m\n") == [
        ev.EpochStarted(epoch=1),
        ev.Progress(epoch=1, iteration=10, loss=0.5, left_seconds=180.0),
    ]


def test_a_bar_of_each_epoch_tells_the_steps_of_one() -> None:
    patterns = file_of(
        "event = 'bar'\nregex = '(?P<step>\\d+)/(?P<total>\\d+)'",
        "event = 'progress'\nregex = 'epoch (?P<epoch>\\d+) loss (?P<loss>\\S+)'",
    )
    events = events_of(patterns, "5/20\r10/20\repoch 1 loss 0.5\r11/20\r12/20\repoch 1 loss 0.4\n")
    assert events == [
        ev.EpochStarted(epoch=1, steps=20),
        ev.Progress(epoch=1, iteration=11, loss=0.5),
        ev.Progress(epoch=1, iteration=12, loss=0.4),
    ]


def test_everything_else_that_a_line_may_say() -> None:
    patterns = file_of(
        EPOCH_STEP,
        "event = 'epoch_started'\nregex = 'epoch (?P<epoch>\\d+) begins, (?P<steps>\\d+) steps'",
        "event = 'evaluation'\nsplit = 'test'\nregex = 'test (?P<done>\\d+)/(?P<total>\\d+)'",
        "event = 'epoch_ended'\nregex = 'vali (?P<vali>\\S+) mae (?P<vali_mae>\\S+)'",
        "event = 'checkpoint'\nkind = 'step'\nregex = 'saving (?P<path>\\S+)'",
        "event = 'early_stopping'\nregex = 'patience (?P<counter>\\d+)/(?P<patience>\\d+)'",
        "event = 'early_stopping'\nstopped = true\nregex = 'enough'",
        "event = 'failed'\nregex = 'ERROR (?P<message>.+)'",
        "event = 'alert'\nlevel = 'info'\nmessage = 'it warns'\nregex = 'WARNING'",
    )
    text = (
        "epoch 1 begins, 9 steps\n1/3 loss 0.5\n1/6 loss 0.3\ntest 2/8\nvali 0.4 mae 0.6\n"
        "saving w.pt\npatience 1/3\nenough\nERROR no memory\nWARNING\nWARNING\n"
    )
    assert events_of(patterns, text) == [
        ev.EpochStarted(epoch=1, steps=9),
        ev.Progress(epoch=1, iteration=3, loss=0.5),
        ev.Progress(epoch=1, iteration=6, loss=0.3),
        ev.EvaluationProgress(split="test", done=2, total=8, epoch=1),
        ev.EpochEnded(epoch=1, train_mse=0.4, vali_mse=0.4, vali_mae=0.6),
        ev.CheckpointWriting(kind="step", epoch=1, iteration=6, path="w.pt"),
        ev.EarlyStopping(counter=1, patience=3),
        ev.EarlyStopping(counter=1, patience=3, stopped=True),
        ev.EngineFailed(message="no memory"),
        ev.Alert(level="info", message="it warns"),
    ]


def test_a_patience_that_is_used_up_is_the_end_though_no_line_says_so() -> None:
    patterns = file_of(
        EPOCH_STEP,
        "event = 'early_stopping'\nregex = 'patience (?P<counter>\\d+)/(?P<patience>\\d+)'",
    )
    events = events_of(patterns, "1/3 loss 0.5\npatience 2/3\n2/3 loss 0.4\npatience 3/3\n")
    stops = [(e.counter, e.stopped) for e in events if isinstance(e, ev.EarlyStopping)]
    assert stops == [(2, False), (3, True)]


def test_a_training_that_was_stopped_early_is_not_told_as_one_that_came_to_its_end() -> None:
    patterns = file_of(
        EPOCH_STEP,
        "event = 'early_stopping'\nstopped = true\nregex = 'enough'",
        "event = 'early_stopping'\nregex = 'patience (?P<counter>\\d+)/(?P<patience>\\d+)'",
        "event = 'finished'\nregex = 'done'",
    )
    ended = events_of(patterns, "1/3 loss 0.5\ndone\n")
    assert isinstance(ended[-1], ev.TrainingFinished)
    stopped = events_of(patterns, "1/3 loss 0.5\npatience 2/3\nenough\ndone\n")
    assert stopped[-1] == ev.EarlyStopping(counter=2, patience=3, stopped=True)


def test_a_line_that_tells_of_nothing_that_moves_is_no_progress() -> None:
    patterns = file_of("event = 'progress'\nregex = 'step (?P<step>\\S+) lr (?P<lr>\\S+)'")
    assert events_of(patterns, "step ? lr 0.1\n") == []
    assert len(events_of(patterns, "step 3 lr 0.1\n")) == 2


def test_what_is_said_again_once_training_has_moved_on_is_told_again() -> None:
    patterns = file_of(
        EPOCH_STEP,
        "event = 'checkpoint'\nregex = 'saving'",
        "event = 'epoch_ended'\nregex = 'vali (?P<vali>\\S+)'",
    )
    text = "1/3 loss 0.5\nsaving\n1/6 loss 0.4\nsaving\nvali 0.4\nsaving\n2/3 loss 0.3\n"
    assert len(only(events_of(patterns, text), ev.CheckpointWriting)) == 3


def test_a_failure_has_the_words_of_its_line_or_of_its_pattern() -> None:
    with_words = file_of(
        "event = 'failed'\nmessage = 'no memory'\nregex = 'OOM'",
        "event = 'failed'\nregex = 'killed'",
    )
    failed = only(events_of(with_words, "OOM\nkilled\n"), ev.EngineFailed)
    assert [event.message for event in failed] == ["no memory", "the script says it has failed"]


def test_the_first_loss_that_is_no_number_is_told_however_many_steps_there_are() -> None:
    def steps_told(losses: dict[int, str]) -> list[int]:
        lines = (f"1/{step} loss {losses.get(step, '0.5')}\n" for step in range(1, 3001))
        events = events_of(file_of(EPOCH_STEP), "".join(lines))
        return [event.iteration for event in only(events, ev.Progress)]

    left_out = next(step for step in range(2900, 3000) if step not in steps_told({}))
    assert left_out in steps_told({left_out: "nan"})


def test_what_several_processes_print_is_told_once() -> None:
    patterns = file_of(
        EPOCH_STEP,
        "event = 'checkpoint'\nregex = 'saving'",
        "event = 'epoch_ended'\nregex = 'vali (?P<vali>\\S+)'",
    )
    once = ["1/10 loss 0.5", "1/20 loss 0.4", "vali 0.4", "saving", "2/10 loss 0.3"]
    twice = "".join(f"{line}\n{line}\n" for line in once)
    assert events_of(patterns, twice) == events_of(patterns, "\n".join(once) + "\n")
    late = "1/10 loss 0.5\n1/20 loss 0.4\n1/10 loss 0.5\n1/30 loss 0.3\n"
    assert only(events_of(patterns, late), ev.Alert) == []


def test_a_training_that_begins_anew_without_a_word_is_noticed() -> None:
    text = "1/10 loss 0.5\n1/20 loss 0.4\n1/30 loss 0.4\n1/10 loss 0.6\n1/20 loss 0.5\n"
    events = events_of(file_of(EPOCH_STEP), text)
    assert [type(e).__name__ for e in events] == [
        "EpochStarted", "Progress", "Progress", "Progress", "Alert", "EpochStarted", "Progress",
        "Progress",
    ]  # fmt: skip


def test_a_pattern_that_takes_too_long_is_left_out_and_the_others_go_on() -> None:
    patterns = file_of("event = 'learning_rate'\nregex = '(?P<lr>(a+)+)$'", EPOCH_STEP)
    line = "a" * 100 + "!\n"
    events = events_of(patterns, line + "1/10 loss 0.5\n" + line)
    assert [type(e).__name__ for e in events] == ["Alert", "EpochStarted", "Progress"]
    assert isinstance(events[0], ev.Alert)
    assert "pattern 1 (learning_rate)" in events[0].message


def test_alerts_without_an_end_are_told_up_to_a_number() -> None:
    patterns = file_of("event = 'alert'\nregex = 'W (?P<message>.+)'")
    text = "".join(f"W {n}\n" for n in range(3 * MOST_ALERTS))
    assert len(events_of(patterns, text)) == MOST_ALERTS


def test_of_a_loss_at_every_step_ever_fewer_are_told_and_the_last_before_anything_else() -> None:
    patterns = file_of(
        EPOCH_STEP,
        "event = 'epoch_ended'\nregex = 'vali (?P<vali>\\S+)'",
        "event = 'learning_rate'\nregex = ' lr (?P<lr>\\S+)'",
    )
    count = 6 * FULL
    text = "".join(f"1/{n} loss {n}.0 lr {1 / n}\n" for n in range(1, count))
    events = events_of(patterns, text + f"1/{count} loss nan\nvali 0.5\n2/1 loss 1.0\n")
    steps = [event for event in events if isinstance(event, ev.Progress)]
    assert [step.iteration for step in steps[:FULL]] == list(range(1, FULL + 1))
    assert len(steps) < 3 * FULL
    assert len(only(events, ev.LearningRateChanged)) < 3 * FULL
    gaps = [b.iteration - a.iteration for a, b in pairwise(steps[:-1])]
    assert max(gaps) == 4
    assert [type(event).__name__ for event in events[-4:]] == [
        "Progress", "EpochEnded", "EpochStarted", "Progress",
    ]  # fmt: skip
    ended = events[-3]
    assert isinstance(ended, ev.EpochEnded)
    assert math.isnan(ended.train_mse)
    assert math.isnan(steps[-2].loss)
    assert steps[-2].iteration == count


def test_where_training_stands_is_told_before_what_follows() -> None:
    patterns = file_of(EPOCH_STEP, "event = 'checkpoint'\nkind = 'last'\nregex = 'saving'")
    text = "".join(f"1/{n} loss 0.5\n" for n in range(1, 2 * FULL))
    events = events_of(patterns, text + "saving\n")
    at = 2 * FULL - 1
    assert events[-2:] == [
        ev.Progress(epoch=1, iteration=at, loss=0.5),
        ev.CheckpointWriting(kind="last", epoch=1, iteration=at),
    ]
    assert events_of(patterns, text)[-1] == events[-2]


def test_of_a_line_without_an_end_its_beginning_is_looked_at() -> None:
    pieces = list(LogPieces().feed(b"x" * (1 << 20) + b"1/10 loss 0.5\nshort\n"))
    assert [len(piece.text) for piece in pieces] == [LONGEST_PIECE, 5]
    assert pieces[-1].end == (1 << 20) + 20


def test_a_last_line_that_may_be_cut_off_is_not_read() -> None:
    assert events_of(file_of(EPOCH_STEP), "1/10 loss 0.5\n1/20 loss 0.4") == events_of(
        file_of(EPOCH_STEP), "1/10 loss 0.5\n"
    )


LOGS = [
    (shipped("hf-trainer"), HF_INFO),
    (shipped("time-series-library"), time_series_library([0.7, 0.6, 0.65]).encode()),
    (shipped("published"), (FIXTURES / "published.log").read_bytes()),
    (
        file_of("event = 'alert'\nregex = '(?P<message>\\w)'", EPOCH_STEP),
        b"a\rb\rc\n1/1 loss 1\n\n",
    ),
]


@pytest.mark.parametrize(("patterns", "log"), LOGS)
def test_each_event_accounts_for_more_bytes_and_never_for_more_than_there_are(
    patterns: Patterns, log: bytes
) -> None:
    known = PatternLog(patterns)
    offsets, size = [0], 0
    for at in range(0, len(log), 7):
        size = min(len(log), at + 7)
        for _, offset in known.feed(log[at : at + 7]):
            assert offsets[-1] < offset <= size
            offsets.append(offset)
    assert len(offsets) > 3


@given(st.sampled_from(LOGS), st.lists(st.integers(0, 4000), max_size=6))
def test_the_events_do_not_depend_on_how_the_output_is_split(
    case: tuple[Patterns, bytes], cuts: list[int]
) -> None:
    patterns, log = case
    at = [0, *sorted(min(cut, len(log)) for cut in cuts), len(log)]
    chunks = [log[a:b] for a, b in pairwise(at)]
    assert told(patterns, *chunks) == told(patterns, log)


@given(st.binary(max_size=400))
def test_no_output_is_too_strange(noise: bytes) -> None:
    for name in ("hf-trainer", "published", "time-series-library"):
        told(shipped(name), noise + b"\n", HF[:700], noise)


def test_who_takes_over_in_the_middle_is_told_the_rest(tmp_path: Path) -> None:
    patterns, path = shipped("hf-trainer"), tmp_path / "engine.log"
    path.write_bytes(HF_INFO)
    whole = LogStream(path, make=lambda: PatternLog(patterns)).poll()
    assert len(whole) > 10
    for count, (_, offset) in enumerate(whole, start=1):
        rest = LogStream(path, offset, make=lambda: PatternLog(patterns)).poll()
        assert rest == whole[count:]
