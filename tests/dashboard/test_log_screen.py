"""The log screen: what it shows in each state of a run, and its keys, over real files."""

import os
from pathlib import Path

import pytest
from rich.cells import cell_len
from sample_journals import (
    EPOCHS,
    STATES,
    STEP_S,
    STEPS,
    FakeRun,
    Journal,
    imported_weights,
    loss_at,
)
from screen_text import check_snapshot, dashboard, resized, rows_of, running, until
from textual.events import Key
from textual.pilot import Pilot
from textual.widgets import Input

from timellm_dashboard.app import Dashboard
from timellm_dashboard.lines import text_of
from timellm_dashboard.screens.log import LogScreen
from timellm_dashboard.services import Services
from timellm_dashboard.widgets.log import LogPanel

SIZES = ((80, 24), (120, 40), (200, 50))
ENDED = ("finished", "failed", "stopped", "imported")
PUBLISHED = """\
\x1b[2mUse GPU: cuda:0\x1b[0m
>>>>>>>start training : long_term_forecast_ETTh1_512_96>>>>>>>>>>>>>>>>>>>>>>>>>>
{first}Epoch: 1 cost time: 1004.500
Epoch: 1 | Train Loss: 0.4512000 Vali Loss: 0.3912000 Test Loss: 0.4012000 MAE Loss: 0.4562000
Validation loss decreased (inf --> 0.391200).  Saving model ...
Updating learning rate to 0.0004
/opt/lib/sched.py:136: UserWarning: Detected call of `lr_scheduler.step()` before `optimizer.step()`
loading weights:  10%|#         | 1/10\rloading weights: 100%|##########| 10/10
{second}"""
GOES_ON = """\
Epoch: 2 cost time: 1004.500
Epoch: 2 | Train Loss: 0.4305000 Vali Loss: 0.3705000 Test Loss: 0.3805000 MAE Loss: 0.4355000
Validation loss decreased (0.391200 --> 0.370500).  Saving model ...
{third}Epoch: 3 cost time: 1004.500
Epoch: 3 | Train Loss: 0.4411000 Vali Loss: 0.3811000 Test Loss: 0.3911000 MAE Loss: 0.4461000
EarlyStopping counter: 1 out of 10
"""
ERROR = """\
Traceback (most recent call last):
  File "run_main.py", line 214, in <module>
    outputs = model(batch_x, batch_x_mark, dec_inp, batch_y_mark)
torch.cuda.OutOfMemoryError: CUDA out of memory. Tried to allocate 512.00 MiB
"""


def steps(epoch: int, first: int, last: int) -> str:
    """What the journals' engine has printed meanwhile."""
    before = (epoch - 1) * STEPS
    return "".join(
        f"\titers: {n}, epoch: {epoch} | loss: {loss_at(before + n):.7f}\n"
        f"\tspeed: 0.5000s/iter; left time: {(EPOCHS * STEPS - before - n) * STEP_S:.4f}s\n"
        for n in range(first, last + 1, 100)
    )


def written(path: Path, state: str = "training") -> Path:
    text = PUBLISHED.format(first=steps(1, 100, STEPS), second=steps(2, 100, 1200))
    if state == "finished":
        text += steps(2, 1300, STEPS) + GOES_ON.format(third=steps(3, 100, STEPS))
    if state == "failed":
        text += ERROR
    path.write_text(text, encoding="utf-8", newline="")
    return path


def app_of(
    log: Path | None,
    state: str = "training",
    *,
    supervised: bool | None = None,
    journal: Journal | None = None,
    **kind: object,
) -> Dashboard:
    journal = journal or STATES[state]()
    supervised = state not in ENDED if supervised is None else supervised
    source = FakeRun(journal, supervised=supervised)
    return dashboard(journal, source, services=Services(log=log), **kind)  # type: ignore[arg-type]


def text(app: Dashboard) -> str:
    return "\n".join(rows_of(app))


