"""What the supervisor remembers besides the state: folded from the journal, event by event."""

from driven_core import progress, saved, training_started

from timellm_ops.contract import events as ev
from timellm_ops.contract.reduction import reduce
from timellm_ops.contract.state import RunState
from timellm_ops.supervisor.memory import Memory, remember

STARTED = ev.RunStarted(run_id="r", name="n", engine="foreign", t=0.0)
STOP_AFTER = ev.Command(who="cli", what="stop after_checkpoint", t=50.0)
HARDWARE_STOP = ev.PolicyDecision(action="stop", rule="thermal", reason="97 °C", t=90.0)
NO_BETTER = ev.EarlyStopping(counter=1, patience=3)


def after(*events: ev.Event) -> Memory:
    state, memory = RunState(), Memory()
    for event in events:
        memory = remember(memory, state, event)
        state = reduce(state, event)
    return memory


def test_a_start_forgets_everything_but_how_far_the_run_had_come() -> None:
    memory = after(
        STARTED, training_started(), progress(40), STOP_AFTER, saved(), NO_BETTER,
        ev.EngineFailed(message="x"), ev.TestEvaluated(mse=1.0, mae=1.0, windows=1), STARTED,
    )  # fmt: skip
    assert memory == Memory(steps_before=40)


def test_training_begins_where_its_checkpoint_was_and_not_where_the_run_had_come() -> None:
    memory = after(STARTED, training_started(), progress(40), STARTED, training_started(1, 25))
    assert memory.steps_before == 25


def test_a_stop_counts_from_when_it_was_first_asked_for() -> None:
    later = ev.Command(who="cli", what="stop checkpoint", t=70.0)
    assert after(STARTED, STOP_AFTER, later).stop_t == 50.0


def test_a_stop_for_the_hardware_counts_from_when_the_hardware_asked() -> None:
    again = ev.PolicyDecision(action="stop", rule="thermal", reason="99 °C", t=95.0)
    assert after(STARTED, STOP_AFTER, HARDWARE_STOP, again).stop_t == 90.0


def test_an_end_of_training_and_a_failure_are_remembered() -> None:
    assert after(STARTED, ev.TestEvaluated(mse=1.0, mae=1.0, windows=1)).finished
    assert after(STARTED, ev.TrainingFinished(epoch=1)).finished
    assert after(STARTED, ev.EngineFailed(message="x", kind="input")).failed == "input"


def test_a_stop_is_acknowledged_by_the_engine_and_by_nothing_else() -> None:
    pause = ev.ControlAcknowledged(sequence=2, desired="pause")
    stop = ev.ControlAcknowledged(sequence=3, desired="stop_now")
    assert not after(STARTED, pause).stop_acknowledged
    assert after(STARTED, pause, stop).stop_acknowledged


def test_a_checkpoint_is_counted_for_a_stop_only_after_the_stop() -> None:
    assert not after(STARTED, saved(), STOP_AFTER).saved_since_stop
    assert after(STARTED, STOP_AFTER, saved()).saved_since_stop


def test_a_checkpoint_of_a_pause_is_remembered_until_the_engine_moves_again() -> None:
    assert not after(STARTED, saved()).saved_standing
    assert after(STARTED, ev.Paused(), saved()).saved_standing
    assert not after(STARTED, ev.Paused(), saved(), ev.Resumed()).saved_standing


def test_a_patient_stop_is_safe_with_the_first_checkpoint_after_it() -> None:
    assert after(STARTED, saved("best", 1), STOP_AFTER).safe == ""
    memory = after(STARTED, STOP_AFTER, saved("best", 2), saved("last", 2))
    assert memory.safe == "the best checkpoint is on disk"


def test_an_epoch_without_improvement_is_safe_only_with_a_best_checkpoint_on_disk() -> None:
    epoch = ev.EpochStarted(epoch=2)
    assert after(STARTED, epoch, STOP_AFTER, NO_BETTER).safe == ""
    memory = after(STARTED, saved("best", 1), epoch, STOP_AFTER, NO_BETTER)
    assert memory.safe == (
        "epoch 2 brought no improvement, and the best checkpoint, of epoch 1, is already on disk"
    )


def test_an_epoch_without_improvement_before_the_stop_makes_nothing_safe() -> None:
    assert after(STARTED, saved("best", 1), NO_BETTER, STOP_AFTER).safe == ""


def test_a_best_checkpoint_that_is_being_written_is_waited_for() -> None:
    writing = ev.CheckpointWriting(kind="best", epoch=2)
    assert after(STARTED, saved("best", 1), STOP_AFTER, writing, NO_BETTER).safe == ""


def test_why_a_script_may_be_stopped_is_what_first_made_it_so() -> None:
    """It moves on until the signal reaches it, and says more until then."""
    memory = after(STARTED, saved("best", 1), STOP_AFTER, saved("last", 2), NO_BETTER)
    assert memory.safe == "the last checkpoint is on disk"
