"""What the page around the dashboard says by itself."""

import re

from timellm_ops.web.page import page

CHINESE = re.compile(r"[\u4e00-\u9fff]")


def test_the_page_speaks_the_language_of_the_dashboard() -> None:
    english = page(title="a<b", socket="ws://127.0.0.1:1/ws")
    chinese = page(title="a<b", socket="ws://127.0.0.1:1/ws", lang="zh")
    assert 'lang="en"' in english
    assert not CHINESE.search(english)
    assert 'lang="zh-CN"' in chinese
    assert "正在打开 a&lt;b" in chinese
    assert "Open it again" not in chinese
    for text in (english, chinese):
        assert 'data-session-websocket-url="ws://127.0.0.1:1/ws"' in text
        assert "{" not in text
