"""Who may come in, and what a window may say."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from timellm_ops.web.gate import Asked, Keys, refusal
from timellm_ops.web.messages import Focus, Ping, Size, parse
from timellm_ops.web.messages import Keys as Typed

KEYS = Keys(port=4321, token="t" * 43, cookie="c" * 43)
HERE = "127.0.0.1:4321"
PAGE = Asked(method="GET", hosts=(HERE,), cookie=KEYS.cookie)
SOCKET = replace(PAGE, origins=(f"http://{HERE}",), site="same-origin", websocket=True)


@pytest.mark.parametrize(
    "asked",
    [
        PAGE,
        replace(PAGE, cookie="", token=KEYS.token),
        replace(PAGE, method="HEAD"),
        replace(PAGE, hosts=("localhost:4321",)),
        replace(PAGE, site="none"),
        replace(PAGE, origins=(f"http://{HERE}",)),
        SOCKET,
        replace(SOCKET, hosts=("localhost:4321",), origins=("http://localhost:4321",)),
    ],
)
def test_whoever_has_the_key_and_comes_from_here_may_come_in(asked: Asked) -> None:
    assert refusal(asked, KEYS) == ""


REFUSED = {
    "without a key": replace(PAGE, cookie=""),
    "with another key": replace(PAGE, cookie="c" * 42 + "d"),
    "with the token as cookie": replace(PAGE, cookie=KEYS.token),
    "with the cookie as token": replace(PAGE, cookie="", token=KEYS.cookie),
    "a key that is no ASCII": replace(PAGE, cookie="\udcff钥匙"),
    "to write": replace(PAGE, method="POST"),
    "by a foreign name": replace(PAGE, hosts=("evil.example:4321",)),
    "by a name that only begins like ours": replace(PAGE, hosts=(f"{HERE}.evil.example",)),
    "by another port": replace(PAGE, hosts=("127.0.0.1:80",)),
    "without a name": replace(PAGE, hosts=()),
    "by two names": replace(PAGE, hosts=(HERE, "evil.example")),
    "from another site": replace(PAGE, site="cross-site"),
    "from another port of this machine": replace(PAGE, site="same-site"),
    "from a foreign page": replace(PAGE, origins=("http://evil.example",)),
    "from nowhere": replace(PAGE, origins=("null",)),
    "socket without a key": replace(SOCKET, cookie=""),
    "socket with the token alone": replace(SOCKET, cookie="", token=KEYS.token),
    "socket from a foreign page": replace(SOCKET, origins=("http://evil.example",)),
    "socket from another port": replace(SOCKET, origins=("http://127.0.0.1:80",)),
    "socket from a secure page": replace(SOCKET, origins=(f"https://{HERE}",)),
    "socket from who does not say": replace(SOCKET, origins=()),
    "socket from our other name": replace(SOCKET, origins=("http://localhost:4321",)),
    "socket from two pages": replace(SOCKET, origins=(f"http://{HERE}", "http://evil.example")),
}


@pytest.mark.parametrize("asked", REFUSED.values(), ids=REFUSED.keys())
def test_everyone_else_may_not(asked: Asked) -> None:
    assert refusal(asked, KEYS) != ""


def test_before_there_are_keys_nobody_may_come_in() -> None:
    none = Keys(port=4321, token="", cookie="")
    assert refusal(replace(PAGE, cookie=""), none) != ""


@given(st.text(), st.text())
def test_no_other_key_fits(cookie: str, token: str) -> None:
    asked = replace(PAGE, cookie=cookie, token=token)
    assert (refusal(asked, KEYS) == "") == (cookie == KEYS.cookie or token == KEYS.token)


@pytest.mark.parametrize(
    ("message", "said"),
    [
        ('["stdin", "p"]', Typed("p")),
        ('["resize", {"width": 120, "height": 40}]', Size(120, 40)),
        ('["ping", 17.5]', Ping(17.5)),
        ('["focus"]', Focus(focused=True)),
        ('["blur"]', Focus(focused=False)),
        ('["stdin", 1]', None),
        ('["resize", {"width": "120"}]', None),
        ('{"stdin": "p"}', None),
        ("[" * 100_000, None),
        ("", None),
    ],
)
def test_a_window_says_one_of_five_things_or_nothing(message: str, said: object) -> None:
    assert parse(message) == said


@given(st.text())
def test_whatever_a_window_says_is_no_error(message: str) -> None:
    parse(message)
