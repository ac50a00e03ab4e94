"""The run at a line of the log: what it was like then, and what happened around it."""

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from sample_journals import START, STATES, ZONE, Journal, Limits
from screen_text import rows_of, running, until
from test_log_times_screen import LINES, app_of, begin, opened, times_of
from test_timeline_screen import eventful

from timellm_dashboard.lines import text_of
from timellm_dashboard.moment import Moment
from timellm_dashboard.panels.logmoment import draw_moment
from timellm_dashboard.viewmodel.look import Look
from timellm_dashboard.viewmodel.view import Recorder


def told(
    journal: Journal,
    after_s: float | None,
    width: int = 62,
    height: int = 36,
    *,
    supervised: bool = True,
    **kind: Any,
) -> list[str]:
    recorder = Recorder()
    recorder.take(journal.records)
    look = Look(zone=ZONE, limits=lambda _: Limits(), **kind)
    moment = Moment(t=journal.t + 2.0, wall=journal.wall, supervised=supervised)
    view = recorder.view(moment, look)
    at: datetime | None = None if after_s is None else START + timedelta(seconds=after_s)
    drawn = draw_moment(view, recorder.seen, look, at, width, height)
    return [text_of(row) for row in drawn]


def test_it_reads_the_epoch_and_the_values_of_that_minute() -> None:
    begun = told(STATES["finished"](), 400.0)
    assert begun[0] == "21:51:43"
    assert "epoch 1" in begun
    later = told(STATES["finished"](), 1_500.0)
    assert "epoch 2" in later
    losses = [next(row for row in rows if row.startswith("loss")) for rows in (begun, later)]
    assert losses[0].split()[1] > losses[1].split()[1]
    assert any(row.startswith("temp") and "°C" in row for row in begun)


def test_after_the_last_epoch_of_a_run_that_has_ended_there_is_no_further_one() -> None:
    assert "epoch 3" in told(STATES["finished"](), 3_386.0, supervised=False)


def test_the_line_stands_between_what_happened_before_and_after_it() -> None:
    rows = told(eventful(), 900.0)
    marks = [row for row in rows[rows.index("before and after") + 1 :] if row[0] != " "]
    here = next(i for i, row in enumerate(marks) if row.startswith("> 22:00:03 this line"))
    times = [row.split()[1] for row in marks]
    assert times == sorted(times)
    assert times[here - 1] <= "22:00:03" < times[here + 1]


def test_what_happened_is_told_in_full_where_there_are_rows_for_it() -> None:
    text = "epoch 1: train 0.4512, vali 0.3912, test 0.4012, MAE 0.4562, 16 min 44 s"
    rows = told(STATES["failed"](), None)
    epoch = next(i for i, row in enumerate(rows) if "epoch 1: train" in row)
    assert f"{rows[epoch][11:]} {rows[epoch + 1][11:]}" == text
    assert not any(row.endswith("…") for row in rows)
    gone_on = sum(row.startswith(" ") for row in rows)
    low = told(STATES["failed"](), None, height=len(rows) - gone_on + 1)
    assert len(low) == len(rows) - gone_on + 1
    near = next(i for i, row in enumerate(low) if "FAILED" in row)
    assert "512.00 MiB" in low[near + 1]
    assert low[next(i for i, row in enumerate(low) if "epoch 1: train" in row)].endswith("…")


def test_at_the_present_it_says_so() -> None:
    rows = told(eventful(), None)
    assert rows[0].endswith(" now")
    assert rows[-1] == f"> {rows[0]}"
    assert "epoch 2 of 3" in rows


@given(
    st.sampled_from([*sorted(STATES), "eventful"]), st.one_of(st.none(), st.floats(-100, 5_000)),
    st.integers(40, 70), st.integers(1, 40),
    st.sampled_from([{}, {"lang": "zh"}, {"ascii_only": True}]),
)  # fmt: skip
def test_it_keeps_to_its_room(
    state: str, after_s: float | None, width: int, height: int, kind: dict[str, Any]
) -> None:
    journal = eventful() if state == "eventful" else STATES[state]()
    drawn = told(journal, after_s, width, height, **kind)
    assert len(drawn) <= height
    assert all(cell_len(row) <= width for row in drawn)
    assert "ascii_only" not in kind or "".join(drawn).isascii()


@pytest.mark.parametrize("known", [True, False])
async def test_reading_further_up_shows_that_moment_beside_the_log(
    tmp_path: Path, known: bool
) -> None:
    log = tmp_path / "engine.log"
    log.write_text("".join(f"line {n}\n" for n in range(1, LINES + 1)))
    app = app_of(log, (lambda: times_of(log, begin())) if known else None)
    async with running(app, (200, 50)) as pilot:
        await opened(pilot, app)
        assert "22:41:43 last" in "\n".join(rows_of(app))
        await pilot.press("home")
        here = "> 21:45:03 this line" if known else "Nobody has recorded when this line was"
        await until(pilot, lambda: here in "\n".join(rows_of(app)))
