"""`policy simulate` as a user has it: the table, the JSON, and what is said of bad input."""

import msgspec
import pytest
from conftest import TINY, Shell

from timellm_ops.cli.simulating import SCHEMA, Simulation
from timellm_ops.contract import events as ev
from timellm_ops.contract.config import SimulatedGpuSection
from timellm_ops.contract.telemetry import GpuSample
from timellm_ops.probe.simulated import settled, step

WARM = ("--set", "gpu.simulated.resistance_c_per_w=0.6")


def simulated(shell: Shell, *arguments: str) -> Simulation:
    done = shell("policy", "simulate", *arguments, "--json")
    assert done.code == 0, done.err
    return msgspec.json.decode(done.out, type=Simulation)


def test_four_ways_through_a_night_stand_side_by_side(shell: Shell) -> None:
    found = simulated(shell, "--hours", "0.6", "--ambient", "24..32", *WARM)
    assert found.schema == SCHEMA
    assert found.night.room_c == (24.0, 32.0, 24.0)
    steps = {row.strategy: row.steps for row in found.rehearsals}
    assert list(steps) == ["none", "pause", "duty", "power"]
    assert steps["pause"] < steps["duty"] < steps["power"]
    assert found.card.whole_degrees, "as NVIDIA's driver tells temperatures"


def test_the_page_tells_the_same_in_both_languages(shell: Shell) -> None:
    arguments = ("policy", "simulate", "--hours", "0.1", *WARM)
    english = shell(*arguments, "--lang", "en")
    chinese = shell(*arguments, "--lang", "zh")
    assert english.code == chinese.code == 0, english.err
    assert "governor, power" in english.out
    assert "held at 82 °C, paused above 85 °C" in english.out
    assert "调速（功率）" in chinese.out
    numbers = [line.split()[-9:] for line in english.out.splitlines()[6:9]]
    assert numbers == [line.split()[-9:] for line in chinese.out.splitlines()[6:9]]


def test_without_a_word_on_the_card_the_night_is_one_in_which_the_rules_matter(
    shell: Shell,
) -> None:
    found = simulated(shell, "--hours", "0.6")
    assert found.assumed
    assert (found.card.load_power_w, found.card.resistance_c_per_w) == (115.0, 0.6)
    assert found.night.room_c == (24.0, 32.0, 24.0)
    by_name = {row.strategy: row for row in found.rehearsals}
    steps = [by_name[name].steps for name in ("pause", "duty", "power", "none")]
    assert steps == sorted(set(steps))
    assert by_name["pause"].pauses > 0 == by_name["duty"].pauses
    assert by_name["none"].above_pause_s > by_name["pause"].above_pause_s > 0


def test_what_a_config_or_an_option_says_of_the_card_is_not_assumed(shell: Shell) -> None:
    shell.write("c.toml", TINY + "\n[gpu.simulated]\nresistance_c_per_w = 0.5\n")
    found = simulated(shell, "c.toml", "--hours", "0.1", "--set", "gpu.simulated.ambient_c=20")
    assert (found.assumed, found.night.room_c) == (False, (20.0,))
    assert found.card.resistance_c_per_w == 0.5
    found = simulated(shell, "--hours", "0.1", "--set", "gpu.simulated.speed_exponent=0.4")
    assert (found.assumed, found.card.speed_exponent) == (True, 0.4)
    assert found.card.resistance_c_per_w == 0.6


def test_options_reach_the_card_and_the_rules(shell: Shell) -> None:
    config = shell.folder / "c.toml"
    config.write_text(TINY + "\n[policy.governor]\nset_point_c = 80.0\n")
    found = simulated(
        shell, str(config), "--hours", "0.1", "--noise", "0.5", "--late", "3",
        "--step", "2", "--model-error", "2",
    )  # fmt: skip
    assert (found.card.noise_c, found.card.late_s, found.night.step_s) == (0.5, 3.0, 2.0)
    assert found.policy.governor.set_point_c == 80.0
    assert found.policy.governor.time_constant_s == 180.0


def test_a_quick_chip_can_be_rehearsed_of_the_same_warmth_at_full_load(shell: Shell) -> None:
    arguments = ("--hours", "0.6", "--ambient", "32", "--step", "3", *WARM)
    plain, quick = simulated(shell, *arguments), simulated(shell, *arguments, "--chip", "10")
    assert plain.card.chip_c_per_w == 0.0
    assert quick.card.chip_c_per_w * quick.card.load_power_w == pytest.approx(10.0)
    whole = quick.card.chip_c_per_w + quick.card.resistance_c_per_w
    assert whole == pytest.approx(plain.card.resistance_c_per_w)
    pauses = {row.strategy: row.pauses for row in quick.rehearsals}
    assert pauses["pause"] > 0 == pauses["duty"] == pauses["power"]
    page = shell("policy", "simulate", "--hours", "0.1", "--chip", "10", "--lang", "en")
    assert "10.0 °C more at full load are the chip's own, time constant 1 s" in page.out


def test_a_recorded_night_lends_its_card_and_room(shell: Shell) -> None:
    card = SimulatedGpuSection(
        ambient_c=27.0, resistance_c_per_w=0.7, throttle_c=149.0, shutdown_c=150.0
    )
    journal, state, lines = shell.folder / "journal.jsonl", settled(card), []
    for t in range(2000):
        state = step(state, 1.0, 1.0 if t % 500 < 400 else 0.0, card)
        sample = GpuSample(
            source="nvml", temperature_c=round(state.temperature_c), power_w=state.power_w
        )
        record = ev.JournalRecord(seq=t + 1, event=ev.Telemetry(t=float(t), sample=sample))
        lines.append(ev.encode_record(record))
    journal.write_bytes(b"".join(lines))
    found = simulated(shell, "--journal", str(journal), "--hours", "0.1")
    assert found.recorded is not None
    assert found.card.resistance_c_per_w == found.recorded.resistance_c_per_w
    assert abs(found.card.resistance_c_per_w - 0.7) < 0.05
    assert found.night.room_c == found.recorded.room_c


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--ambient", "warm"), '--ambient: found "warm"; expected degrees, as in 28 or 24..32'),
        (("--ambient", "24..900"), "--ambient: found 900; expected -20 to 80"),
        (("--hours", "0"), "--hours: found 0; expected 0.1 to 72"),
        (("--chip", "100"), "--chip: found 100; expected 0 to 62.1"),
        (("--step", "nan"), "--step: found nan; expected 0.001 to 600"),
        (("--journal", "nowhere"), "nowhere: found no such file; expected a journal.jsonl"),
        (("--run", "latest", "--journal", "x"), "only one of --run and --journal"),
        (("--set", "policy.governor.set_point_c=84"), "found 84; expected at most 83"),
    ],
)
def test_bad_input_is_one_line(shell: Shell, arguments: tuple[str, ...], words: str) -> None:
    done = shell("policy", "simulate", *arguments)
    assert done.code == 2
    assert words in done.err
    assert len(done.err.splitlines()) == 1


def test_a_recording_that_tells_too_little_is_named(shell: Shell) -> None:
    journal = shell.folder / "journal.jsonl"
    journal.write_text("")
    done = shell("policy", "simulate", "--journal", str(journal))
    assert done.code == 2
    assert "found 0 minutes with temperature and power" in done.err
