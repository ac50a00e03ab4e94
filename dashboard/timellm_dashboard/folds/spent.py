"""What the throttle ledger tells: where a run's time went, and what each cause took of it."""

from msgspec import Struct


class Spent(Struct, frozen=True, kw_only=True):
    """Where the time went, in seconds. The parts add up to `elapsed_s`."""

    training_s: float = 0.0
    """Moving, from step to step. Rests for the pace are in it."""
    evaluating_s: float = 0.0
    loading_s: float = 0.0
    """Not yet, or not again, at work: the engine loads its model, or waits for a restart."""
    standing_s: float = 0.0
    silent_s: float = 0.0
    """Not a word from the engine for too long, whatever it did."""
    unsupervised_s: float = 0.0
    """Between a supervisor that was gone and the next one, whatever the engine did then."""
    ended_s: float = 0.0
    """Between an end of the run and its being resumed: nothing was running."""

    @property
    def moving_s(self) -> float:
        """At work."""
        return self.training_s + self.evaluating_s

    @property
    def supervised_s(self) -> float:
        """All of it that somebody watched."""
        return self.moving_s + self.loading_s + self.standing_s + self.silent_s

    @property
    def elapsed_s(self) -> float:
        """From the first event to the last one."""
        return self.supervised_s + self.unsupervised_s + self.ended_s


class Loss(Struct, frozen=True, kw_only=True):
    """What one cause took. Seconds of the whole run and of the last hour.

    `lost_s` is `None` where the time under the cause is known but not what it cost.
    """

    cause: str
    """A rule's name, `user` or `other` for a pause; `pace`; `silent`; `repeated`; or a
    `Slowdown`."""
    lasted_s: float
    lost_s: float | None
    recent_lost_s: float | None
    steps: int | None = None
    """Where the loss is one of steps: how many."""
