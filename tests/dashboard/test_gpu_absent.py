"""Where there is no GPU, the card says so once, says what it means, and leaves nothing empty."""

from datetime import timedelta

import pytest
from rich.cells import cell_len
from sample_journals import (
    ZONE,
    FakeRun,
    Journal,
    Limits,
    in_second_epoch,
    started,
    train,
    training,
)
from screen_text import check_snapshot, dashboard, resized, rows_of, running

from timellm_dashboard.lines import text_of
from timellm_dashboard.panels.gpu import draw_gpu
from timellm_dashboard.plain import page
from timellm_dashboard.viewmodel.view import View, view_of
from timellm_dashboard.words.text import Lang
from timellm_ops.contract import events as ev
from timellm_ops.contract.telemetry import HostSample

REASON = "no NVIDIA GPU or driver here: NVML Shared Library Not Found; telemetry is off"
HOST = HostSample(cpu_pct=37.0, load_1min=2.1, memory_available_bytes=3_100_000_000)


def without_driver() -> Journal:
    """A machine without an NVIDIA driver, found out as the run began."""
    journal = training("nvml", device="cpu")
    journal.records = [r for r in journal.records if not isinstance(r.event, ev.Telemetry)]
    journal.add(ev.TelemetryLost(reason=REASON, permanent=True))
    return train(journal, 1, 20, 600, celsius=None).add(ev.HostTelemetry(sample=HOST))


def seen(journal: Journal, lang: Lang = "en", *, ascii_only: bool = False) -> View:
    return view_of(
        journal.records,
        now_t=journal.t + 1.0,
        wall_now=journal.wall + timedelta(seconds=1.0),
        supervised=True,
        lang=lang,
        ascii_only=ascii_only,
        zone=ZONE,
        limits=lambda _: Limits(),
    )


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_the_card_has_one_sentence_and_the_machine(lang: Lang) -> None:
    view = seen(without_driver(), lang)
    rows = [text_of(row).strip() for row in draw_gpu(view, 200, 20)]
    sentence, _, machine = rows
    assert sentence == view.gpu.message
    assert view.host.text in machine
    assert view.gpu.marks == ()
    assert "NVML" not in sentence


def test_it_is_said_once_and_what_the_driver_said_is_an_event() -> None:
    view = seen(without_driver())
    assert view.gpu.message.count("driver") == 1
    assert "no rule acts on heat" in view.gpu.message
    told = [line.text for line in view.feed if "NVML" in line.text]
    assert told == [f"GPU: {REASON}"]
    chinese = seen(without_driver(), "zh")
    assert any("这里没有 NVIDIA GPU 或驱动：NVML" in line.text for line in chinese.feed)


def test_a_page_tells_of_the_machine_once() -> None:
    view = seen(without_driver())
    assert page(view).count(view.host.text) == 1
    assert page(view).count("no rule acts on heat") == 1


def test_a_recording_that_is_over_keeps_its_peak() -> None:
    journal = started("recorded").add(
        ev.Telemetry(sample=in_second_epoch().records[-1].event.sample)
    )
    journal.add(ev.TelemetryLost(reason="the recording is over", permanent=True), 1.0)
    view = seen(journal)
    rows = [text_of(row) for row in draw_gpu(view, 60, 20)]
    assert rows == ["the recording is over: no rule acts on heat any more", "peak 71 °C"]


async def test_it_looks_as_it_was_found_good() -> None:
    journal = without_driver()
    app = dashboard(journal, FakeRun(journal))
    async with running(app) as pilot:
        for width, height in ((80, 24), (120, 40), (200, 50)):
            await resized(pilot, width, height)
            check_snapshot(f"without_driver-{width}x{height}", rows_of(app))


async def test_it_looks_good_in_chinese_and_in_ascii() -> None:
    journal = without_driver()
    async with running(dashboard(journal, FakeRun(journal), lang="zh")) as pilot:
        rows = rows_of(pilot.app)
        check_snapshot("without_driver-80x24-zh", rows)
        assert {cell_len(row) for row in rows} == {80}
    async with running(dashboard(journal, FakeRun(journal), ascii_only=True)) as pilot:
        rows = rows_of(pilot.app)
        check_snapshot("without_driver-80x24-ascii", rows)
        assert "".join(rows).isascii()
