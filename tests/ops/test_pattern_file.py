"""Pattern files: those that are shipped, and what is said of one that is wrong."""

from pathlib import Path
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from timellm_ops.adapters.pattern_fields import FIELDS, Conversion, EventName, convert
from timellm_ops.adapters.pattern_file import (
    LARGEST_BYTES,
    LONGEST_REGEX,
    MOST_PATTERNS,
    load_patterns,
    parse_patterns,
    read_patterns,
    shipped_names,
)
from timellm_ops.contract.validation import ConfigError

GOOD = """[[pattern]]
event = "progress"
regex = 'step (?P<step>\\d+) loss (?P<loss>\\S+)'
"""


def wrong(text: str) -> str:
    """The one line that is said of a file."""
    with pytest.raises(ConfigError) as caught:
        parse_patterns(text.encode(), "my.toml")
    (line,) = str(caught.value).splitlines()
    return line


@pytest.mark.parametrize("name", shipped_names())
def test_a_shipped_file_is_right_and_says_what_it_is_for(name: str) -> None:
    found = load_patterns(name, "test")
    assert found.file.about
    assert found.file.checkpoint
    assert found.has("progress")
    assert found.has("checkpoint")
    assert all(p.said.example or not p.regex.groupindex for p in found.compiled)


def test_three_are_shipped() -> None:
    assert shipped_names() == ("hf-trainer", "published", "time-series-library")


def test_every_event_has_fields_and_every_conversion_is_used() -> None:
    assert set(FIELDS) == set(get_args(EventName))
    used = {how for fields in FIELDS.values() for hows in fields.may.values() for how in hows}
    assert used == set(get_args(Conversion))
    assert all(name in fields.may for fields in FIELDS.values() for name in fields.must)


@pytest.mark.parametrize(
    ("text", "place", "expected"),
    [
        ("", "my.toml: pattern:", "[[pattern]]"),
        ("pattern = 3", "my.toml: pattern:", "[[pattern]]"),
        ("pattern = []", "my.toml: pattern:", "[[pattern]]"),
        ("pattern = [3]", "my.toml: pattern 1:", "a table"),
        ("a =", "my.toml:", "TOML"),
        (GOOD + "kinds = 'best'", "pattern 1, kinds:", '"kind"'),
        ("abuot = 'x'\n" + GOOD, "my.toml: abuot:", '"about"'),
        (GOOD.replace('"progress"', '"progres"'), "pattern 1, event:", '"progress"'),
        ("[[pattern]]\nevent = 'finished'", "pattern 1, regex:", "a text"),
        ("[[pattern]]\nregex = 'x'", "pattern 1, event:", "one of"),
        (GOOD + "[[pattern]]\nevent = 'finished'\nregex = '('", "pattern 2 (finished), regex:",
         "a regular expression"),
        (GOOD.replace("<loss>", "<los>"), "pattern 1 (progress), regex:", '"loss"'),
        (GOOD.replace("<loss>", "<step2>"), "pattern 1 (progress), regex:", '"step"'),
        (GOOD.replace("(?P<loss>", "(").replace("(?P<step>", "("), "pattern 1 (progress), regex:",
         "one of (?P<loss>...), (?P<iteration>...), (?P<step>...), (?P<epochs_done>...)"),
        (GOOD + "convert = { step = 'miles' }", "pattern 1, convert.step:", "from_zero"),
        (GOOD + "convert = { step = 'percent' }", "pattern 1 (progress), convert.step:",
         "int, from_zero"),
        (GOOD + "convert = { lr = 'float' }", "pattern 1 (progress), convert.lr:", "step, loss"),
        (GOOD + "convert = 3", "pattern 1, convert:", "a table"),
        (GOOD + "example = 'loss 3 step 4'", "pattern 1 (progress), example:", "regex matches"),
        (GOOD + "kind = 'first'", "pattern 1, kind:", '"best"'),
        (GOOD + "stopped = 'yes'", "pattern 1, stopped:", "true or false"),
        ("[[pattern]]\nevent = 'finished'\nregex = 'x*'", "regex:", "an empty line"),
        ("[[pattern]]\nevent = 'finished'\nregex = '" + "x" * 2001 + "'", "regex:", "2000"),
        ("checkpoint = '../x'\n" + GOOD, "my.toml: checkpoint:", "below the working folder"),
        ("last_file = 'a/b'\n" + GOOD, "my.toml: last_file:", "the name of a file"),
        ("[[pattern]]\nevent = 'finished'\nregex = 'x'\n" * (MOST_PATTERNS + 1),
         "my.toml: pattern:", f"at most {MOST_PATTERNS}"),
        ("#" * LARGEST_BYTES + "#", "my.toml:", "TOML"),
    ],
)  # fmt: skip
def test_a_wrong_file_is_told_in_one_line_with_its_place(
    text: str, place: str, expected: str
) -> None:
    line = wrong(text)
    assert line.startswith("my.toml")
    assert place in line
    assert "; expected " in line
    assert expected in line.partition("; expected ")[2]


