"""English and Chinese are kept in step, and our own sentences in the journal have a translation."""

import math
import re
import string
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from msgspec.structs import replace
from sample_journals import foreign, in_second_epoch, paused_thermal, sample, training

from timellm_dashboard.actions import ACTIONS, SCREEN_ORDER
from timellm_dashboard.explain.explain import EXPLANATIONS
from timellm_dashboard.viewmodel.view import Recorder
from timellm_dashboard.words.log import LogWords, log_words
from timellm_dashboard.words.phrases import said
from timellm_dashboard.words.replay import ReplayWords, replay_words
from timellm_dashboard.words.rules import RuleWords, rule_words
from timellm_dashboard.words.runfilter import RunFilterWords, run_filter_words
from timellm_dashboard.words.text import Words, words
from timellm_ops.contract.commands import AnyRequest, PauseRun, ResumeRun, SetPolicy, StopRun
from timellm_ops.contract.config import PolicySection, ThermalSection
from timellm_ops.contract.policy_sections import (
    BatterySection,
    HealthSection,
    PowerSection,
    ScheduleSection,
    SharingSection,
)
from timellm_ops.contract.state import Hold, Override, Pace, RunState, Told, TrainingRecord
from timellm_ops.contract.telemetry import GpuProcess, HostSample, TimedSample
from timellm_ops.supervisor.answers import Terms, answer
from timellm_policies import decide
from timellm_policies.rules import statuses
from timellm_policies.situation import Situation

CHINESE = re.compile(r"[\u4e00-\u9fff]")
ENGLISH_WORD = re.compile(r"[A-Za-z]{4,}")
TEXTS = [field.name for field in msgspec.structs.fields(Words)]


def placeholders(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name is not None}


@pytest.mark.parametrize("name", TEXTS)
def test_both_languages_have_the_text_with_the_same_blanks(name: str) -> None:
    english, chinese = getattr(words("en"), name), getattr(words("zh"), name)
    assert english
    assert chinese
    assert placeholders(english) == placeholders(chinese)


@pytest.mark.parametrize(
    ("texts", "of"),
    [
        (LogWords, log_words),
        (RuleWords, rule_words),
        (ReplayWords, replay_words),
        (RunFilterWords, run_filter_words),
    ],
    ids=["log", "policies", "replay", "runs_filter"],
)
def test_the_texts_of_a_screen_are_there_in_both_languages(
    texts: type[msgspec.Struct], of: Callable[..., object]
) -> None:
    for field in msgspec.structs.fields(texts):
        english, chinese = getattr(of("en"), field.name), getattr(of("zh"), field.name)
        assert english
        assert chinese
        assert placeholders(english) == placeholders(chinese), field.name
        assert getattr(of("en", ascii_only=True), field.name).isascii()


def test_the_help_explains_the_same_things_in_both_languages() -> None:
    ids = [explanation.id for explanation in EXPLANATIONS]
    assert len(set(ids)) == len(ids)
    for explanation in EXPLANATIONS:
        for said_ in (explanation.title, explanation.body):
            assert said_.en.isprintable()
            assert not CHINESE.search(said_.en)
            assert said_.zh
        assert CHINESE.search(explanation.body.zh)


def test_every_action_is_labelled_and_explained_in_both_languages() -> None:
    for screen in SCREEN_ORDER:
        keys = [key for action in ACTIONS if action.on in (None, screen) for key in action.keys]
        assert len(set(keys)) == len(keys)
    for action in ACTIONS:
        assert action.label.en
        assert action.label.zh
        assert CHINESE.search(action.help.zh)


def state_of(journal: object) -> RunState:
    recorder = Recorder()
    recorder.take(journal.records)  # type: ignore[attr-defined]
    return recorder.state


def decided(celsius: list[float | None], config: ThermalSection, state: RunState) -> list[str]:
    start = (state.t or 0.0) + 100.0
    recent = [
        TimedSample(start + i, None if c is None else sample(c)) for i, c in enumerate(celsius)
    ]
    made = decide(PolicySection(thermal=config), state, recent, start + len(celsius) + 60.0)
    return [text for decision in made for text in (decision.reason, decision.until) if text]


