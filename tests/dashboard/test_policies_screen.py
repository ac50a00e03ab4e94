"""The policies screen: what it shows in each state of a run, and changing a rule under it."""

import json
from datetime import timedelta
from itertools import takewhile
from pathlib import Path

import msgspec
import pytest
from rich.cells import cell_len
from sample_journals import BOOT_T, START, STATES, ZONE, FakeRun, Journal
from screen_text import SECONDS_LATER, check_snapshot, dashboard, resized, rows_of, running, until
from textual.pilot import Pilot
from textual.widgets import Input

from timellm_dashboard.app import Dashboard
from timellm_dashboard.jsonl import view_json
from timellm_dashboard.lines import clip, text_of
from timellm_dashboard.panels.rules import blocks_seen
from timellm_dashboard.plain import page
from timellm_dashboard.screens.confirm import OverrideScreen
from timellm_dashboard.screens.policies import PoliciesScreen
from timellm_dashboard.viewmodel.rulerows import MAIN_KEYS, settings_of
from timellm_dashboard.viewmodel.view import View, view_of
from timellm_dashboard.widgets.rules import HoldsPanel, RulePanel, RulesPanel
from timellm_dashboard.words.ascii import to_ascii
from timellm_ops.cli.rules_shown import rules_of, rules_under
from timellm_ops.configfile import default_config, with_policy_settings, write_config
from timellm_ops.contract import events as ev
from timellm_ops.contract.commands import Reply, SetPolicy
from timellm_ops.contract.config import GpuSection, PolicySection
from timellm_ops.contract.layout import RunLayout
from timellm_policies.rules import RULES

SIZES = ((80, 24), (120, 40), (200, 50))
ENDED = ("finished", "failed", "stopped", "imported")
UNDER = rules_under(PolicySection(), GpuSection(), "UTC")


def overridden() -> Journal:
    journal = STATES["paused_thermal"]()
    until = journal.wall + timedelta(seconds=1800)
    journal.add(ev.RulesOverridden(who="cli", rules=("thermal",), for_s=1800.0, until=until))
    journal.add(ev.PolicyChanged(who="cli", settings=("policy.thermal.resume_below_c=78",)))
    return journal.add(ev.Resumed(), 0.5)


def app_of(
    state: str = "training",
    *,
    journal: Journal | None = None,
    supervised: bool | None = None,
    reply: Reply | None = None,
    **kind: object,
) -> tuple[Dashboard, FakeRun]:
    journal = journal or STATES[state]()
    supervised = state not in ENDED if supervised is None else supervised
    source = FakeRun(journal, supervised=supervised, reply=reply)
    kind.setdefault("rules", UNDER)
    return dashboard(journal, source, **kind), source  # type: ignore[arg-type]


async def opened(pilot: Pilot[None], app: Dashboard) -> None:
    app.go_to("policies")
    await until(pilot, lambda: isinstance(app.screen, PoliciesScreen))
    await until(pilot, lambda: bool(app.screen.query_one(HoldsPanel)._drawn))


async def screen(state: str, size: tuple[int, int], **kind: object) -> list[str]:
    app, _ = app_of(state, **kind)  # type: ignore[arg-type]
    async with running(app, size) as pilot:
        await opened(pilot, app)
        await pilot.pause(0.05)
        return rows_of(app)


def view(journal: Journal, *, supervised: bool = True, **kind: object) -> View:
    return view_of(
        journal.records,
        now_t=journal.t + SECONDS_LATER,
        wall_now=journal.wall + timedelta(seconds=SECONDS_LATER),
        supervised=supervised,
        zone=ZONE,
        rules=UNDER,
        **kind,  # type: ignore[arg-type]
    )


@pytest.mark.parametrize("state", ["training", "paused_thermal", "telemetry_unknown", "finished"])
async def test_the_rules_look_as_they_were_found_good_at_every_size(state: str) -> None:
    app, _ = app_of(state)
    async with running(app) as pilot:
        await opened(pilot, app)
        for width, height in SIZES:
            await resized(pilot, width, height)
            check_snapshot(f"policies-{state}-{width}x{height}", rows_of(app))