def panel(app: Dashboard) -> LogPanel:
    return app.screen.query_one(LogPanel)


def log_lines(app: Dashboard) -> list[str]:
    """The rows of the log alone."""
    return [text_of(line).rstrip() for line in panel(app)._drawn]


def title(app: Dashboard) -> str:
    return str(panel(app).border_title)


async def opened(pilot: Pilot[None], app: Dashboard) -> None:
    app.go_to("log")
    await until(pilot, lambda: isinstance(app.screen, LogScreen) and bool(panel(app)._drawn))
    await until(pilot, lambda: "reading" not in title(app) and "reading" not in log_lines(app)[0])


async def answered(pilot: Pilot[None], app: Dashboard, key: str, answer: str) -> None:
    """Press a key that asks something, and answer it."""
    await pilot.press(key)
    app.screen.query_one(Input).value = answer
    await pilot.press("enter")


async def screen(
    log: Path | None, state: str, size: tuple[int, int], keys: str = "", **kind: object
) -> list[str]:
    app = app_of(log, state, **kind)
    async with running(app, size) as pilot:
        await opened(pilot, app)
        if keys:
            await pilot.press(*keys.split())
            await pilot.pause(0.1)
        return rows_of(app)


@pytest.mark.parametrize("state", ["training", "failed", "telemetry_unknown"])
async def test_a_log_looks_as_it_was_found_good_at_every_size(tmp_path: Path, state: str) -> None:
    app = app_of(written(tmp_path / "engine.log", state), state)
    async with running(app) as pilot:
        await opened(pilot, app)
        for width, height in SIZES:
            await resized(pilot, width, height)
            check_snapshot(f"log-{state}-{width}x{height}", rows_of(app))


async def test_a_log_that_is_not_there_says_why() -> None:
    gone = Path("/nowhere/engine.log")
    rows = await screen(gone, "starting", (80, 24))
    check_snapshot("log-starting-80x24", rows)
    weights = await screen(gone, "imported", (80, 24), journal=imported_weights())
    check_snapshot("log-imported-80x24", weights)
    check_snapshot("log-gone-80x24", await screen(gone, "training", (80, 24)))
    assert "This view has no log." in "\n".join(await screen(None, "training", (80, 24)))


@pytest.mark.parametrize("state", ["starting", "finished"])
async def test_a_log_without_a_line_says_so(tmp_path: Path, state: str) -> None:
    (tmp_path / "engine.log").touch()
    rows = await screen(tmp_path / "engine.log", state, (80, 24))
    assert "The engine has printed nothing" in "\n".join(rows)


async def test_a_log_that_cannot_be_read_says_so_and_does_not_crash(tmp_path: Path) -> None:
    rows = await screen(tmp_path, "training", (80, 24))
    assert "cannot be read" in "\n".join(rows)


async def test_without_a_supervisor_the_log_can_be_read(tmp_path: Path) -> None:
    rows = await screen(
        written(tmp_path / "engine.log"), "training", (80, 24), supervised=False, keys="home"
    )
    check_snapshot("log-unsupervised-80x24", rows)


async def test_chinese_lines_up(tmp_path: Path) -> None:
    path = written(tmp_path / "engine.log")
    with path.open("a", encoding="utf-8") as file:
        file.write("损失在下降，" * 12 + "这一行很长\n")
    rows = await screen(path, "training", (80, 24), "w v up up", lang="zh")
    check_snapshot("log-training-80x24-zh", rows)
    assert {cell_len(row) for row in rows} == {80}


async def test_in_ascii_there_is_nothing_but_ascii(tmp_path: Path) -> None:
    path = written(tmp_path / "engine.log")
    with path.open("a", encoding="utf-8") as file:
        file.write("损失 – 0.5 " * 20 + "\n")
    rows = await screen(path, "training", (80, 24), "v up", ascii_only=True)
    check_snapshot("log-training-80x24-ascii", rows)
    assert "".join(rows).isascii()