def test_what_the_policies_say_can_be_said_in_chinese() -> None:
    running, paused = state_of(in_second_epoch()), state_of(paused_thermal())
    thermal = ThermalSection(min_dwell_s=0.0)
    one = ThermalSection(samples=1, window=1, min_dwell_s=0.0)
    sentences = [
        *decided([86.0, 84.0, 86.0, 84.0, 86.0], thermal, running),
        *decided([86.0, 86.0, 86.0], thermal, running),
        *decided([86.0], one, running),
        *decided([99.0, 99.0, 99.0], thermal, running),
        *decided([70.0, 70.0, 70.0], thermal, paused),
        *decided([None] * 50, thermal, running),
        "81 °C, rising 2.5 °C a minute, to be held at 82 °C: computing 92 % of the time after 95 %",
        "83.1 °C, falling 0.5 °C a minute, to be held at 82 °C: a power limit of 95 W after 97.5 W",
        "79.1 °C, up to 83 °C at work, to be held at 82 °C: computing 64 % of the time after 65 %",
        "79 °C, up to 83.2 °C at work, to be held at 82 °C: a power limit of 95 W after 97.5 W",
        "the power limit cannot be set to 95 W: this user may not ask the driver for it",
        "the driver tells of no power limit here; the governor rests between steps instead",
    ]
    assert len(sentences) >= 10
    for sentence in sentences:
        chinese = said(sentence, "zh")
        assert CHINESE.search(chinese), sentence
        assert not ENGLISH_WORD.search(chinese.replace("policy.thermal", "")), chinese


NOON = datetime(2026, 1, 31, 12, 0, tzinfo=UTC)
GAME = GpuProcess(pid=9, name="g", used_bytes=1 << 30, of_run=False)
MINE = GpuProcess(pid=7, name="p", used_bytes=1 << 30, of_run=True)
FAR = ScheduleSection(
    quiet_from="11:00", quiet_until="13:00", timezone="UTC", deadline="2026-01-31 12:30"
)
LONG_AGO = tuple(TrainingRecord(0.5, 1.0) for _ in range(60))


def said_of(policy: PolicySection, now_s: float = 0.0, **changes: object) -> list[str]:
    """What the rules say in the second epoch, with something changed."""
    state = replace(state_of(in_second_epoch()), **changes)
    now_t = (state.t or 0.0) + now_s
    processes, used = (MINE, GAME), 1 << 33
    reading = replace(
        sample(60.0, power_w=80.0), processes=processes, memory_used_bytes=used,
        memory_total_bytes=used,
    )  # fmt: skip
    recent = [TimedSample(now_t - 60.0 + i, reading) for i in range(61)]
    made = decide(policy, state, recent, now_t, NOON)
    return [text for d in made for text in (d.reason, d.until) if text]


def resumes(rule: str, policy: PolicySection, **changes: object) -> list[str]:
    hold = Hold(rule=rule, reason="x", since_t=0.0)
    return said_of(policy, holds=(hold,), **changes)


def test_what_the_other_rules_say_can_be_said_in_chinese() -> None:
    at_t, plain = state_of(in_second_epoch()).t or 0.0, PolicySection()
    low = PolicySection(power=PowerSection(action="pause", limit_w=70.0))
    high = PolicySection(power=PowerSection(action="pause", limit_w=100.0))
    hangs = PolicySection(health=HealthSection(stall_action="stop"))
    nan = tuple(TrainingRecord(math.nan) for _ in range(3))
    jumped = (*LONG_AGO, *(TrainingRecord(9.0) for _ in range(3)))
    waits = {"activity": "starting", "engine_word_t": None, "engine_started_t": at_t}
    lost = "the GPU is lost: it has fallen off the bus or stopped answering"
    ecc = replace(sample(60.0), ecc_errors=3)
    sentences = [
        *said_of(low),
        *resumes("power", high),
        *said_of(PolicySection(sharing=SharingSection(action="pause"))),
        *said_of(plain, host=HostSample(disk_free_bytes=1)),
        *resumes("disk", plain, host=HostSample(disk_free_bytes=1 << 40)),
        *said_of(plain, host=HostSample(on_battery=True, battery_pct=3.0)),
        *resumes("battery", plain, host=HostSample(on_battery=False)),
        *resumes("battery", plain, host=HostSample(on_battery=True, battery_pct=90.0)),
        *resumes("battery", PolicySection(battery=BatterySection(enabled=False))),
        *said_of(PolicySection(schedule=FAR), engine_left_seconds=9e3, recent_training=LONG_AGO),
        *resumes("schedule", PolicySection(schedule=replace(FAR, quiet_until="11:30"))),
        *said_of(plain, recent_training=nan),
        *said_of(plain, recent_training=nan, last=None),
        *said_of(plain, recent_training=jumped),
        *said_of(plain, 900.0, recent_training=LONG_AGO),
        *said_of(hangs, 9000.0, recent_training=LONG_AGO),
        *said_of(plain, 9000.0, **waits),
        *said_of(plain, 60.0, gpu_lost_t=at_t, gpu_lost_reason=lost),
        *said_of(plain, sample=ecc, ecc_errors_before=1),
    ]
    for xid in (31, 79):
        reading = replace(sample(60.0), xids=(xid,))
        state = state_of(in_second_epoch())
        made = decide(plain, state, [TimedSample(state.t or 0.0, reading)], state.t or 0.0, NOON)
        sentences += [decision.reason for decision in made]
    assert len(set(sentences)) >= 32
    names = r"policy\.\w+\.\w+"
    for sentence in sentences:
        chinese = said(sentence, "zh")
        assert CHINESE.search(chinese), sentence
        assert not ENGLISH_WORD.search(re.sub(names, "", chinese)), chinese


