"""The card's power limit: asked for, answered, and put back however the run ends."""

import signal
from pathlib import Path

import msgspec
import pytest
from driven_core import DrivenCore, kinds, last_of
from fakes import FakeEngine
from test_supervisor_loop import Bench

from timellm_ops.contract import events as ev
from timellm_ops.contract.config import GpuSection
from timellm_ops.contract.reduction import reduce
from timellm_ops.contract.state import RunState
from timellm_ops.contract.telemetry import GpuSample, PowerLimits
from timellm_ops.journal import read_records
from timellm_ops.probe import PowerAnswer
from timellm_ops.probe.simulated import SimulatedProbe
from timellm_ops.process.engine import ExitStatus
from timellm_ops.process.identity import ProcessIdentity
from timellm_ops.supervisor import core
from timellm_ops.supervisor.effects import LimitPower
from timellm_ops.supervisor.power_limit import POWER_LIMIT_WITHIN_S, power_to_restore
from timellm_ops.supervisor.rebuild import recall, take_over
from timellm_ops.supervisor.restart import Patience

LIMITS = PowerLimits(limit_w=115.0, lowest_w=60.0, highest_w=130.0)
FIRST = GpuSample(source="nvml", temperature_c=60.0, power_limits=LIMITS)
LATER = GpuSample(source="nvml", temperature_c=60.0)


def wanting(limit_w: float) -> core.Decide:
    """A rule that wants this limit as soon as the card's limits are known."""
    decision = ev.PolicyDecision(
        action="pace", rule="governor", reason="82 °C", value=limit_w, unit="W"
    )

    def decide(_config: object, state: RunState, *_: object) -> tuple[ev.PolicyDecision, ...]:
        return () if state.power is None else (decision,)

    return decide


def driven(limit_w: float) -> DrivenCore:
    run = DrivenCore(decide=wanting(limit_w))
    run.trains()
    run.turn(1.0, reading=FIRST)
    return run


def limits_asked(run: DrivenCore) -> list[float]:
    return [effect.limit_w for _, effect in run.done if isinstance(effect, LimitPower)]


def test_a_limit_is_asked_for_once_and_again_only_when_nobody_answers() -> None:
    run = driven(95.0)
    run.turns(5.0)
    assert limits_asked(run) == [95.0]
    run.turns(POWER_LIMIT_WITHIN_S)
    assert limits_asked(run) == [95.0, 95.0]
    run.turn(1.0, reading=PowerAnswer(limit_w=95.0))
    run.turns(60.0)
    assert limits_asked(run) == [95.0, 95.0]
    assert run.run.power is not None
    assert (run.run.power.limit_w, run.run.power.found_w) == (95.0, 115.0)
    decisions = [event for event in run.events if isinstance(event, ev.PolicyDecision)]
    assert len(decisions) == 1
    assert run.control is not None
    assert run.control.duty == 1.0, "watts are no share of the time"


def test_the_limit_as_found_is_on_record_before_another_is_asked_for() -> None:
    run = driven(95.0)
    told = [i for i, event in enumerate(run.events) if isinstance(event, ev.Telemetry)]
    decided = [i for i, event in enumerate(run.events) if isinstance(event, ev.PolicyDecision)]
    assert told[0] < decided[0]


def test_a_refusal_is_told_once_and_not_tried_again() -> None:
    run = driven(95.0)
    run.turn(1.0, reading=PowerAnswer(limit_w=95.0, problem="this user may not"))
    run.turns(60.0)
    assert limits_asked(run) == [95.0]
    assert run.run.power is not None
    assert run.run.power.refused
    messages = [notice.message for notice in run.run.notices]
    assert messages == ["the power limit cannot be set to 95 W: this user may not"]


def test_where_the_driver_tells_of_no_limit_none_is_asked_for() -> None:
    decision = ev.PolicyDecision(action="pace", rule="r", reason="x", value=95.0, unit="W")
    run = DrivenCore(decide=lambda *_: (decision,))
    run.trains()
    run.turn(1.0, reading=LATER)
    assert limits_asked(run) == []


