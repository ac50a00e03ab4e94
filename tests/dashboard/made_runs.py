"""Runs whose every second is known, as the journal would have told of them."""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta

from msgspec import Struct
from msgspec.structs import replace

from timellm_dashboard.folds.history import History
from timellm_dashboard.moment import Moment
from timellm_dashboard.viewmodel.look import Look
from timellm_dashboard.viewmodel.timeleft import TimeLeft, time_left
from timellm_ops.contract import events as ev
from timellm_ops.contract.reduction import reduce
from timellm_ops.contract.state import RunState

BEGAN = datetime(2026, 1, 31, 21, 45, tzinfo=UTC)


class Made(Struct, frozen=True, kw_only=True):
    """What a run is made of; seconds."""

    epochs: int = 3
    steps: int = 200
    step_s: float = 0.5
    told_every: int = 10
    warm_up_s: float = 20.0
    """What the first step takes longer than the others."""
    evaluation_s: float = 30.0
    trial_error: float = 1.0
    """How many times as fast as it is the engine's trial finds an evaluation to be."""
    save_every: int = 0
    save_s: float = 0.0
    slower: float = 1.0
    """How many times longer steps and evaluations take from the second epoch on."""
    stall_every: int = 0
    stall_s: float = 0.0
    """What a step takes longer of every so many."""
    hot_after_s: float = 0.0
    """Seconds of moving until heat pauses it; 0: never."""
    cold_longer: float = 1.0
    """How many times longer it takes from a cold start."""
    cools_s: float = 60.0
    duty: float = 1.0
    """Share of the time to work, from a tenth of the first epoch on."""
    final_test: bool = False
    ends_s: float = 0.7
    """What an engine takes to end after its last word."""

    def slowness(self, epoch: int) -> float:
        """How many times longer what is done in that epoch takes."""
        return self.slower if epoch > 1 else 1.0


class _Teller:
    """Lets time pass over a run, and heat pause it."""

    def __init__(self, made: Made) -> None:
        self.made = made
        self.t = 0.0
        self.events: list[ev.Event] = []
        self.hot_s = made.hot_after_s * made.cold_longer or float("inf")

    def say(self, event: ev.Event) -> None:
        fields = {name: getattr(event, name) for name in event.__struct_fields__}
        at = BEGAN + timedelta(seconds=self.t)
        self.events.append(type(event)(**{**fields, "t": self.t, "at": at}))

    def move(self, seconds: float) -> None:
        """The engine moves for so long; pauses that fall into it are not counted."""
        while seconds >= self.hot_s:
            seconds -= self.hot_s
            self.t += self.hot_s
            self.pause()
            self.hot_s = self.made.hot_after_s
        self.t += seconds
        self.hot_s -= seconds

    def pause(self) -> None:
        self.say(
            ev.PolicyDecision(
                action="pause", rule="thermal", reason="hot", expected_s=self.made.cools_s
            )
        )
        self.say(ev.Paused())
        self.t += self.made.cools_s
        self.say(ev.PolicyDecision(action="resume", rule="thermal", reason="cool"))
        self.say(ev.Resumed(paused_seconds=self.made.cools_s))


def events_of(made: Made) -> list[ev.Event]:
    """The whole run."""
    run = _Teller(made)
    run.say(ev.RunStarted(run_id="r", name="r", engine="timellm", gpu="none", supervisor_pid=1))
    run.say(ev.EngineStarted(pid=2))
    run.t += 10.0
    windows = 1_000
    run.say(
        ev.TrainingStarted(
            epochs=made.epochs, steps_per_epoch=made.steps, batch_size=1, train_samples=made.steps,
            vali_samples=windows, test_samples=windows if made.final_test else 0,
            trainable_parameters=1, frozen_parameters=1, backbone="b", device="cpu", patience=9,
            test="end" if made.final_test else "never",
        )
    )  # fmt: skip
    duty = 1.0
    for epoch in range(1, made.epochs + 1):
        run.say(ev.EpochStarted(epoch=epoch, steps=made.steps))
        for step in range(1, made.steps + 1):
            if (epoch, step) == (1, 1 + made.steps // 10) and made.duty < 1.0:
                duty = made.duty
                run.say(ev.Paced(duty=duty))
            stalls = made.stall_every and step % made.stall_every == 0
            longer_s = made.warm_up_s if (epoch, step) == (1, 1) else made.stall_s * bool(stalls)
            run.move(made.step_s * made.slowness(epoch) / duty + longer_s)
            if step % made.told_every == 0 or step in (1, 2, 3, 4, made.steps):
                run.say(ev.Progress(iteration=step, epoch=epoch, loss=1.0))
            if (epoch, step) == (1, 3):
                speed = windows / made.evaluation_s * made.trial_error
                run.say(ev.ForecastsTimed(windows_per_second=speed))
            if made.save_every and step % made.save_every == 0 and step < made.steps:
                save(run, made)
        evaluate(run, made, epoch, duty, "vali", windows)
        run.say(ev.EpochEnded(epoch=epoch, train_mse=1.0, vali_mse=1.0))
        save(run, made)
    if made.final_test:
        evaluate(run, made, made.epochs, duty, "test", windows)
        run.say(ev.TestEvaluated(mse=1.0, mae=1.0, windows=windows))
    run.say(ev.TrainingFinished(epoch=made.epochs))
    run.t += made.ends_s
    run.say(ev.EngineExited(code=0))
    run.say(ev.RunEnded(outcome="finished", exit_code=0, reason="finished"))
    return run.events


def save(run: _Teller, made: Made) -> None:
    run.say(ev.CheckpointWriting(kind="last"))
    run.move(made.save_s)
    run.say(ev.CheckpointSaved(kind="last", path="last", bytes=1))


def evaluate(
    run: _Teller, made: Made, epoch: int, duty: float, split: ev.Split, windows: int
) -> None:
    run.say(ev.EvaluationProgress(split=split, done=0, total=windows, epoch=epoch))
    for tenth in range(1, 11):
        run.move(made.evaluation_s * made.slowness(epoch) / duty / 10)
        run.say(
            ev.EvaluationProgress(
                split=split, done=windows * tenth // 10, total=windows, epoch=epoch
            )
        )


def later(event: ev.Event, seconds: float) -> ev.Event:
    """The same event, so much later."""
    assert event.t is not None
    assert event.at is not None
    return replace(event, t=event.t + seconds, at=event.at + timedelta(seconds=seconds))


class Told(Struct, frozen=True):
    """What was known at the moment of an event."""

    event: ev.Event
    state: RunState
    history: History
    """Goes on with the run: to be looked at before the next event."""

    @property
    def left(self) -> TimeLeft:
        """How long still, as was to be told then."""
        assert self.event.t is not None
        assert self.event.at is not None
        moment = Moment(t=self.event.t, wall=self.event.at)
        return time_left(self.state, self.history, moment, Look())


def told_of(events: Iterable[ev.Event]) -> Iterator[Told]:
    """The run as it was seen, event by event."""
    state, history = RunState(), History()
    for seq, event in enumerate(events, start=1):
        before, state = state, reduce(state, event)
        history.fold(seq, before, event, state)
        yield Told(event, state, history)


def step_times(events: list[ev.Event]) -> list[float | None]:
    """Seconds that a step is taken to need, after each event."""
    return [one.history.seconds_per_step for one in told_of(events)]
