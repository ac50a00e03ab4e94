"""A person's own keys: checked, shown wherever keys are shown, and obeyed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sample_journals import FakeRun, in_second_epoch
from screen_text import ZONE, rows_of, running, until

from timellm_dashboard.actions import ACTIONS
from timellm_dashboard.actions.keymap import FIXED, KeymapProblem, keys_of, parse_keymap
from timellm_dashboard.app import Dashboard
from timellm_dashboard.taste import Taste
from timellm_dashboard.viewmodel.look import Look
from timellm_ops.contract.commands import PauseRun


def dashboard_with(raw: dict[str, object]) -> tuple[Dashboard, FakeRun]:
    journal = in_second_epoch()
    source = FakeRun(journal)
    app = Dashboard(
        source,
        Look(zone=ZONE),
        now=lambda: journal.wall,
        monotonic=lambda: journal.t,
        refresh_s=0.02,
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