# --- keys ----------------------------------------------------------------------------------------


@pytest.fixture
def numbered(tmp_path: Path) -> Path:
    """A thousand lines: `line 1` to `line 1,000`, every hundredth with a word of its own."""
    path = tmp_path / "engine.log"
    path.write_text(
        "".join(f"line {n}{' Hundred' if n % 100 == 0 else ''}\n" for n in range(1, 1001))
    )
    return path


def at(app: Dashboard, line: int, of: int = 1000) -> bool:
    return f"line {line:,} of {of:,}" in title(app)


async def test_it_follows_until_somebody_scrolls_up(numbered: Path) -> None:
    app = app_of(numbered)
    async with running(app) as pilot:
        await opened(pilot, app)
        assert at(app, 1000)
        assert "following" in title(app)
        with numbered.open("a") as file:
            file.write("line 1001\n")
        await until(pilot, lambda: at(app, 1001, 1001))
        assert log_lines(app)[-1] == "> line 1001"
        await pilot.press("up", "pageup")
        before = log_lines(app)
        with numbered.open("a") as file:
            file.write("line 1002\nline 1003")
        await until(pilot, lambda: "of 1,003" in title(app))
        assert log_lines(app) == before
        assert "f follows the end" in title(app)
        await pilot.press("f")
        await until(pilot, lambda: log_lines(app)[-1] == "> line 1003")
        with numbered.open("a") as file:
            file.write(" and more of it\n")
        await until(pilot, lambda: log_lines(app)[-1] == "> line 1003 and more of it")


async def test_arrows_pages_home_and_end_move(numbered: Path) -> None:
    app = app_of(numbered)
    async with running(app) as pilot:
        await opened(pilot, app)
        for key, line in (("home", 1), ("down", 2), ("j", 3), ("k", 2), ("up", 1), ("up", 1)):
            await pilot.press(key)
            await until(pilot, lambda line=line: at(app, line))  # type: ignore[misc]
        await pilot.press("pagedown")
        await until(pilot, lambda: not at(app, 1))
        assert "> line 19" in log_lines(app)[0]
        await pilot.press("pageup")
        await until(pilot, lambda: "line 1" in log_lines(app)[0])
        await pilot.press("end")
        await until(pilot, lambda: at(app, 1000))


async def test_the_wheel_and_a_click_move(numbered: Path) -> None:
    app = app_of(numbered)
    async with running(app) as pilot:
        await opened(pilot, app)
        assert "line 982" in log_lines(app)[0]
        log = app.screen.query_one("#log")
        await pilot._post_mouse_events([_scroll_up()], log)
        await until(pilot, lambda: "line 979" in log_lines(app)[0])
        await pilot.press("slash")
        await pilot.click("#log", offset=(5, 3))
        await until(pilot, lambda: at(app, 981))
        await pilot.press("escape")
        await until(pilot, lambda: not app.screen.query_one("#log-prompt").display)


async def test_the_log_is_told_in_the_language_that_is_switched_to(numbered: Path) -> None:
    app = app_of(numbered)
    async with running(app) as pilot:
        await opened(pilot, app)
        await pilot.press("l")
        await until(pilot, lambda: title(app).startswith("日志 · 第 1,000 行，共 1,000 行"))
        await answered(pilot, app, "slash", "没有这样的行")
        await until(pilot, lambda: "没有含“没有这样的行”的行" in title(app))


def _scroll_up() -> type:
    from textual.events import MouseScrollUp

    return MouseScrollUp