def standings(policy: PolicySection, **changes: object) -> list[str]:
    """What every rule says of what it would do next."""
    state = replace(state_of(in_second_epoch()), **changes)
    now_t = state.t or 0.0
    recent = [TimedSample(now_t, sample(60.0))]
    now = Situation(policy=policy, state=state, recent=recent, now_t=now_t, now_at=NOON)
    return [status.next for status in statuses(now) if status.next]


def test_what_the_rules_would_do_next_can_be_said_in_chinese() -> None:
    off = PolicySection(
        thermal=ThermalSection(enabled=False),
        battery=BatterySection(enabled=False),
        health=HealthSection(not_finite="off", stall_action="off"),
    )
    strict = PolicySection(
        thermal=ThermalSection(unknown_action="stop"),
        power=PowerSection(action="pause", limit_w=70.0),
        sharing=SharingSection(action="pause"),
        health=HealthSection(not_finite="alert", stall_action="stop"),
        schedule=FAR,
    )
    careless = PolicySection(
        thermal=ThermalSection(unknown_action="continue"),
        health=HealthSection(not_finite="off"),
        schedule=replace(FAR, deadline=""),
    )
    at_t = state_of(in_second_epoch()).t or 0.0
    until_at = NOON + timedelta(hours=1)
    override = Override(rule="thermal", who="x", until_t=at_t + 9.0, until_at=until_at)
    hold = Hold(rule="schedule", reason="x", until="resumes at 13:00", since_t=at_t)
    sentences = [
        *standings(PolicySection(), recent_training=LONG_AGO),
        *standings(PolicySection(), host=HostSample(on_battery=False), engine="foreign"),
        *standings(PolicySection(), gpu="none"),
        *standings(PolicySection(), host=HostSample()),
        *standings(PolicySection(), telemetry_asleep=True),
        *standings(off),
        *standings(strict, recent_training=LONG_AGO, holds=(hold,)),
        *standings(careless, pace=Pace(duty=0.8)),
        *standings(careless, pace=Pace(power_limit_w=95.0)),
        *standings(PolicySection(), overrides=(override,)),
        *standings(PolicySection(), told=(Told(rule="vram", about="full", t=at_t),)),
        "lowers the power limit to hold 82 °C; the limit is 97.5 W",
    ]
    assert len(set(sentences)) >= 30
    names = r"(policy\.\w+(\.\w+)?|foreign\.\w+)"
    for sentence in sentences:
        chinese = said(sentence, "zh")
        assert CHINESE.search(chinese), sentence
        assert not ENGLISH_WORD.search(re.sub(names, "", chinese)), chinese


REQUESTS: list[AnyRequest] = [
    ResumeRun(for_s=600.0), SetPolicy(settings=("policy.disk.margin_mib=1",)),
    PauseRun(), ResumeRun(), StopRun(mode="after_checkpoint"), StopRun(mode="now"),
]  # fmt: skip


@pytest.mark.parametrize("request_", REQUESTS, ids=lambda request: type(request).__name__)
def test_what_the_supervisor_answers_can_be_said_in_chinese(request_: AnyRequest) -> None:
    for journal in (training(), in_second_epoch(), paused_thermal(), foreign()):
        message = answer(state_of(journal), request_, Terms(stop_grace_s=20.0)).reply.message
        chinese = said(message, "zh")
        assert CHINESE.search(chinese), message
        left = ENGLISH_WORD.findall(re.sub(r"thermal|policy\.\w+\.\w+", "", chinese))
        assert not left, chinese


def test_other_peoples_sentences_stay_as_they_are() -> None:
    assert said("CUDA out of memory; tried 5 GiB", "zh") == "CUDA out of memory; tried 5 GiB"
    assert said("CUDA out of memory", "en") == "CUDA out of memory"


@pytest.mark.parametrize(
    ("english", "chinese"),
    [
        ("paused by the dashboard", "由仪表盘暂停"),
        ("asked for by the command line", "由命令行要求"),
        ("asked for by the terminal", "由终端要求"),
        ("paused by a script of mine", "由 a script of mine 暂停"),
    ],
)
def test_who_has_asked_is_named_in_chinese_where_it_is_one_of_ours(
    english: str, chinese: str
) -> None:
    assert said(english, "zh") == chinese