def test_a_resumed_run_without_a_governor_puts_back_what_the_one_before_left() -> None:
    run = driven(95.0)
    run.turn(1.0, reading=PowerAnswer(limit_w=95.0))
    run.decide = lambda *_: ()
    run.note(ev.RunStarted(run_id="r", name="t", engine="timellm", gpu="nvml", resumed=True))
    run.note(ev.EngineStarted(pid=8))
    low = PowerLimits(limit_w=95.0, lowest_w=60.0, highest_w=130.0)
    run.turn(1.0, reading=GpuSample(source="nvml", temperature_c=60.0, power_limits=low))
    assert limits_asked(run)[-1] == 115.0
    run.turn(1.0, reading=PowerAnswer(limit_w=115.0))
    assert power_to_restore(run.supervision.run, run.supervision.asked_power) is None
    assert "LimitPower" in kinds([effect for _, effect in run.done])
    assert isinstance(last_of(run, ev.PowerLimitSet), ev.PowerLimitSet)


def test_a_limit_takes_the_place_of_rests_and_rests_that_of_a_limit() -> None:
    run = driven(95.0)
    run.turn(1.0, reading=PowerAnswer(limit_w=95.0))
    rests = ev.PolicyDecision(action="pace", rule="governor", reason="83 °C", value=0.8)
    run.decide = lambda *_: (rests,)
    run.turns(2.0)
    assert limits_asked(run) == [95.0, 115.0]
    assert run.control is not None
    assert run.control.duty == 0.8
    run.decide = wanting(95.0)
    run.turns(2.0)
    assert limits_asked(run) == [95.0, 115.0, 95.0]
    assert run.control.duty == 1.0


def test_full_pace_that_a_rule_asks_for_puts_the_limit_back() -> None:
    run = driven(95.0)
    run.turn(1.0, reading=PowerAnswer(limit_w=95.0))
    full = ev.PolicyDecision(
        action="pace", rule="governor", reason="this rule is switched off", value=1.0
    )
    run.decide = lambda *_: (full,)
    run.turns(2.0)
    assert limits_asked(run) == [95.0, 115.0]
    assert run.run.pace.power_limit_w is None
    decided = [event for event in run.events if isinstance(event, ev.PolicyDecision)]
    assert len(decided) == 2


def test_a_limit_that_somebody_else_changes_is_the_one_to_be_found() -> None:
    state = reduce(RunState(), ev.Telemetry(sample=FIRST))
    other = PowerLimits(limit_w=80.0, lowest_w=60.0, highest_w=130.0)
    state = reduce(state, ev.Telemetry(sample=GpuSample(source="nvml", power_limits=other)))
    assert state.power is not None
    assert (state.power.found_w, state.power.limit_w) == (80.0, 80.0)


def test_a_limit_whose_answer_was_lost_is_still_not_the_one_that_was_found() -> None:
    """The reader of the card ended between setting the limit and saying so; its successor tells
    the limit with its first reading."""
    state = reduce(RunState(), ev.Telemetry(sample=FIRST))
    wanted = ev.PolicyDecision(action="pace", rule="governor", reason="84 °C", value=93.5, unit="W")
    state = reduce(state, wanted)
    told = PowerLimits(limit_w=93.5, lowest_w=60.0, highest_w=115.0)
    state = reduce(state, ev.Telemetry(sample=GpuSample(source="nvml", power_limits=told)))
    assert state.power is not None
    assert (state.power.found_w, state.power.limit_w) == (115.0, 93.5)


# --- the shell -----------------------------------------------------------------------------------


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def limited(bench: Bench) -> None:
    """The run has a power limit of 95 W."""
    bench.probe.readings = [FIRST, LATER]
    bench.supervisor.settings = core.Settings(
        policy=bench.supervisor.settings.policy, stop_grace_s=5.0, decide=wanting(95.0)
    )
    for _ in range(4):
        bench.turn()
    assert bench.probe.limits_w == [95.0]


def power_events(bench: Bench) -> list[ev.Event]:
    kinds = (ev.PowerLimitSet, ev.PowerLimitRefused, ev.EngineExited)
    events = [record.event for record in read_records(bench.layout.journal)]
    return [event for event in events if isinstance(event, kinds)]


def test_the_limit_is_put_back_before_the_end_of_the_run_is_told(bench: Bench) -> None:
    limited(bench)
    bench.engine.ended = ExitStatus(code=0)
    bench.supervisor.run()
    assert bench.probe.limits_w == [95.0, 115.0]
    names = [type(event).__name__ for event in power_events(bench)]
    assert names == ["PowerLimitSet", "PowerLimitSet", "EngineExited"]


def test_a_limit_that_was_asked_for_and_not_answered_is_put_back_too() -> None:
    """The driver may have taken it, and only its answer is still on its way."""
    run = driven(95.0)
    asked = run.supervision.asked_power
    assert asked is not None
    assert run.run.power is not None
    assert run.run.power.limit_w == run.run.power.found_w
    assert power_to_restore(run.run, asked) == 115.0
    assert power_to_restore(run.run, None) is None


