"""What is kept out of records: values of variables that are secret by name, and hub tokens."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from timellm_ops.contract import events as ev
from timellm_ops.contract.masking import MASK, Mask, secrets_of

HUB = "hf_" + "aB3" * 11


def test_names_tell_what_is_secret() -> None:
    env = {
        "HF_TOKEN": HUB,
        "WANDB_API_KEY": "0123456789abcdef",
        "MY_SECRET_KEY": "of a cupboard",
        "PGPASSWORD": "one word",
        "DB_PASSWORD": "open sesame",
        "aws_secret_access_key": "lower case too",
        "HF_TOKEN_PATH": "/home/me/.cache/huggingface/token",
        "TOKENIZERS_PARALLELISM": "false-or-true",
        "SORT_KEY": "iteration",
        "API_TOKEN": "short",
        "PIN_TOKEN": "1234567890",
        "PATH": "/usr/bin:/bin",
    }
    assert set(secrets_of(env)) == {
        HUB, "0123456789abcdef", "of a cupboard", "open sesame", "lower case too", "one word",
    }  # fmt: skip


SECRET_NAMES = [
    "TOKEN", "HF_TOKEN", "HF_TOKEN_2", "secret", "CLIENT_SECRET", "PASSWORD", "DB_PASSWORD_OLD",
    "MYSQLPASSWORD", "MYSQL_PASSWD", "SSH_PASSPHRASE", "AWS_CREDENTIALS", "WANDB_APIKEY",
    "API_KEY", "OPENAI_API_KEY", "OPENAI_API_KEY_OLD", "AZURE_ACCESS_KEY", "PRIVATE_KEY",
    "AUTH_KEY", "auth_key", "MY_SECRET_KEY",
]  # fmt: skip
OTHER_NAMES = [
    "HF_TOKEN_FILE", "HF_TOKEN_PATH", "SECRET_DIR", "TOKEN_URL", "SECRET_ID", "TOKEN_NAME",
    "TOKEN_TYPE", "TOKEN_TTL", "TOKENIZERS_PARALLELISM", "SECRET_PARALLELISM", "MAX_TOKENS",
    "KEY", "MONKEY", "PUBLIC_KEY", "XAPI_KEY", "API_KEYS", "PASSWORDS", "SECRETARY",
]  # fmt: skip


@pytest.mark.parametrize("name", SECRET_NAMES)
def test_what_the_name_of_a_variable_calls_a_secret_is_one(name: str) -> None:
    assert secrets_of({name: "open sesame"}) == ("open sesame",)


@pytest.mark.parametrize("name", OTHER_NAMES)
def test_what_only_sounds_like_one_is_none(name: str) -> None:
    assert secrets_of({name: "open sesame"}) == ()


def test_a_secret_is_told_without_the_spaces_around_it_and_from_eight_characters_on() -> None:
    env = {"A_TOKEN": " 8letters\n", "B_TOKEN": "7letter", "C_TOKEN": "123456789", "D_TOKEN": ""}
    assert secrets_of(env) == ("8letters",)


def test_a_secret_that_begins_another_one_leaves_none_of_it() -> None:
    env = {"A_TOKEN": "open sesame", "B_TOKEN": "open sesame and close", "C_TOKEN": "zzzzzzzz"}
    assert secrets_of(env) == ("open sesame and close", "open sesame", "zzzzzzzz")
    assert Mask(secrets_of(env)).text("I said open sesame and close") == f"I said {MASK}"


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        (f"hf_{'a' * 20}", MASK),
        (f"api_org_{'B' * 20}", MASK),
        (f"hf_{'a' * 19}", f"hf_{'a' * 19}"),
        (f"my_hf_{'a' * 30}", f"my_hf_{'a' * 30}"),
        (f"url?t=hf_{'a' * 20}&x", f"url?t={MASK}&x"),
    ],
)
def test_what_looks_like_a_token_of_the_hub_is_masked(text: str, masked: str) -> None:
    assert Mask().text(text) == masked
    line = record(ev.Alert(level="info", message=text))
    told = ev.decode_record(Mask().json_line(line, ev.decode_record)).event
    assert told == ev.Alert(level="info", message=masked)


def test_a_text_is_masked_wherever_a_secret_stands_in_it() -> None:
    mask = Mask(["open sesame"])
    assert mask.text("I said open sesame, open sesame!") == f"I said {MASK}, {MASK}!"
    assert mask.text(f"Bearer {HUB}.") == f"Bearer {MASK}."
    assert mask.text("hf_hub_download of my_hf_model") == "hf_hub_download of my_hf_model"


def record(event: ev.Event) -> bytes:
    return ev.encode_record(ev.JournalRecord(seq=7, event=event))


def masked(mask: Mask, event: ev.Event) -> ev.Event:
    line = mask.json_line(record(event), ev.decode_record)
    assert line.endswith(b"\n")
    return ev.decode_record(line).event


@pytest.mark.parametrize(
    "secret", ["open sesame", 'say "friend"', "back\\slash", "密码密码密码密码"]
)
def test_a_record_is_masked_in_its_texts(secret: str) -> None:
    mask = Mask([secret])
    failed = masked(mask, ev.EngineFailed(message=f"401 for {secret}: no"))
    assert failed == ev.EngineFailed(message=f"401 for {MASK}: no")
    done = masked(mask, ev.PreflightDone(findings=("fine", f"key {secret}")))
    assert done == ev.PreflightDone(findings=("fine", f"key {MASK}"))


@pytest.mark.parametrize("secret", ["EngineFailed", "training", "message", "preflight"])
def test_a_secret_that_is_a_word_of_the_format_does_not_spoil_a_record(secret: str) -> None:
    mask = Mask([secret])
    event = masked(mask, ev.EngineFailed(message=f"no {secret} here", kind="preflight"))
    assert isinstance(event, ev.EngineFailed)
    assert (event.message, event.kind) == (f"no {MASK} here", "preflight")


def test_a_record_without_secrets_is_left_as_it_is() -> None:
    line = record(ev.Progress(iteration=12345678, epoch=1, loss=0.5))
    assert Mask(["open sesame", "iteration"[:8]]).json_line(line, ev.decode_record) is not None
    assert Mask(["open sesame"]).json_line(line, ev.decode_record) is line


@given(st.text(min_size=8), st.text(), st.text())
def test_no_secret_is_left_and_the_rest_stays(secret: str, before: str, after: str) -> None:
    mask = Mask([secret])
    event = masked(mask, ev.Alert(level="info", message=f"{before}{secret}{after}"))
    assert isinstance(event, ev.Alert)
    assert secret not in event.message or MASK in secret
    assert msgspec.structs.replace(event, message="") == ev.Alert(level="info", message="")