def test_everything_that_is_wrong_is_told_in_the_order_of_the_file() -> None:
    text = (
        "abuot = 'x'\nlast_file = 3\n"
        + GOOD.replace("<loss>", "<los>")
        + "example = 'no step'\n"
        + "[[pattern]]\nevent = 'finished'\nkind = 'first'\n"
        + GOOD
        + "[[pattern]]\nevent = 'finished'\nregex = '('\n"
    )
    with pytest.raises(ConfigError) as caught:
        parse_patterns(text.encode(), "my.toml")
    assert [fault.key for fault in caught.value.all] == [
        "abuot",
        "last_file",
        "pattern 1 (progress), regex",
        "pattern 1 (progress), example",
        "pattern 2, kind",
        "pattern 2, regex",
        "pattern 4 (finished), regex",
    ]
    assert all(str(fault).startswith("my.toml: ") for fault in caught.value.all)


def test_a_conversion_of_a_group_that_there_is_not_is_told_with_the_group() -> None:
    text = GOOD.replace("<loss>", "<los>") + "convert = { los = 'float' }"
    assert '"loss" (did you mean it?)' in wrong(text)


def test_bytes_that_are_no_text_are_told_with_their_line() -> None:
    with pytest.raises(ConfigError, match="not UTF-8 in line 2"):
        parse_patterns(b"a = 1\nb = '\xff'\n", "my.toml")


def test_what_a_file_does_not_say_is_as_the_docs_have_it() -> None:
    found = parse_patterns(GOOD.encode(), "my.toml")
    (pattern,) = found.compiled
    said, file = pattern.said, found.file
    assert (said.over, said.kind, said.split, said.level) == ("epoch", "best", "vali", "warning")
    assert (said.stopped, said.message, said.example) == (False, "", "")
    assert (file.announced, file.about, file.checkpoint, file.last_file) == (True, "", "", "")
    assert (pattern.name, pattern.conversions) == (
        "pattern 1 (progress)", {"step": "int", "loss": "float"},
    )  # fmt: skip


def test_a_conversion_that_is_given_outvotes_the_usual_one() -> None:
    text = GOOD + "convert = { step = 'from_zero' }"
    (pattern,) = parse_patterns(text.encode(), "my.toml").compiled
    assert pattern.conversions == {"step": "from_zero", "loss": "float"}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (GOOD + "regexp = 3", '"regex"'),
        (GOOD + "convert = { step = 3 }", "found 3;"),
        (GOOD + "stopped = 0", "found 0;"),
        (GOOD + "level = true", "found true;"),
        (GOOD + "over = []", "found a list;"),
        (GOOD + "kind = { a = 1 }", "found a table;"),
        (GOOD + f"kind = '{'y' * 200}'", f'found "{"y" * 79}…;'),
        ("last_file = '..'\n" + GOOD, "the name of a file"),
        ("last_file = '.'\n" + GOOD, "the name of a file"),
        ("checkpoint = '/x'\n" + GOOD, "below the working folder"),
        ("announced = 'no'\n" + GOOD, "true or false"),
        ("[[pattern]]\nevent = 'bar'\nregex = '(?P<step>x)'", 'no group "total"'),
        ("[[pattern]]\nevent = 'evaluation'\nregex = '(?P<done>x)'", 'no group "total"'),
        ("[[pattern]]\nevent = 'epoch_ended'\nregex = '(?P<epoch>x)'", 'no group "vali"'),
        ("[[pattern]]\nevent = 'learning_rate'\nregex = 'x'", 'no group "lr"'),
        ("[[pattern]]\nevent = 'finished'\nregex = '(?P<loss>x)'", "no group at all"),
        ("[[pattern]]\nevent = 'finished'\nregex = '[[a]'", "nested set"),
        ("[[pattern]]\nevent = 'finished'\nregex = 'a{99999999999}'", "too large"),
        ("[[pattern]]\nevent = 'finished'\nregex = '" + "(" * 990 + "a" + ")" * 990 + "'",
         "a regular expression"),
        ("a = " + "[" * 20_000, "TOML"),
        ("a = 1\nb = \"x\n", "a syntax error, "),
    ],
)  # fmt: skip
def test_what_is_found_is_shown_and_what_would_be_right(text: str, said: str) -> None:
    assert said in wrong(text)


