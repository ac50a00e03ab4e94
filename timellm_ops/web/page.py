"""The page around the terminal. Nothing in it is from another host."""

from html import escape
from typing import Literal

from msgspec import Struct

_PAGE = """<!DOCTYPE html>
<html lang="{lang}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title} · timellm-ops</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="/static/css/xterm.css">
<link rel="stylesheet" href="/page.css">
<script src="/static/js/textual.js"></script>
<script src="/page.js"></script>
</head>
<body>
<noscript>{script_needed}</noscript>
<p class="note opening">{opening}</p>
<p class="note closed">{closed}
<a href="/">{again}</a>{ended}</p>
<div id="terminal" class="textual-terminal" data-session-websocket-url="{socket}"
 data-font-size="14"></div>
</body>
</html>
"""

STYLE = """
@font-face {
  font-family: "Roboto Mono";
  src: url("/static/fonts/RobotoMono-VariableFont_wght.ttf") format("truetype");
  font-weight: 100 700;
}
@font-face {
  font-family: "Roboto Mono";
  font-style: italic;
  src: url("/static/fonts/RobotoMono-Italic-VariableFont_wght.ttf") format("truetype");
  font-weight: 100 700;
}
html, body {
  margin: 0;
  height: 100%;
  overflow: hidden;
  background: #11151A;
  color: #D7DCE2;
  font-family: "Roboto Mono", monospace;
}
.textual-terminal { width: 100vw; height: 100vh; }
.note { position: absolute; z-index: 20; margin: 0; padding: 1em 1.5em; inset: 35% 10% auto 10%; }
.closed { display: none; background: #1E252D; border: 1px solid #6CB8F0; }
.closed a { color: #6CB8F0; }
body.-first-byte .opening { display: none; }
body.-closed .opening { display: none; }
body.-closed .closed { display: block; }
"""
"""Sent as a file of its own, at `/page.css`."""

SCRIPT = """
addEventListener("load", () => {
  const looking = setInterval(() => {
    const keyboard = document.querySelector("#terminal textarea");
    if (keyboard) {
      clearInterval(looking);
      keyboard.focus();
    }
  }, 100);
});
"""
"""Sent at `/page.js`: keys go to the dashboard without a click into it first."""


class _Texts(Struct, frozen=True, kw_only=True):
    script_needed: str
    opening: str
    closed: str
    again: str
    ended: str


_EN = _Texts(
    script_needed="This page needs JavaScript: the dashboard is drawn in a terminal.",
    opening="Opening {title} …",
    closed="This view has been closed; the run goes on.",
    again="Open it again",
    ended=". If that does not answer, timellm-ops web has ended.",
)
_ZH = _Texts(
    script_needed="此页面需要 JavaScript：仪表盘画在一个终端里。",
    opening="正在打开 {title} …",
    closed="此窗口已关闭；运行继续。",
    again="重新打开",
    ended="。如果没有反应，说明 timellm-ops web 已经结束。",
)


def page(*, title: str, socket: str, lang: Literal["en", "zh"] = "en") -> str:
    """The page whose terminal talks to the address `socket`, in the language of the dashboard."""
    texts = _ZH if lang == "zh" else _EN
    return _PAGE.format(
        title=escape(title),
        socket=escape(socket),
        lang="zh-CN" if lang == "zh" else "en",
        script_needed=texts.script_needed,
        opening=escape(texts.opening.format(title=title)),
        closed=texts.closed,
        again=texts.again,
        ended=texts.ended,
    )