def test_an_engine_that_is_started_again_goes_on_under_the_same_limit(bench: Bench) -> None:
    limited(bench)
    settings = bench.supervisor.settings
    bench.supervisor.settings = msgspec.structs.replace(
        settings, patience=Patience(restarts=1, restart_after_s=5.0)
    )
    second = FakeEngine(identity=ProcessIdentity(4712, 2, "boot"))
    bench.relaunched = [second]
    bench.engine.ended = ExitStatus(signal=signal.SIGKILL)
    for _ in range(8):
        bench.turn()
    assert bench.supervisor.engine is second
    assert bench.probe.limits_w == [95.0]
    second.ended = ExitStatus(code=0)
    bench.supervisor.run()
    assert bench.probe.limits_w == [95.0, 115.0]
    names = [type(event).__name__ for event in power_events(bench)]
    assert names == ["PowerLimitSet", "EngineExited", "PowerLimitSet", "EngineExited"]


def test_a_restart_that_fails_puts_the_limit_back_before_the_end_is_told(bench: Bench) -> None:
    limited(bench)
    bench.supervisor.settings = msgspec.structs.replace(
        bench.supervisor.settings, patience=Patience(restarts=1, restart_after_s=5.0)
    )
    bench.relaunched = [OSError("no more processes")]
    bench.engine.ended = ExitStatus(signal=signal.SIGKILL)
    for _ in range(8):
        bench.turn()
    assert bench.supervisor.exit_code == 4
    assert bench.probe.limits_w == [95.0, 115.0]
    assert bench.kinds()[-2:] == ["PowerLimitSet", "RunEnded"]


def test_the_limit_is_put_back_when_the_supervisor_itself_fails(bench: Bench) -> None:
    limited(bench)

    def failing(*_: object) -> tuple[ev.PolicyDecision, ...]:
        raise RuntimeError("a rule is broken")

    bench.supervisor.settings = core.Settings(
        policy=bench.supervisor.settings.policy, stop_grace_s=5.0, decide=failing
    )
    with pytest.raises(RuntimeError, match="a rule is broken"):
        bench.supervisor.run()
    assert bench.probe.limits_w == [95.0, 115.0]


def test_a_successor_of_a_killed_supervisor_knows_what_to_put_back(bench: Bench) -> None:
    limited(bench)
    past = recall(read_records(bench.layout.journal))
    bench.supervisor = bench.make(take_over(past, None, bench.clock.t))
    bench.engine.ended = ExitStatus(code=0)
    bench.supervisor.run()
    assert bench.probe.limits_w == [95.0, 115.0]


def test_a_driver_that_does_not_answer_at_the_end_is_waited_for_once_and_told_of(
    bench: Bench,
) -> None:
    limited(bench)
    bench.probe.power_problem = None
    bench.engine.ended = ExitStatus(code=0)
    bench.supervisor.run()
    alerts = [
        record.event.message
        for record in read_records(bench.layout.journal)
        if isinstance(record.event, ev.Alert)
    ]
    assert alerts == ["the card's power limit was not put back: nvidia-smi -pl 115 does it"]


def test_a_run_that_moved_no_limit_puts_none_back(bench: Bench) -> None:
    bench.probe.readings = [FIRST, LATER]
    bench.turn()
    bench.engine.ended = ExitStatus(code=0)
    bench.supervisor.run()
    assert bench.probe.limits_w == []


# --- the simulated card --------------------------------------------------------------------------


def test_the_simulated_card_honours_a_power_limit_and_refuses_an_impossible_one() -> None:
    used_s = [0.0]
    probe = SimulatedProbe(GpuSection(), lambda: used_s[0])
    first = probe.poll(0.0)
    assert isinstance(first, GpuSample)
    assert first.power_limits == PowerLimits(limit_w=115.0, lowest_w=60.0, highest_w=115.0)
    probe.limit_power(80.0)
    assert probe.poll(0.1) == PowerAnswer(limit_w=80.0)
    used_s[0] = 1.0
    sample = probe.poll(1.0)
    assert isinstance(sample, GpuSample)
    assert (sample.power_w, sample.power_limit_w) == (80.0, 80.0)
    assert sample.power_limits is None
    assert sample.throttle_reasons == ("sw_power_cap",)
    probe.limit_power(30.0)
    refused = probe.poll(1.1)
    assert isinstance(refused, PowerAnswer)
    assert refused.problem == "this card takes 60 to 115 W"