def test_exactly_as_much_as_is_allowed_is_allowed(tmp_path: Path) -> None:
    finished = "[[pattern]]\nevent = 'finished'\nregex = 'x'\n"
    assert len(parse_patterns((finished * MOST_PATTERNS).encode(), "my.toml").compiled) == 64
    longest = finished.replace("'x'", f"'{'x' * LONGEST_REGEX}'")
    assert parse_patterns(longest.encode(), "my.toml").compiled
    file = tmp_path / "large.toml"
    file.write_bytes(finished.encode().ljust(LARGEST_BYTES))
    assert read_patterns(file).raw == file.read_bytes()
    file.write_bytes(finished.encode().ljust(LARGEST_BYTES + 1))
    with pytest.raises(ConfigError, match="found more than 256 KiB"):
        read_patterns(file)


def test_a_file_of_an_editor_that_marks_its_encoding_is_read() -> None:
    assert parse_patterns(b"\xef\xbb\xbf" + GOOD.encode(), "my.toml").compiled


def test_what_never_ends_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"cannot be read \(.*device"):
        read_patterns(Path("/dev/zero"))
    with pytest.raises(ConfigError, match="found a folder"):
        read_patterns(tmp_path)


@pytest.mark.parametrize("name", ["./mine", "~/mine", "below/mine", "mine.toml"])
def test_what_looks_like_a_file_is_one(name: str) -> None:
    with pytest.raises(ConfigError, match="no such file"):
        load_patterns(name, "my-config.toml", "foreign.patterns")


def test_a_file_may_have_any_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("mine").write_text(GOOD)
    assert load_patterns("mine", "my-config.toml").has("progress")


@pytest.mark.parametrize(
    ("event", "more", "regex", "tells"),
    [
        ("progress", "", "(?P<step>x)", False),
        ("progress", "", "(?P<iteration>x)", True),
        ("progress", "", "(?P<step>x)(?P<epoch>y)", True),
        ("progress", "", "(?P<epochs_done>x)", True),
        ("training", "", "(?P<epochs>x)", True),
        ("training", "", "(?P<steps_per_epoch>x)", True),
        ("training", "", "(?P<total_steps>x)", False),
        ("bar", "", "(?P<step>x)(?P<total>y)", True),
        ("bar", "over = 'run'", "(?P<step>x)(?P<total>y)", False),
        ("epoch_started", "", "x", True),
        ("epoch_trained", "", "x", True),
        ("epoch_ended", "", "(?P<vali>x)", True),
    ],
)
def test_whether_a_line_may_tell_of_epochs(event: str, more: str, regex: str, tells: bool) -> None:
    text = f"[[pattern]]\nevent = '{event}'\n{more}\nregex = '{regex}'"
    assert parse_patterns(text.encode(), "my.toml").tells_epochs is tells


@pytest.mark.parametrize("name", ["none.toml", "."])
def test_a_file_that_is_not_there_is_told(tmp_path: Path, name: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read_patterns(tmp_path / name)
    assert str(tmp_path) in str(caught.value)
    assert "a TOML file with patterns" in str(caught.value)


def test_a_name_that_is_not_shipped_is_told_with_those_that_are() -> None:
    with pytest.raises(ConfigError) as caught:
        load_patterns("hf-trainr", "my-config.toml", "foreign.patterns")
    assert str(caught.value).startswith("my-config.toml: foreign.patterns: ")
    assert 'expected "hf-trainer" (did you mean it?)' in str(caught.value)


@pytest.mark.parametrize(
    ("text", "how", "value"),
    [
        ("1,250", "int", 1250),
        ("1 250", "int", 1250),
        (" 7 ", "from_zero", 8),
        ("-1", "int", None),
        ("1" * 30, "int", None),
        ("9" * 5000, "int", None),
        ("999_999_999_999_999", "int", 999_999_999_999_999),
        ("1 000 000 000 000 000", "int", None),
        ("-1", "from_zero", None),
        ("1e400", "float", float("inf")),
        ("4e-05", "float", 4e-05),
        ("45", "percent", 0.45),
        ("1.5", "minutes", 90.0),
        ("2", "hours", 7200.0),
        ("250", "milliseconds", 0.25),
        ("1:02:03", "clock", 3723.0),
        ("02:03.5", "clock", 123.5),
        ("12", "clock", None),
        ("x", "float", None),
        ("  ", "text", None),
        (" out of memory ", "text", "out of memory"),
    ],
)
def test_a_text_becomes_what_it_says(text: str, how: Conversion, value: object) -> None:
    found = convert(text, how)
    assert found == (pytest.approx(value) if isinstance(value, float) else value)


@given(st.text(max_size=50), st.sampled_from(get_args(Conversion)))
def test_no_text_is_too_strange(text: str, how: Conversion) -> None:
    convert(text, how)