async def test_a_search_goes_to_the_next_match_and_on_with_n(numbered: Path) -> None:
    app = app_of(numbered)
    async with running(app) as pilot:
        await opened(pilot, app)
        await pilot.press("home")
        await answered(pilot, app, "slash", "hundred")
        await until(pilot, lambda: at(app, 100))
        await pilot.press("n")
        await until(pilot, lambda: at(app, 200))
        await pilot.press("N", "N")
        await until(pilot, lambda: at(app, 1000))
        assert "went on from the other end" in title(app)
        await answered(pilot, app, "slash", "re:7[0-9]7$")
        await until(pilot, lambda: at(app, 707))
        await answered(pilot, app, "slash", "nothing of this")
        await until(pilot, lambda: "no line has “nothing of this”" in title(app))
        assert at(app, 707)


async def test_while_something_is_typed_keys_are_letters(numbered: Path) -> None:
    app = app_of(numbered)
    async with running(app) as pilot:
        await opened(pilot, app)
        await pilot.press("slash", *"qpSn1&")
        assert app.screen.query_one(Input).value == "qpSn1&"
        await pilot.press("escape")
        await until(pilot, lambda: not app.screen.query_one("#log-prompt").display)
        assert app.is_running
        await pilot.press("home")
        await until(pilot, lambda: at(app, 1))
    source = app._source
    assert isinstance(source, FakeRun)
    assert source.requests == []


async def test_however_fast_one_types_no_letter_reaches_the_run(numbered: Path) -> None:
    app = app_of(numbered)
    async with running(app) as pilot:
        await opened(pilot, app)
        keys = {"/": "slash", "&": "ampersand"}
        for letter in "/sSp1/&q":
            app.post_message(Key(keys.get(letter, letter), letter))
        await until(pilot, lambda: app.screen.query_one(Input).value == "sSp1/&q")
        assert app.screen is app.run_screen
        assert app.run_screen.screen_id == "log"
        await pilot.press("escape")
    source = app._source
    assert isinstance(source, FakeRun)
    assert source.requests == []


async def test_a_bad_pattern_is_one_message_and_can_be_mended(numbered: Path) -> None:
    app = app_of(numbered)
    async with running(app) as pilot:
        await opened(pilot, app)
        await answered(pilot, app, "slash", "re:(7")
        await until(pilot, lambda: "is no regular expression: missing )" in text(app))
        check_snapshot("log-bad-pattern-80x24", rows_of(app))
        assert app.screen.query_one(Input).value == "re:(7"
        await pilot.press(")", "7", "enter")
        await until(pilot, lambda: at(app, 77))


async def test_a_filter_shows_only_what_matches_and_goes_on(numbered: Path) -> None:
    app = app_of(numbered)
    async with running(app) as pilot:
        await opened(pilot, app)
        await answered(pilot, app, "ampersand", "hundred")
        await until(pilot, lambda: "10 with “hundred”" in title(app))
        assert [row.removeprefix("> ").strip() for row in log_lines(app)[:10]] == [
            f"line {n} Hundred" for n in range(100, 1001, 100)
        ]
        assert at(app, 1000)
        with numbered.open("a") as file:
            file.write("line 1001\nline 1100 Hundred\n")
        await until(pilot, lambda: at(app, 1002, 1002))
        await pilot.press("up", "up")
        await answered(pilot, app, "slash", "re:Hun")
        await until(pilot, lambda: at(app, 1000, 1002))
        await pilot.press("escape")
        await until(pilot, lambda: "with “hundred”" not in title(app))
        assert at(app, 1000, 1002)
        assert "> line 1000 Hundred" in log_lines(app)
        await answered(pilot, app, "ampersand", "no such line")
        await until(pilot, lambda: "No line has “no such line”" in log_lines(app)[0])
        await answered(pilot, app, "ampersand", "")
        await until(pilot, lambda: "> line 1000 Hundred" in log_lines(app))


async def test_marked_lines_are_copied_to_the_terminal(numbered: Path) -> None:
    app = app_of(numbered)
    async with running(app, (120, 40)) as pilot:
        await opened(pilot, app)
        await pilot.press("home", "down", "c")
        await until(pilot, lambda: "1 line sent to the terminal's clipboard" in text(app))
        assert app.clipboard == "line 2"
        await pilot.press("v", "down", "down")
        await until(pilot, lambda: "3 lines marked" in title(app))
        await pilot.press("c")
        await until(pilot, lambda: "3 lines sent" in text(app))
        assert app.clipboard == "line 2\nline 3\nline 4"
        assert "marked" not in title(app)