@pytest.mark.parametrize("state", ["starting", "paused_by_user", "imported", "without_gpu"])
async def test_other_states_look_good_on_a_small_screen(state: str) -> None:
    check_snapshot(f"policies-{state}-80x24", await screen(state, (80, 24)))


async def test_what_was_overridden_and_changed_is_told() -> None:
    rows = await screen("", (80, 24), journal=overridden())
    check_snapshot("policies-overridden-80x24", rows)
    assert "thermal may not hold the run until" in "\n".join(rows)
    assert "policy.thermal.resume_below_c=78" in "\n".join(rows)


async def test_without_a_supervisor_the_rules_are_those_of_its_time() -> None:
    rows = await screen("paused_thermal", (80, 24), supervised=False)
    check_snapshot("policies-unsupervised-80x24", rows)


async def test_without_a_readable_config_the_screen_says_so() -> None:
    rows = await screen("training", (80, 24), rules=None)
    assert "cannot be told" in "\n".join(rows)


@pytest.mark.parametrize("kind", [{}, {"lang": "zh"}, {"ascii_only": True}], ids=str)
async def test_what_a_rule_does_next_is_never_cut_off(kind: dict[str, object]) -> None:
    app, _ = app_of("training", **kind)  # type: ignore[arg-type]
    async with running(app) as pilot:
        await opened(pilot, app)
        table = app.screen.query_one(RulesPanel)
        for number, rule in enumerate(app.view.rules.rows):
            await until(pilot, lambda: table.chosen == number)  # noqa: B023 - called here
            column = cell_len(text_of(table._drawn[0]).split("what it does")[0].split("接下来")[0])
            here = next(i for i, row in enumerate(table._drawn) if row[0].text.startswith(">"))
            texts = [text_of(row) for row in table._drawn[here:]]
            told = [texts[0], *takewhile(lambda text: text.startswith("   "), texts[1:])]
            told = [_cells_from(text, column).strip() for text in told]
            whole = to_ascii(rule.next) if kind.get("ascii_only") else rule.next
            assert "".join(told).replace(" ", "") == whole.replace(" ", "")
            await pilot.press("down")


def _cells_from(text: str, cells: int) -> str:
    return text[len(clip(text, cells, "")) :]


def test_the_table_shows_whole_rules_around_the_chosen_one() -> None:
    heights = [2, 2, 1, 3, 1]
    assert blocks_seen(heights, 0, 0, 9) == range(5)
    assert blocks_seen(heights, 0, 0, 5) == range(3)
    assert blocks_seen(heights, 3, 0, 4) == range(2, 4)
    assert blocks_seen(heights, 4, 2, 5) == range(2, 5)
    assert blocks_seen(heights, 1, 2, 5) == range(1, 3)
    assert blocks_seen(heights, 3, 0, 2) == range(3, 4)
    assert blocks_seen([], 0, 0, 5) == range(0)


async def test_a_click_on_any_row_of_a_rule_chooses_it() -> None:
    app, _ = app_of()
    async with running(app) as pilot:
        await opened(pilot, app)
        for row, rule in ((4, 1), (5, 2), (2, 0), (9, 3)):
            await pilot.click("#rules", offset=(60, row + 1))
            assert app.screen.query_one(RulesPanel).chosen == rule


async def test_chinese_lines_up() -> None:
    rows = await screen("paused_thermal", (80, 24), lang="zh")
    check_snapshot("policies-paused_thermal-80x24-zh", rows)
    assert {cell_len(row) for row in rows} == {80}


async def test_in_ascii_there_is_nothing_but_ascii() -> None:
    rows = await screen("paused_thermal", (80, 24), ascii_only=True)
    check_snapshot("policies-paused_thermal-80x24-ascii", rows)
    assert "".join(rows).isascii()


