"""Batteries and chargers as kernels show them, each a folder of small files."""

from pathlib import Path

import pytest

from timellm_ops.probe.power_supply import Battery, PowerSupplies

Files = dict[str, dict[str, str | int]]

CHARGER_OUT: dict[str, str | int] = {"type": "Mains", "online": 0}
CHARGER_IN: dict[str, str | int] = {"type": "Mains", "online": 1}


def battery(status: str = "Discharging", **files: str | int) -> dict[str, str | int]:
    return {"type": "Battery", "status": status, **files}


def read(folder: Path, supplies: Files) -> Battery:
    for name, files in supplies.items():
        (folder / name).mkdir()
        for file, text in files.items():
            (folder / name / file).write_text(f"{text}\n")
    return PowerSupplies(folder).read()


MOUSE = battery(scope="Device", capacity=5)

CASES: dict[str, tuple[Files, Battery]] = {
    "a desktop": ({}, Battery()),
    "a desktop with a mains entry": ({"AC": CHARGER_IN}, Battery()),
    "a desktop with a wireless mouse": ({"hidpp_battery_0": MOUSE}, Battery()),
    "a laptop, unplugged": (
        {"ADP1": CHARGER_OUT, "BAT0": battery(energy_now=30, energy_full=40)},
        Battery(pct=75.0, on_battery=True),
    ),
    "a laptop that charges, with a mouse": (
        {"ACAD": CHARGER_IN, "BAT1": battery("Charging", capacity=64), "hid-1": MOUSE},
        Battery(pct=64.0, on_battery=False),
    ),
    "a laptop whose charge is held at a limit": (
        {"ADP0": CHARGER_IN, "BAT0": battery("Not charging", charge_now=8, charge_full=10)},
        Battery(pct=80.0, on_battery=False),
    ),
    "a laptop on a charger that gives too little": (
        {"AC": CHARGER_IN, "BAT0": battery("Discharging", capacity=30)},
        Battery(pct=30.0, on_battery=False),
    ),
    "a laptop that is charged through USB": (
        {
            "AC": CHARGER_OUT,
            "ucsi-source-psy-1": {"type": "USB", "online": 1},
            "BAT0": battery("Charging", capacity=50),
        },
        Battery(pct=50.0, on_battery=False),
    ),
    "a laptop with two batteries, one of them empty": (
        {
            "AC": CHARGER_OUT,
            "BAT0": battery("Unknown", energy_now=0, energy_full=20),
            "BAT1": battery("Discharging", energy_now=60, energy_full=80),
        },
        Battery(pct=60.0, on_battery=True),
    ),
    "two batteries that tell only their shares": (
        {"BAT0": battery(capacity=10), "BAT1": battery(capacity=50)},
        Battery(pct=30.0, on_battery=True),
    ),
    "a slot without its battery": (
        {
            "AC": CHARGER_OUT,
            "BAT0": battery(present=1, capacity=40),
            "BAT1": battery("Unknown", present=0, capacity=0),
        },
        Battery(pct=40.0, on_battery=True),
    ),
    "a battery that knows more than when it was new": (
        {"BAT0": battery("Full", energy_now=41, energy_full=40)},
        Battery(pct=100.0, on_battery=False),
    ),
    "a battery that knows nothing": ({"BAT0": battery("Unknown")}, Battery()),
    "nonsense": (
        {"BAT0": battery("Unknown", energy_now="x", energy_full=0, capacity=700)},
        Battery(),
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_what_is_left_and_whether_it_is_lived_on(tmp_path: Path, name: str) -> None:
    supplies, expected = CASES[name]
    assert read(tmp_path, supplies) == expected


def test_a_system_without_power_supplies(tmp_path: Path) -> None:
    assert PowerSupplies(tmp_path / "nowhere").read() == Battery()