async def test_more_than_a_terminal_takes_is_copied_in_part(tmp_path: Path) -> None:
    path = tmp_path / "engine.log"
    path.write_text(("x" * 999 + "\n") * 200)
    app = app_of(path)
    async with running(app, (120, 40)) as pilot:
        await opened(pilot, app)
        await pilot.press("v", "home", "c")
        await until(pilot, lambda: "the first 50 of 200 lines sent" in text(app))
        assert app.clipboard == "\n".join(["x" * 999] * 50)


async def test_long_lines_are_wrapped_or_moved_sideways(tmp_path: Path) -> None:
    path = tmp_path / "engine.log"
    path.write_text("short\n" + "".join(f"{n:<9}|" for n in range(20)) + "\n")
    app = app_of(path)
    async with running(app) as pilot:
        await opened(pilot, app)
        assert log_lines(app)[1] == "> " + "".join(f"{n:<9}|" for n in range(8))[:71] + "…"
        await pilot.press("right")
        await until(pilot, lambda: "from column 9" in title(app))
        assert log_lines(app)[1].startswith(">  |1        |")
        await pilot.press("w")
        await until(pilot, lambda: "19       |" in log_lines(app)[3])
        assert log_lines(app)[2].startswith("  ")
        await pilot.press("w")
        await until(pilot, lambda: log_lines(app)[1].endswith("…"))


@pytest.mark.parametrize("wrap", [False, True])
async def test_a_log_that_is_cut_off_is_begun_anew(numbered: Path, wrap: bool) -> None:
    app = app_of(numbered)
    async with running(app) as pilot:
        await opened(pilot, app)
        await pilot.press(*(["w"] if wrap else []), "up", "v", "pageup")
        os.truncate(numbered, 0)
        await until(pilot, lambda: "printed nothing yet" in log_lines(app)[0])
        with numbered.open("a") as file:
            file.write("fresh\n")
        await until(pilot, lambda: log_lines(app)[0] == "> fresh")
        assert "marked" not in title(app)
        numbered.unlink()
        await until(pilot, lambda: "was moved away" in " ".join(log_lines(app)))


async def test_a_filtered_log_that_is_replaced_is_filtered_anew(numbered: Path) -> None:
    app = app_of(numbered)
    async with running(app) as pilot:
        await opened(pilot, app)
        await answered(pilot, app, "ampersand", "hundred")
        await until(pilot, lambda: "10 with “hundred”" in title(app))
        other = numbered.with_suffix(".new")
        other.write_text("one\ntwo Hundred\nthree Hundred\n")
        other.replace(numbered)
        await until(pilot, lambda: log_lines(app) == ["  two Hundred", "> three Hundred"])
        assert at(app, 3, 3)


async def test_a_large_log_is_read_in_pieces_and_drawn_in_rows(tmp_path: Path) -> None:
    path = tmp_path / "engine.log"
    lines = 300_000
    with path.open("w") as file:
        file.writelines(f"\titers: {n}, epoch: 1 | loss: 0.5\n" for n in range(1, lines + 1))
    app = app_of(path)
    async with running(app) as pilot:
        await opened(pilot, app)
        await until(pilot, lambda: at(app, lines, lines))
        await answered(pilot, app, "slash", "iters: 123456,")
        await until(pilot, lambda: at(app, 123_456, lines))
        await answered(pilot, app, "ampersand", "re:iters: 1?99999,")
        await until(pilot, lambda: "2 with" in title(app))
        log = app.screen.query_one("#log")
        assert len(log._log._texts) < 600  # type: ignore[attr-defined]