# --- changing a rule -----------------------------------------------------------------------------


def asked(app: Dashboard) -> str:
    return app.screen.query_one(Input).value


async def test_a_threshold_is_changed_under_the_run() -> None:
    app, source = app_of()
    async with running(app) as pilot:
        await opened(pilot, app)
        await pilot.press("e")
        await until(pilot, lambda: asked(app) == "policy.thermal.pause_above_c=85")
        await pilot.press("backspace", "3", "enter")
        await until(pilot, lambda: bool(source.requests))
        await until(pilot, lambda: not app.screen.query_one("#rule-prompt").display)
        assert "taken" in "\n".join(rows_of(app))
        changed = ev.PolicyChanged(who="dashboard", settings=("policy.thermal.pause_above_c=83",))
        source.waiting.append(ev.JournalRecord(seq=9_999, event=changed))
        table = app.screen.query_one(RulesPanel)
        await until(pilot, lambda: "83 °C" in text_of(table._drawn[1]))
        await pilot.press("enter")
        await until(pilot, lambda: asked(app) == "policy.thermal.pause_above_c=83")
        await pilot.press("escape", "down")
        assert table.chosen == 1
    wanted = SetPolicy(who="dashboard", settings=("policy.thermal.pause_above_c=83",))
    assert source.requests == [wanted]


async def test_a_rule_that_acts_takes_the_place_of_none_whose_key_is_being_changed() -> None:
    app, source = app_of()
    async with running(app) as pilot:
        await opened(pilot, app)
        await pilot.press("e")
        await until(pilot, lambda: asked(app) == "policy.thermal.pause_above_c=85")
        told = ev.PolicyDecision(action="pause", rule="battery", reason="on battery")
        source.waiting.append(ev.JournalRecord(seq=9_999, event=told))
        await until(pilot, lambda: bool(app.view.rules.holds))
        await pilot.pause(0.05)
        assert app.view.rules.rows[app.screen.query_one(RulesPanel).chosen].rule == "thermal"


async def test_what_the_supervisor_refuses_is_said_and_stays_to_be_mended() -> None:
    refusal = "policy.thermal.pause_above_c: found 200; expected at most 150"
    app, source = app_of(reply=Reply(ok=False, message=refusal))
    async with running(app) as pilot:
        await opened(pilot, app)
        await pilot.press("e")
        app.screen.query_one(Input).value = "policy.thermal.pause_above_c=200"
        await pilot.press("enter")
        await until(pilot, lambda: "found 200; expected" in "\n".join(rows_of(app)))
        check_snapshot("policies-refused-80x24", rows_of(app))
        assert asked(app) == "policy.thermal.pause_above_c=200"
        assert app.screen.query_one("#rule-prompt").display
    assert len(source.requests) == 1


async def test_up_and_down_go_through_the_rules_and_their_keys() -> None:
    app, source = app_of()
    async with running(app) as pilot:
        await opened(pilot, app)
        await pilot.press("down", "down", "up")
        await until(pilot, lambda: "telemetry" in str(app.screen.query_one(RulePanel).border_title))
        await pilot.press("e", "down")
        await until(pilot, lambda: asked(app) == "policy.thermal.unknown_action=pause")
        await pilot.press("up", "up")
        await until(pilot, lambda: asked(app) == "policy.thermal.enabled=true")
        await pilot.press("escape", "end", "down")
        assert app.screen.query_one(RulesPanel).chosen == len(RULES) - 1
        await pilot.press("e")
        await pilot.click("#rules", offset=(5, 2))
        await until(pilot, lambda: not app.screen.query_one("#rule-prompt").display)
        table = app.screen.query_one(RulesPanel)
        assert text_of(table._drawn[1]).startswith(f"> {app.view.rules.rows[table.chosen].name} ")
    assert source.requests == []


