"""What the printed left times and bars prove of a training: never anything that is not so."""

from hypothesis import example, given
from hypothesis import strategies as st
from published_writer import Epoch, Script, text

from timellm_ops.adapters.published import PublishedLog
from timellm_ops.adapters.training_shape import Shape, ShapeEvidence

PACES = st.lists(st.floats(0.0004, 20.0), min_size=12, max_size=12)


def told(
    evidence: ShapeEvidence, script: Script, epoch: int, iteration: int, pace_s: float
) -> None:
    """One record, rounded as it is printed."""
    left_s = pace_s * ((script.epochs - epoch + 1) * script.steps - (iteration - 1))
    evidence.progress(epoch, iteration, round(pace_s, 4), round(left_s, 4))


def shape_of(script: Script, epochs: list[Epoch], *, bars: bool = True) -> Shape:
    log = PublishedLog()
    log.feed(text(script.output(epochs, bars=bars)))
    log.finish()
    return log.whereabouts().shape


def an_epoch(*pace_s: float) -> Epoch:
    losses = [0.5] * len(pace_s)
    return Epoch(losses, pace_s, train=0.5, vali=0.5, test=0.5, mae=0.5, lr=1e-4)


@given(st.integers(1, 100), st.integers(1, 20_000), PACES)
def test_what_is_certain_is_true(epochs: int, steps: int, paces: list[float]) -> None:
    script, evidence = Script(epochs=epochs, steps=steps), ShapeEvidence()
    for number, pace_s in enumerate(paces):
        epoch = 1 + number * min(epochs, 4) // len(paces)
        iteration = 100 * (1 + number % 3)
        if iteration <= steps:
            told(evidence, script, epoch, iteration, pace_s)
        last = steps // 100 * 100
        evidence.epoch_trained(last, 100 if last else 0)
        shape = evidence.shape()
        assert shape.epochs in (None, epochs)
        assert shape.steps in (None, steps)


def test_one_epoch_proves_nothing() -> None:
    script, evidence = Script(epochs=10, steps=14_057), ShapeEvidence()
    for iteration in range(100, 14_100, 100):
        told(evidence, script, 1, iteration, 1.1135 + iteration % 7 / 1e5)
    assert evidence.shape() == Shape()


def test_two_epochs_of_a_long_training_leave_one_pair_of_numbers() -> None:
    script, evidence = Script(epochs=10, steps=14_057), ShapeEvidence()
    for epoch in (1, 2):
        for iteration in range(100, 14_100, 100):
            told(evidence, script, epoch, iteration, 1.1135 + iteration % 70 / 1e4)
        evidence.epoch_trained(14_000, 100)
    assert evidence.shape() == Shape(epochs=10, steps=14_057)


def test_the_bar_of_an_epoch_counts_its_steps() -> None:
    assert shape_of(Script(epochs=5, steps=230), [an_epoch(0.1, 0.1)]).steps == 230
    assert shape_of(Script(epochs=5, steps=230), [an_epoch(0.1, 0.1)], bars=False).steps is None


def test_several_gpus_share_the_steps_that_the_left_time_counts() -> None:
    script = Script(epochs=6, steps=900, shares=4)
    epochs = [an_epoch(0.1317, 0.1252), an_epoch(0.2969, 0.1248), an_epoch(0.3098, 0.1296)]
    assert shape_of(script, epochs) == Shape(epochs=6, steps=225)
    assert shape_of(script, epochs, bars=False) == Shape(epochs=6, steps=None)


def test_without_a_whole_epoch_nobody_knows_whether_the_steps_are_shared() -> None:
    script, evidence = Script(epochs=6, steps=900), ShapeEvidence()
    for epoch in (1, 2):
        for iteration in (100, 200, 300):
            told(evidence, script, epoch, iteration, 1.5 + iteration / 1e4)
    assert evidence.shape() == Shape(epochs=6, steps=None)
    evidence.epoch_trained(900, 100)
    assert evidence.shape() == Shape(epochs=6, steps=900)


def test_a_bar_of_something_else_is_not_an_epochs() -> None:
    evidence = ShapeEvidence()
    evidence.bar_ended(done=89, elapsed_s=4, trained_s=34.5)
    assert evidence.shape().steps is None
    evidence.epoch_trained(200, 100)
    evidence.bar_ended(done=89, elapsed_s=34, trained_s=34.5)
    assert evidence.shape().steps is None
    evidence.bar_ended(done=266, elapsed_s=34, trained_s=34.5)
    assert evidence.shape().steps == 266


def test_left_times_of_another_formula_prove_nothing() -> None:
    evidence = ShapeEvidence()
    for epoch, iteration, left_s in ((1, 100, 131.0), (1, 200, 431.0), (2, 100, 11.0)):
        evidence.progress(epoch, iteration, 0.1, left_s)
    assert evidence.shape() == Shape()


@given(st.floats(), st.floats(), st.integers(1, 9), st.integers(1, 10**9))
@example(pace_s=2.0**-14, left_s=-2e303, epoch=1, iteration=1)
@example(pace_s=-(2.0**-14), left_s=-2e303, epoch=1, iteration=1)
def test_no_figures_are_too_odd_to_be_taken_in(
    pace_s: float, left_s: float, epoch: int, iteration: int
) -> None:
    evidence = ShapeEvidence()
    evidence.progress(epoch, iteration, pace_s, left_s)
    evidence.progress(epoch + 1, iteration, pace_s, left_s)
    evidence.epoch_trained(iteration, 100)
    evidence.shape()
