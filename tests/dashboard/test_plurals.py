"""What a run of one epoch, one step, one layer is told in: never `1 epochs`."""

import re

from sample_facts import etth1, plan_of
from sample_journals import Journal, started

from timellm_dashboard.answers.draw import draw_answer
from timellm_dashboard.answers.facts import Facts
from timellm_dashboard.answers.questions import answers
from timellm_dashboard.lines import text_of
from timellm_dashboard.viewmodel.view import Recorder, view_of
from timellm_ops.contract import events as ev

ONE_OF_MANY = re.compile(r"(?<![\w.,-])1 (?!(?:is|was|has|makes|answers)\b)[a-z]+s\b")
ONE_OF_EVERYTHING = (
    "data.dataset=synthetic", "data.synthetic_rows=900", "data.synthetic_columns=1",
    "data.seq_len=8", "data.pred_len=1", "model.patch_len=8", "model.stride=8",
    "model.d_model=1", "model.d_ff=1", "model.n_heads=1", "model.num_prototypes=1",
    "train.batch_size=1", "train.epochs=1", "train.log_every=1",
    "checkpoint.every_minutes=1", "checkpoint.every_steps=1", "backbone.layers=1",
)  # fmt: skip


def one_of_each() -> Journal:
    """One epoch of one step, one pause, no improvement, and the step in no checkpoint."""
    journal = started("none")
    begun = ev.TrainingStarted(
        epochs=1, steps_per_epoch=1, batch_size=1, train_samples=1, vali_samples=1,
        test_samples=1, trainable_parameters=1, frozen_parameters=1, backbone="embedded",
        device="cpu", patience=1,
    )  # fmt: skip
    journal.add(begun)
    journal.add(ev.EpochStarted(epoch=1))
    journal.add(ev.Progress(iteration=1, epoch=1, loss=0.5), 1.0)
    journal.add(ev.Paused(by="control"), 1.0).add(ev.Resumed(), 1.0)
    return journal.add(ev.EarlyStopping(counter=1, patience=1, stopped=True))


def test_a_run_of_one_of_everything_is_told_of_in_the_singular() -> None:
    journal = one_of_each()
    view = view_of(journal.records, now_t=journal.t, wall_now=journal.wall, supervised=True)
    told = [line.text for line in view.feed]
    assert "training: 1 window, 1 step an epoch, 1 epoch" in told
    assert "no improvement for 1 epoch: training ends early" in told
    assert "1 window" in view.run.facts.split(" · ")
    assert "in 1 pause" in view.progress.paused.text
    assert view.checkpoints.safe.reason.startswith("1 step at risk")


def test_a_lost_step_is_one() -> None:
    journal = one_of_each()
    journal.add(ev.RunEnded(outcome="failed", exit_code=4, reason="it broke"))
    view = view_of(journal.records, now_t=journal.t, wall_now=journal.wall, supervised=True)
    assert view.checkpoints.safe.reason == "the run has ended; 1 step was lost"


def test_no_answer_has_the_plural_of_one() -> None:
    config, recorder = etth1(*ONE_OF_EVERYTHING), Recorder()
    recorder.take(one_of_each().records)
    of = Facts(
        kind="run",
        name="one",
        config=config,
        plan=plan_of(config),
        state=recorder.state,
        limits=None,
    )
    texts = [
        text
        for found in answers(of, "en")
        for text in (
            found.brief,
            *(text_of(row) for row in draw_answer(found, 200, ascii_only=True)),
        )
    ]
    assert [text for text in texts if ONE_OF_MANY.search(text)] == []
