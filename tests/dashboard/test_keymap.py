"""A person's own keys: checked, shown wherever keys are shown, and obeyed."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sample_journals import FakeRun, in_second_epoch
from screen_text import REFRESH_S, ZONE, rows_of, running, until
from textual.keys import format_key

from timellm_dashboard.actions import ACTIONS, REPLAY_ACTIONS, action
from timellm_dashboard.actions.keymap import FIXED, KeymapProblem, keys_of, parse_keymap
from timellm_dashboard.app import Dashboard
from timellm_dashboard.explain.explain import EXPLANATIONS
from timellm_dashboard.lines import text_of
from timellm_dashboard.screens.help import HelpScreen, draw_help
from timellm_dashboard.taste import Taste
from timellm_dashboard.viewmodel.look import Look
from timellm_dashboard.words.keys import USUAL, keyed
from timellm_dashboard.words.log import log_words
from timellm_dashboard.words.read_only import read_only_words
from timellm_dashboard.words.refusals import refusal_words
from timellm_dashboard.words.rules import rule_words
from timellm_dashboard.words.runfilter import run_filter_words
from timellm_dashboard.words.runs import runs_words
from timellm_dashboard.words.stopping import stopping_words
from timellm_dashboard.words.text import words
from timellm_ops.contract.commands import PauseRun


def dashboard_with(raw: dict[str, object]) -> tuple[Dashboard, FakeRun]:
    journal = in_second_epoch()
    source = FakeRun(journal)
    app = Dashboard(
        source,
        Look(zone=ZONE),
        now=lambda: journal.wall,
        monotonic=lambda: journal.t,
        refresh_s=REFRESH_S,
        taste=Taste(keymap=parse_keymap(raw)),
    )
    return app, source


async def test_a_key_of_ones_own_is_obeyed_and_shown_and_the_old_one_is_free() -> None:
    app, source = dashboard_with({"pause": ["f6", "f5"]})
    async with running(app, (120, 40)) as pilot:
        assert "f6/f5 pause" in "\n".join(rows_of(app))
        await pilot.press("p")
        await pilot.pause(0.1)
        assert source.requests == []
        await pilot.press("f5")
        await until(pilot, lambda: bool(source.requests))
        await pilot.press("question_mark")
        await until(pilot, lambda: "f6/f5" in "\n".join(rows_of(app)))
    assert source.requests == [PauseRun(who="dashboard")]


async def test_two_keys_can_change_places() -> None:
    app, source = dashboard_with({"pause": "s", "stop": "p"})
    async with running(app, (120, 40)) as pilot:
        await pilot.press("s")
        await until(pilot, lambda: bool(source.requests))
    assert source.requests == [PauseRun(who="dashboard")]


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        ({"paws": "x"}, 'paws: found an action that does not exist; expected "pause" (did you'),
        ({"pause": "s"}, 'found "s", which is also'),
        ({"pause": "1"}, 'found "1", which is also pause'),
        ({"pause": 7}, "pause: found 7; expected keys such as"),
        ({"pause": "two words"}, 'pause: found "two words"; expected keys such as'),
        ({"pause": []}, "pause: found no key; expected at least one"),
        ({"ctrl_c": "x"}, "ctrl_c: found an action that does not exist"),
    ],
)
def test_a_bad_key_is_one_clear_line(raw: dict[str, object], said: str) -> None:
    with pytest.raises(KeymapProblem) as found:
        parse_keymap(raw)
    assert said in str(found.value)
    assert "\n" not in str(found.value)


@given(
    st.dictionaries(
        st.sampled_from([found.id for found in ACTIONS if found.id not in FIXED]),
        st.sampled_from([*"abcdefghijklmnopqrstuvwxyz?/", "space", "ctrl+x", "f1", "f2", "f3"]),
        max_size=5,
    )
)
def test_what_is_taken_leaves_every_key_with_one_meaning(raw: dict[str, object]) -> None:
    try:
        keymap = parse_keymap(raw)
    except KeymapProblem:
        return
    for screen in {found.on for found in ACTIONS}:
        here = [found for found in ACTIONS if found.on in (screen, None)]
        keys = [key for found in here for key in keys_of(found, keymap)]
        assert len(set(keys)) == len(keys)


MOVED = {
    name: f"f{number}" for number, name in enumerate(sorted(USUAL), 13)
}  # keys that no text of ours speaks of
TEXTS = (
    *(getattr(of(lang), name)
      for of in (words, refusal_words, read_only_words, stopping_words, log_words, rule_words,
                 runs_words, run_filter_words)
      for lang in ("en", "zh") for name in of(lang).__struct_fields__),
    *(said.in_(lang)
      for lang in ("en", "zh")
      for said in (*(found.help for found in (*ACTIONS, *REPLAY_ACTIONS)),
                   *(explanation.body for explanation in EXPLANATIONS))),
)  # fmt: skip
A_KEY = re.compile(r"(?<![\w.°'’/{}^&+-])(?:[opsSqTvNnfgewxc\]]|Esc)(?![\w/:{}'’…-])")
"""A key that is named by itself, but for a, which is a word, and units, which follow a blank."""
FIXED_KEYS = {"Esc or ? closes", "Esc 或 ? 关闭"}
"""Of the help, which keeps them whatever the registry's are."""


def test_a_key_that_a_sentence_names_is_the_registrys_own() -> None:
    for name, key in USUAL.items():
        found = action(name)
        assert key in (found.shown_keys, *map(format_key, found.keys)), name
        assert name not in FIXED


def test_every_mark_of_a_text_is_a_key_that_can_be_told() -> None:
    marked = {mark for text in TEXTS for mark in re.findall(r"<(\w+)>", str(text))}
    assert marked <= set(USUAL)
    assert marked | {"leave", "stop", "stop_now"} == set(USUAL)


def test_no_sentence_names_a_key_that_was_moved() -> None:
    sentences = [text for text in TEXTS if isinstance(text, str) and len(text) > 4]
    assert [
        text
        for text in sentences
        if text not in FIXED_KEYS and "} s" not in text and A_KEY.search(keyed(text, MOVED))
    ] == []


async def test_sentences_name_the_keys_that_are_bound() -> None:
    app, _ = dashboard_with({"stop": "f7", "pause": "f6", "log_follow": "f8", "leave": ["z", "f9"]})

    def shown() -> str:
        return "\n".join(rows_of(app))

    async with running(app, (120, 40)) as pilot:
        await until(pilot, lambda: "f7 stops after the next save" in shown())
        await pilot.press("ctrl+c")
        await until(pilot, lambda: "z/f9 leaves, and the run goes on; f7 stops it" in shown())
        await pilot.press("question_mark")
        await until(pilot, lambda: "a run that is under way goes on" in shown())
        assert "d does the same" not in shown()
        assert isinstance(app.screen, HelpScreen)
        drawn = draw_help(app.view, "overview", app._own_keys, 110).rows
        text = " ".join(" ".join(map(text_of, drawn)).split())
        assert "Stopping with f7, or timellm-ops stop" in text
        assert "f6 pauses by hand" in text


def test_other_peoples_words_are_no_marks() -> None:
    assert (
        keyed(log_words("en").no_match, MOVED)
        .format(text="<stop>")
        .startswith("No line has “<stop>”")
    )
