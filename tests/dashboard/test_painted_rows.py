"""A panel paints the rows that have changed alone: what is seen is what all of it would be."""

import pytest
from sample_journals import STATES, FakeRun
from screen_text import dashboard, resized, running
from textual.selection import SELECT_ALL
from textual.widget import Widget

from timellm_dashboard.actions import SCREEN_ORDER
from timellm_dashboard.app import Dashboard
from timellm_dashboard.viewmodel.view import View
from timellm_dashboard.widgets.overview import EpochsPanel
from timellm_dashboard.widgets.panel import Panel
from timellm_dashboard.words.text import Lang

SIZE = (100, 30)


def of(state: str, lang: Lang) -> Dashboard:
    journal = STATES[state]()
    return dashboard(journal, FakeRun(journal), lang=lang)


async def view_of(state: str, lang: Lang) -> View:
    app = of(state, lang)
    async with running(app, SIZE):
        return app.view


def differences(app: Dashboard) -> list[str]:
    """Rows that are not those of Textual's own way, which paints all of a panel at once."""
    found = []
    for panel in app.run_screen.query(Panel):
        panel.refresh()
        for row in range(panel.size.height):
            painted, whole = panel.render_line(row), Widget.render_line(panel, row)
            if whole.text.strip() and list(painted) != list(whole):
                found.append(f"{panel} {row}: {painted.text!r}, {whole.text!r}")
    return found


@pytest.mark.parametrize("lang", ["en", "zh"])
@pytest.mark.parametrize("state", ["training", "paused_thermal", "foreign"])
async def test_each_row_is_as_if_all_were_painted(state: str, lang: Lang) -> None:
    later = await view_of("finished", lang)
    app = of(state, lang)
    async with running(app, SIZE) as pilot:
        for screen in SCREEN_ORDER:
            app.go_to(screen)
            await pilot.pause(0.05)
            assert differences(app) == []
            app.run_screen.show(later)
            assert differences(app) == []


async def test_what_is_selected_is_seen_to_be_and_is_no_more_afterwards() -> None:
    app = of("finished", "en")
    async with running(app, SIZE) as pilot:
        panel = app.screen.query_one(EpochsPanel)
        plain = list(panel.render_line(1))
        app.screen.selections = {panel: SELECT_ALL}
        await pilot.pause(0.05)
        chosen = list(panel.render_line(1))
        assert [s.text for s in chosen] == [s.text for s in plain]
        assert chosen != plain
        app.screen.selections = {}
        await pilot.pause(0.05)
        assert list(panel.render_line(1)) == plain


async def test_a_screen_without_room_paints_nothing() -> None:
    app = of("training", "en")
    async with running(app, SIZE) as pilot:
        for size in ((1, 1), (2, 40), (100, 30)):
            await resized(pilot, *size)
            for panel in app.run_screen.query(Panel):
                assert panel.render_line(0).cell_length <= max(0, panel.size.width)
