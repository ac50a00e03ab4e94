"""A picture of the dashboard, made without a terminal, of any moment on record."""

import asyncio
import html
import re
from collections.abc import Sequence
from datetime import UTC, datetime, tzinfo
from pathlib import Path

from rich.cells import cell_len

from timellm_dashboard.actions import ScreenId
from timellm_dashboard.app import Dashboard
from timellm_dashboard.replay.moving_picture import without_remote_fonts
from timellm_dashboard.services import Services
from timellm_dashboard.source import RunSource
from timellm_dashboard.taste import Taste
from timellm_dashboard.viewmodel.look import LimitsOf, Look
from timellm_dashboard.viewmodel.rulerows import RulesOf
from timellm_dashboard.words.text import Lang
from timellm_ops.contract.commands import AnyRequest, Reply
from timellm_ops.contract.events import JournalRecord

_TURNS = 500
_SETTLED_S = 0.3
"""For what a screen reads by itself, such as a log."""


class Recording:
    """A run as it was when the last of `records` was written."""

    def __init__(self, records: Sequence[JournalRecord], *, supervised: bool = True) -> None:
        self._records = list(records)
        self._supervised = supervised

    def poll(self) -> list[JournalRecord]:
        """Everything, once."""
        records, self._records = self._records, []
        return records

    def send(self, request: AnyRequest) -> Reply:  # noqa: ARG002
        """There is nobody to ask."""
        return Reply(ok=False, message="this is a recording")

    def damaged(self) -> int:
        """None is told of."""
        return 0

    def supervised(self) -> bool:
        """Whether it was supervised then."""
        return self._supervised


def export_screenshot(
    source: RunSource,
    path: Path,
    size: tuple[int, int] = (120, 40),
    *,
    lang: Lang = "en",
    zone: tzinfo | None = None,
    limits: LimitsOf | None = None,
    rules: RulesOf | None = None,
    screen: ScreenId = "overview",
    services: Services | None = None,
    keys: Sequence[str] = (),
    light: bool = False,
) -> None:
    """Write a screen of `source`, at the moment of its last record, as an SVG to `path`.

    `size` is in columns and rows; times are shown in `zone`, which is the machine's if absent.
    `keys` are pressed before, as Textual names them.
    """
    look = Look(lang=lang, zone=zone, limits=limits, rules=rules)
    app = Dashboard(
        source,
        look,
        now=lambda: app.recorder.state.updated_at or datetime.now(UTC),
        monotonic=lambda: app.recorder.state.t or 0.0,
        refresh_s=0.05,
        services=services,
        taste=Taste(light=light),
    )

    async def picture() -> str:
        async with app.run_test(size=size) as pilot:
            for _ in range(_TURNS):
                await pilot.pause(0.01)
                if app.loaded:
                    break
            app.go_to(screen)
            await pilot.pause(_SETTLED_S)
            if keys:
                await pilot.press(*keys)
                await pilot.pause(_SETTLED_S)
            return app.export_screenshot(title="timellm-ops")

    svg = without_remote_fonts(spread_wide_characters(asyncio.run(picture())))
    path.write_text(svg, encoding="utf-8")


def spread_wide_characters(svg: str) -> str:
    """The picture with two columns for each wide character.

    Rich places texts by their columns but states their lengths by their number of characters,
    which squeezes Chinese ones together.
    """
    return re.sub(r'textLength="([\d.]+)"([^>]*)>([^<]*)</text>', _by_columns, svg)


def _by_columns(match: re.Match[str]) -> str:
    length, attributes, content = match.groups()
    text = html.unescape(content)
    if not text or cell_len(text) == len(text):
        return match.group()
    spread = float(length) / len(text) * cell_len(text)
    return f'textLength="{spread:g}"{attributes}>{content}</text>'
