"""What each key of a rule is for stands beside it where there is room, in both languages."""

from datetime import timedelta

import pytest
from rich.cells import cell_len
from sample_journals import ZONE, Limits, in_second_epoch
from test_policies_screen import UNDER

from timellm_dashboard.lines import text_of
from timellm_dashboard.panels.rules import draw_rule
from timellm_dashboard.viewmodel.rulerows import settings_of
from timellm_dashboard.viewmodel.view import View, view_of
from timellm_dashboard.words.rulekeys import meaning
from timellm_dashboard.words.text import Lang
from timellm_ops.contract.config import PolicySection

RULES = settings_of(PolicySection())
KEYS = sorted({setting.partition("=")[0] for rule in RULES.values() for setting in rule})
LANGS: tuple[Lang, ...] = ("en", "zh")


def view(lang: Lang) -> View:
    journal = in_second_epoch()
    return view_of(
        journal.records,
        now_t=journal.t,
        wall_now=journal.wall + timedelta(seconds=1.0),
        supervised=True,
        lang=lang,
        zone=ZONE,
        limits=lambda _: Limits(),
        rules=UNDER,
    )


@pytest.mark.parametrize("key", KEYS)
def test_every_key_of_a_rule_has_a_meaning_in_both_languages(key: str) -> None:
    english, chinese = meaning(key, "en"), meaning(key, "zh")
    assert english.isascii()
    assert len(english) > 4
    assert not chinese.isascii()


@pytest.mark.parametrize("lang", LANGS)
@pytest.mark.parametrize("number", range(len(RULES)))
@pytest.mark.parametrize("width", [116, 47])
def test_the_meanings_are_whole_where_there_is_room(width: int, number: int, lang: Lang) -> None:
    seen = view(lang)
    rows = [text_of(row) for row in draw_rule(seen, width, 26, number, 116)]
    assert max(map(cell_len, rows)) <= width
    squeezed = "".join(rows).replace(" ", "")
    for setting in seen.rules.rows[number].settings:
        assert meaning(setting.partition("=")[0], lang).replace(" ", "") in squeezed


def test_where_there_is_less_room_the_keys_stay() -> None:
    seen = view("en")
    keys = len(seen.rules.rows[0].settings)
    rows = [text_of(row) for row in draw_rule(seen, 47, keys + 2, 0, 116)]
    assert "  samples=3" in rows
    assert not any("readings must agree" in row for row in rows)
