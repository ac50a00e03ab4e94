"""Programs that print steps or a bar and no loss: where they stand is known all the same."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st
from pattern_logs import events_of, file_of, told

from timellm_ops.contract import events as ev
from timellm_ops.contract.events import decode_event, encode_event
from timellm_ops.contract.reduction import reduce
from timellm_ops.contract.state import RunState

STEPS = "event = 'progress'\nregex = '^step (?P<step>\\d+)/(?P<total>\\d+)'"
TQDM = (
    "event = 'bar'\nregex = '\\d+%\\|[^|]*\\| (?P<step>\\d+)/(?P<total>\\d+) \\[.*?, *"
    "(?P<iterations_per_second>[\\d.]+)it/s'"
)
EPOCH = "event = 'epoch_started'\nregex = '^Epoch (?P<epoch>\\d+) of (?P<epochs>\\d+)'"


def bar(step: int, total: int) -> str:
    """As tqdm draws it: a carriage return before it, and no line end after it."""
    done = 10 * step // total
    cells = "█" * done + " " * (10 - done)
    return f"\r{100 * step // total:3d}%|{cells}| {step}/{total} [00:12<00:15,  4.00it/s]"


def state_of(events: list[ev.Event]) -> RunState:
    state = RunState(run_id="r", engine="foreign")
    for event in events:
        state = reduce(state, event)
    return state


def places(events: list[ev.Event]) -> list[tuple[int, int]]:
    return [(e.epoch, e.iteration) for e in events if isinstance(e, ev.Progress)]


def test_steps_of_a_run_are_its_progress() -> None:
    events = events_of(file_of(STEPS), "step 10/400\nstep 20/400\nstep 30/400\n")
    state = state_of(events)
    assert places(events) == [(1, 10), (1, 20), (1, 30)]
    assert (state.step, state.total_steps) == (30, 400)
    assert state.loss is state.smoothed_loss is None


def test_a_bar_of_the_run_is_its_progress_and_tells_the_speed() -> None:
    run_bar = TQDM + "\nover = 'run'"
    events = events_of(file_of(run_bar), "".join(bar(step, 50) for step in range(41)) + "\r")
    state = state_of(events)
    assert (state.step, state.total_steps) == (40, 50)
    assert state.seconds_per_iteration == 0.25


def test_a_bar_that_begins_again_is_of_the_next_epoch() -> None:
    text = "".join(bar(step, 20) for epoch in range(3) for step in range(21)) + "\r"
    state = state_of(events_of(file_of(TQDM), text))
    assert (state.epoch, state.iteration, state.steps_per_epoch) == (3, 20, 20)
    assert state.total_steps is None  # how many epochs there will be, nobody has said


def test_a_bar_below_the_titles_of_epochs_is_theirs() -> None:
    text = "".join(
        f"\nEpoch {epoch} of 3\n" + "".join(bar(step, 20) for step in range(21)) for epoch in (1, 2)
    )
    events = events_of(file_of(EPOCH, TQDM), text + "\r")
    state = state_of(events)
    assert (state.epoch, state.iteration, state.step, state.total_steps) == (2, 20, 40, 60)
    assert not any(isinstance(event, ev.Alert) for event in events)


def test_bars_of_another_total_are_not_the_trainings() -> None:
    text = "".join(bar(step, 20) for step in range(21)) + "".join(bar(step, 7) for step in range(8))
    state = state_of(events_of(file_of(TQDM), text + "\r"))
    assert (state.epoch, state.iteration) == (1, 20)


def test_a_loss_that_is_printed_now_and_then_stays() -> None:
    pattern = "event = 'progress'\nregex = '^(?P<step>\\d+)/(?P<total>\\d+)( loss (?P<loss>\\S+))?'"
    state = state_of(events_of(file_of(pattern), "1/9 loss 0.5\n2/9\n3/9\n"))
    assert (state.step, state.loss) == (3, 0.5)
    assert [record.loss for record in state.recent_training] == [0.5, None, None]


def test_a_loss_that_cannot_be_read_is_no_progress_without_one() -> None:
    pattern = "event = 'progress'\nregex = '^(?P<step>\\d+) loss (?P<loss>\\S+)'"
    assert events_of(file_of(pattern), "1 loss none\n") == []


def test_no_loss_and_one_that_was_no_number_stay_apart_in_the_journal() -> None:
    without = decode_event(encode_event(ev.Progress(iteration=1, epoch=1)))
    diverged = decode_event(encode_event(ev.Progress(iteration=1, epoch=1, loss=float("nan"))))
    assert isinstance(without, ev.Progress)
    assert isinstance(diverged, ev.Progress)
    assert without.known_loss is None
    assert diverged.known_loss is not None
    assert diverged.known_loss != diverged.known_loss


@given(st.lists(st.integers(1, 400), max_size=6))
def test_what_is_understood_does_not_depend_on_how_a_bar_is_split(cuts: list[int]) -> None:
    text = ("".join(bar(step, 12) for epoch in range(2) for step in range(13)) + "\r").encode()
    places_cut = [0, *sorted({min(cut, len(text)) for cut in cuts}), len(text)]
    chunks = [text[a:b] for a, b in pairwise(places_cut)]
    assert told(file_of(TQDM), *chunks) == told(file_of(TQDM), text)