async def test_after_the_end_nothing_can_be_changed() -> None:
    app, source = app_of("finished")
    async with running(app) as pilot:
        await opened(pilot, app)
        await pilot.press("e")
        await until(pilot, lambda: "the run has ended" in "\n".join(rows_of(app)))
        assert not app.screen.query_one("#rule-prompt").display
    assert source.requests == []


async def test_o_asks_whether_to_go_on_against_the_rule() -> None:
    app, _ = app_of("paused_thermal")
    async with running(app) as pilot:
        await opened(pilot, app)
        await pilot.press("o")
        await until(pilot, lambda: isinstance(app.screen, OverrideScreen))


# --- the view ------------------------------------------------------------------------------------


def test_every_rule_has_its_keys_and_all_keys_are_a_rules() -> None:
    policy = PolicySection()
    assert set(MAIN_KEYS) == {rule.name for rule in RULES}
    told = settings_of(policy)
    keys = {text.partition("=")[0] for texts in told.values() for text in texts}
    sections = msgspec.to_builtins(policy)
    assert keys == {f"policy.{name}.{key}" for name, table in sections.items() for key in table}
    for rule, texts in told.items():
        assert texts[0].partition("=")[0].endswith(f".{MAIN_KEYS[rule]}")


def test_a_setting_as_it_is_told_can_be_given_back() -> None:
    policy = with_policy_settings(
        PolicySection(), GpuSection(), ("policy.power.limit_w=95.5", "policy.power.action=pause")
    )
    told = [text for texts in settings_of(policy).values() for text in texts]
    given = [text for text in told if not text.endswith("=")]
    assert with_policy_settings(PolicySection(), GpuSection(), given) == policy


def test_the_view_says_why_the_run_stands_still_and_until_when() -> None:
    (hold,) = view(STATES["paused_thermal"]()).rules.holds
    assert hold.reason == "86 °C > 85 °C in 3 of the last 5 readings"
    assert hold.until == "resumes below 75 °C"
    assert hold.since.startswith("for 22 s, since ")
    assert hold.expected.endswith("in 3 min")
    (late,) = view(STATES["paused_thermal"](), lang="zh").rules.holds
    assert late.until == "低于 75 °C 时恢复"
    assert STATES["paused_thermal"] is not None


def test_a_reading_of_another_boot_says_nothing() -> None:
    journal = STATES["training"]()
    last_night = journal.records[:]
    now_t = BOOT_T - 4_000.0
    seen = view_of(
        last_night, now_t=now_t, wall_now=START + timedelta(days=1), supervised=True, rules=UNDER
    )
    thermal = next(row for row in seen.rules.rows if row.rule == "thermal")
    assert (thermal.standing, thermal.value) == ("unknown", None)


@pytest.mark.parametrize("state", ["training", "paused_thermal", "without_gpu"])
def test_every_form_says_the_same_of_the_rules(state: str) -> None:
    document = view(STATES[state]())
    shown = page(document, 160)
    in_one_line = " ".join(page(document).split())
    assert "stops the run on a loss that is no number, tells you after 180 s" in in_one_line
    told = json.loads(view_json(document))["rules"]["rows"]
    assert [row["rule"] for row in told] == [rule.name for rule in RULES]
    for row in told:
        for text in (row["name"], row["word"], row["value_text"], row["threshold_text"]):
            assert text in shown


def test_the_rules_of_a_run_are_those_of_its_config(tmp_path: Path) -> None:
    layout = RunLayout(tmp_path)
    layout.config.write_bytes(write_config(default_config(("policy.thermal.pause_above_c=80",))))
    found = rules_of(layout)
    assert found is not None
    journal = STATES["training"]()
    seen = view_of(
        journal.records, now_t=journal.t, wall_now=journal.wall, supervised=True, rules=found
    )
    assert seen.rules.rows[0].threshold == 80.0
    layout.config.write_text("[policy.thermal]\npause_above_c = 'hot'\n")
    assert rules_of(layout) is None
