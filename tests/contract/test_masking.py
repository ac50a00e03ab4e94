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
