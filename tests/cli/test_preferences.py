"""The file of what a person likes: read, or refused in one line before anything is begun."""

from pathlib import Path

import pytest

from timellm_ops.cli.preferences import Preferences, preferences_file, read_preferences, taste_of
from timellm_ops.contract.validation import ConfigError


def written(folder: Path, text: str) -> Path:
    path = folder / "dashboard.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_it_lies_where_programs_keep_their_configuration() -> None:
    assert preferences_file({"XDG_CONFIG_HOME": "/c"}) == Path("/c/timellm-ops/dashboard.toml")
    for elsewhere in ({}, {"XDG_CONFIG_HOME": "relative"}):
        assert preferences_file(elsewhere).parts[-3:] == (
            ".config",
            "timellm-ops",
            "dashboard.toml",
        )


def test_nobody_needs_one(tmp_path: Path) -> None:
    assert read_preferences(tmp_path / "none.toml") == Preferences()


def test_all_of_it(tmp_path: Path) -> None:
    text = 'lang = "zh"\ntheme = "light"\nascii = true\n[keys]\npause = "f6"\nstop = ["f2", "f3"]\n'
    liked = read_preferences(written(tmp_path, text))
    assert (liked.lang, liked.theme, liked.ascii) == ("zh", "light", True)
    taste = taste_of(liked)
    assert taste.light
    assert taste.keymap == {"pause": ("f6",), "stop": ("f2", "f3")}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("lang = 'fr'", ': lang: found "fr"; expected one of "en", "zh"'),
        ("lang = 3", ': lang: found 3; expected one of "en", "zh"'),
        ("theme = 'drak'", ': theme: found "drak"; expected one of "dark", "light"'),
        ("ascii = 'yes'", ': ascii: found "yes"; expected true or false'),
        ("colour = 'red'", ": colour: found an unknown key; expected one of lang, theme, ascii,"),
        ("them = 'dark'", ': them: found an unknown key; expected "theme" (did you mean it?)'),
        ("keys = 'f5'", ': keys: found "f5"; expected a table, [keys]'),
        ("[keys]\npause = 3", ": keys.pause: found 3; expected a key such as"),
        ("[keys]\npause = ['f5', {}]", ": keys.pause: found a table; expected a key such as"),
        (
            "ascii = yes",
            ": found a syntax error, Invalid value (at line 1, column 9); expected TOML",
        ),
        (b"\xff\xfe".decode("latin-1"), "; expected TOML"),
    ],
)
def test_a_file_that_cannot_be_used_is_refused_in_one_line(
    tmp_path: Path, text: str, said: str
) -> None:
    path = written(tmp_path, text)
    with pytest.raises(ConfigError) as refused:
        read_preferences(path)
    assert str(refused.value).startswith(f"{path}: ")
    assert said in str(refused.value)
    assert "\n" not in str(refused.value)


def test_everything_that_is_wrong_is_said(tmp_path: Path) -> None:
    text = "colour = 'red'\nlang = 'fr'\n[keys]\npause = 3\nstop = [4, 'f2']\n"
    with pytest.raises(ConfigError) as refused:
        read_preferences(written(tmp_path, text))
    assert [fault.key for fault in refused.value.all] == [
        "colour",
        "lang",
        "keys.pause",
        "keys.stop",
    ]
    with pytest.raises(ConfigError) as refused:
        taste_of(Preferences(keys={"paws": "x", "pause": "two words", "stop": []}))
    assert [fault.key for fault in refused.value.all] == ["keys.paws", "keys.pause", "keys.stop"]
    with pytest.raises(ConfigError) as refused:
        taste_of(Preferences(keys={"pause": "f9", "stop": "f9", "stop_now": "f9"}))
    assert {fault.key for fault in refused.value.all} == {"keys.stop", "keys.stop_now"}


def test_a_file_that_cannot_be_read_is_refused_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "latin.toml").write_bytes(b"ascii = true\n# caf\xe9\n")
    for path, said in (
        (tmp_path, ": found a folder; expected a TOML file"),
        (
            tmp_path / "latin.toml",
            ": found bytes that are not UTF-8 in line 2; expected TOML in UTF-8",
        ),
    ):
        with pytest.raises(ConfigError) as refused:
            read_preferences(path)
        assert said in str(refused.value)


def test_a_key_that_is_none_is_refused_with_its_place(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", "/c")
    with pytest.raises(ConfigError) as refused:
        taste_of(Preferences(keys={"paws": "x"}))
    assert "/c/timellm-ops/dashboard.toml: keys.paws: found an action that" in str(refused.value)
