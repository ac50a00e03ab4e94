"""Journals in which anything may follow upon anything, at any time."""

from hypothesis import strategies as st
from sample_journals import Journal, in_second_epoch, sample

from timellm_ops.contract import events as ev

HOT = ("sw_thermal_slowdown", "sw_power_cap")
CAPPED = ("sw_power_cap",)

EVENTS: list[ev.Event] = [
    ev.RunStarted(run_id="r", name="r", engine="timellm"),
    ev.EngineStarted(pid=1),
    ev.TrainingStarted(
        epochs=3, steps_per_epoch=100, batch_size=4, train_samples=1, vali_samples=1,
        test_samples=1, trainable_parameters=1, frozen_parameters=1, backbone="b", device="cpu",
        patience=3,
    ),
    ev.HeadProgress(done=1, total=2),
    ev.HeadSolved(windows=1, penalty=1.0, vali_mse=0.5, seconds=1.0),
    ev.EpochStarted(epoch=1),
    *(ev.Progress(iteration=i, epoch=1, loss=0.5) for i in range(10, 100, 10)),
    ev.EvaluationProgress(split="vali", done=1, total=2),
    ev.Paced(duty=0.0),
    ev.Paced(duty=0.5),
    ev.Paced(duty=1.0),
    ev.PolicyDecision(action="pause", rule="thermal", reason="x"),
    ev.PolicyDecision(action="resume", rule="thermal", reason="x"),
    ev.Command(who="cli", what="pause"),
    ev.Command(who="cli", what="resume"),
    ev.Paused(),
    ev.Resumed(),
    *(
        ev.Telemetry(sample=sample(70.0, throttle_reasons=reasons))
        for reasons in (None, (), HOT, CAPPED)
    ),
    ev.TelemetryLost(reason="x"),
    ev.Adopted(supervisor_pid=2, engine_pid=1),
    ev.EngineExited(signal=9),
    ev.EngineRestart(reason="x", attempt=1, wait_s=10.0),
    ev.RunEnded(outcome="failed", exit_code=4, reason="x"),
]  # fmt: skip


@st.composite
def journals(draw: st.DrawFn, longest: int = 60) -> Journal:
    """A journal that begins as every run does, with up to so many events after that."""
    journal = Journal().add(EVENTS[0])
    moves = st.tuples(st.sampled_from(EVENTS), st.floats(0.0, 900.0))
    for event, after_s in draw(st.lists(moves, max_size=longest)):
        journal.add(event, after_s)
    return journal


@st.composite
def watched_journals(draw: st.DrawFn, longest: int = 8) -> Journal:
    """A run at work whose card is read all the time, and of which little else is heard."""
    journal = in_second_epoch()
    for _ in range(draw(st.integers(1, longest))):
        journal.add(draw(st.sampled_from(EVENTS)), draw(st.sampled_from([0.0, 1.0, 50.0])))
        for _ in range(draw(st.integers(0, 8))):
            celsius = draw(st.floats(30.0, 95.0))
            journal.add(ev.Telemetry(sample=sample(celsius)), draw(st.sampled_from([1.0, 50.0])))
    return journal
