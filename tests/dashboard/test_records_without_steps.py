"""A script that tells losses and epochs and no steps, as the Hugging Face Trainer without a bar."""

from sample_journals import Journal
from test_view import view

from timellm_dashboard.lines import text_of
from timellm_dashboard.panels.loss import loss_chart
from timellm_dashboard.viewmodel.view import View
from timellm_dashboard.words.text import Lang
from timellm_ops.contract import events as ev


def run(records: int) -> Journal:
    journal = Journal().add(
        ev.RunStarted(run_id="r", name="r", engine="foreign", gpu="none", supervisor_pid=1)
    )
    journal.add(ev.EngineStarted(pid=2)).add(ev.EpochStarted(epoch=1))
    for number in range(records):
        journal.add(ev.Progress(iteration=0, epoch=1, loss=2.0 / (1 + number)), 1.0)
    journal.add(ev.EpochEnded(epoch=1, train_mse=1.0, vali_mse=1.0))
    saved = ev.CheckpointSaved(kind="last", path="out", bytes=1 << 20, epoch=1, iteration=0)
    return journal.add(saved)


def axis(shown: View) -> str:
    return text_of(loss_chart(shown, 60, 8)[-1])


def test_the_losses_are_drawn_one_beside_the_other_and_counted_as_records() -> None:
    shown = view(run(30))
    assert {point.start for point in shown.charts.loss} == {float(n) for n in range(1, 31)}
    assert "record 1 " in axis(shown)
    assert axis(shown).endswith(" 30")
    assert "第 1 条记录" in axis(view(run(30), lang="zh"))


def test_no_step_is_told_that_nobody_knows() -> None:
    languages: tuple[Lang, ...] = ("en", "zh")
    for lang in languages:
        shown = view(run(3), lang=lang)
        words = [
            shown.progress.epoch.text,
            shown.checkpoints.last.text if shown.checkpoints.last else "",
        ]
        words += [line.text for line in shown.feed]
        assert not any("step 0" in text or "第 0 步" in text for text in words), words


def test_steps_that_are_told_later_are_steps() -> None:
    journal = run(3).add(ev.Progress(iteration=7, epoch=2, loss=1.0), 1.0)
    assert "step" in axis(view(journal))
