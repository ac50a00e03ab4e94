"""English and Chinese are kept in step, and our own sentences in the journal have a translation."""

import re
import string

import msgspec
import pytest
from sample_journals import foreign, in_second_epoch, paused_thermal, sample, training

from timellm_dashboard.actions import ACTIONS
from timellm_dashboard.explain import EXPLANATIONS
from timellm_dashboard.phrases import said
from timellm_dashboard.text import Words, words
from timellm_dashboard.view import Recorder
from timellm_ops.contract.commands import AnyRequest, PauseRun, ResumeRun, StopRun
from timellm_ops.contract.config import PolicySection, ThermalSection
from timellm_ops.contract.state import RunState
from timellm_ops.contract.telemetry import TimedSample
from timellm_ops.supervisor.answers import answer
from timellm_policies import decide

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
    keys = [key for action in ACTIONS for key in action.keys]
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
        "the power limit cannot be set to 95 W: this user may not ask the driver for it",
        "the driver tells of no power limit here; the governor rests between steps instead",
    ]
    assert len(sentences) >= 10
    for sentence in sentences:
        chinese = said(sentence, "zh")
        assert CHINESE.search(chinese), sentence
        assert not ENGLISH_WORD.search(chinese.replace("policy.thermal", "")), chinese


REQUESTS: list[AnyRequest] = [
    PauseRun(), ResumeRun(), StopRun(mode="after_checkpoint"), StopRun(mode="now"),
]  # fmt: skip


@pytest.mark.parametrize("request_", REQUESTS, ids=lambda request: type(request).__name__)
def test_what_the_supervisor_answers_can_be_said_in_chinese(request_: AnyRequest) -> None:
    for journal in (training(), in_second_epoch(), paused_thermal(), foreign()):
        message = answer(state_of(journal), request_, 20.0).reply.message
        chinese = said(message, "zh")
        assert CHINESE.search(chinese), message
        left = ENGLISH_WORD.findall(chinese.replace("thermal", ""))
        assert not left, chinese


def test_other_peoples_sentences_stay_as_they_are() -> None:
    assert said("CUDA out of memory; tried 5 GiB", "zh") == "CUDA out of memory；tried 5 GiB"
    assert said("CUDA out of memory", "en") == "CUDA out of memory"
