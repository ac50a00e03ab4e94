"""Journals of engines that say nothing for a while, though the card is read all the time."""

from sample_journals import Journal, in_second_epoch, sample

from timellm_ops.contract import events as ev

NEXT = ev.Progress(iteration=1_220, epoch=2, loss=0.3)


def quiet(journal: Journal, seconds: int) -> Journal:
    """Nothing but readings for so long."""
    for _ in range(seconds):
        journal.add(ev.Telemetry(sample=sample(70.0)), 1.0)
    return journal


def solving(journal: Journal, *, done: int = 400) -> Journal:
    """The head is solved for, with a word every second."""
    for read in range(0, done + 1, 100):
        journal.add(ev.HeadProgress(done=read, total=1_000), 1.0)
    return journal


def hung(seconds: int = 300, *, duty: float = 1.0) -> Journal:
    """An engine that goes on after a silence, as if nothing had been."""
    journal = in_second_epoch()
    if duty < 1.0:
        journal.add(ev.Paced(duty=duty))
    return quiet(journal, seconds).add(NEXT)
