"""The tokenizer of one file gives the ids that `transformers` gives for that file."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import AutoTokenizer

from timellm_engine.model.embedded import END_OF_TEXT, embedded_tokenizer
from timellm_engine.model.prompts import WindowStatistics, default_description, prompt_text

OURS = embedded_tokenizer()
PROMPT = prompt_text(
    WindowStatistics(-1.5, 2.5, -0.5, upward=True, lags=(0, 1, 2)),
    default_description("ETTh1"), 512, 96,
)  # fmt: skip


@pytest.fixture(scope="module")
def theirs(tmp_path_factory: pytest.TempPathFactory) -> object:
    folder = tmp_path_factory.mktemp("tokenizer")
    OURS.save_pretrained(folder)
    return AutoTokenizer.from_pretrained(folder)


texts = st.lists(st.one_of(st.text(), st.just(PROMPT), st.just(f"a{END_OF_TEXT}b")), min_size=1)


@settings(max_examples=60, deadline=None)
@given(texts=texts)
def test_the_ids_of_any_texts(theirs: object, texts: list[str]) -> None:
    assert OURS(texts).input_ids == theirs(texts).input_ids  # type: ignore[operator]
    assert OURS(texts[0]).input_ids == theirs(texts[0]).input_ids  # type: ignore[operator]


@settings(max_examples=60, deadline=None)
@given(texts=texts, longest=st.integers(1, 200))
def test_padding_and_truncation(theirs: object, texts: list[str], longest: int) -> None:
    ids = []
    for tokenizer in (OURS, theirs):
        tokenizer.pad_token = tokenizer.eos_token  # type: ignore[attr-defined]
        made = tokenizer(texts, padding=True, truncation=True, max_length=longest)  # type: ignore[operator]
        ids.append(made.input_ids)
    assert ids[0] == ids[1]


def test_it_is_asked_as_theirs_is(theirs: object) -> None:
    for tokenizer in (OURS, theirs):
        assert len(tokenizer) == 512  # type: ignore[arg-type]
        assert tokenizer.all_special_ids == [0]  # type: ignore[attr-defined]
        assert tokenizer.eos_token == END_OF_TEXT  # type: ignore[attr-defined]
        assert tokenizer.get_vocab()[END_OF_TEXT] == 0  # type: ignore[attr-defined]
        assert tokenizer.decode([0]) == END_OF_TEXT  # type: ignore[attr-defined]


def test_without_a_token_to_pad_with_nothing_is_padded() -> None:
    with pytest.raises(ValueError, match="no token to pad with"):
        embedded_tokenizer()(["a", "abc"], padding=True)


def test_a_token_that_is_none_is_named() -> None:
    tokenizer = embedded_tokenizer()
    tokenizer.pad_token = "[PAD]"
    with pytest.raises(ValueError, match=r"\[PAD\]"):
        tokenizer(["a", "abc"], padding=True)
