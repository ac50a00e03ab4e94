"""A laptop's batteries and chargers, as Linux shows them below `/sys/class/power_supply`.

A machine has the batteries of others there too, such as a wireless mouse's, and may have two of
its own; and the charger's name differs from maker to maker (`AC`, `ADP1`, `ACAD`, `AC1` on WSL2).
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from msgspec import Struct

POWER_SUPPLIES = Path("/sys/class/power_supply")

_CHARGERS = ("Mains", "USB", "Wireless")


class Battery(Struct, frozen=True, kw_only=True):
    """What is left, and whether the machine lives on it. `None` where there is none or nobody
    knows."""

    pct: float | None = None
    on_battery: bool | None = None
    """False while a charger is plugged in, even one that gives too little."""


class BatterySource(Protocol):
    """Whoever knows of the machine's battery."""

    def read(self) -> Battery:
        """How it stands. Raises nothing."""
        ...


class PowerSupplies:
    """The kernel's power supplies."""

    def __init__(self, folder: Path = POWER_SUPPLIES) -> None:
        self._folder = folder

    def read(self) -> Battery:
        """All of the machine's own batteries as one."""
        try:
            supplies = sorted(self._folder.iterdir())
        except OSError:
            return Battery()
        own = [s for s in supplies if _text(s / "scope") != "Device"]
        batteries = [s for s in own if _text(s / "type") == "Battery" and _is_there(s)]
        if not batteries:
            return Battery()
        chargers = [s for s in own if _text(s / "type") in _CHARGERS]
        return Battery(pct=_percent(batteries), on_battery=_on_battery(batteries, chargers))


def _is_there(battery: Path) -> bool:
    return _text(battery / "present") != "0"


def _percent(batteries: Sequence[Path]) -> float | None:
    """By energy, or by charge, over all batteries; else the mean of what each says of itself."""
    for kind in ("energy", "charge"):
        now = [_number(battery / f"{kind}_now") for battery in batteries]
        full = [_number(battery / f"{kind}_full") for battery in batteries]
        left = [value for value in now if value is not None]
        room = [value for value in full if value]
        if len(left) == len(room) == len(batteries):
            return min(100.0, 100.0 * sum(left) / sum(room))
    shares = [_number(battery / "capacity") for battery in batteries]
    known = [share for share in shares if share is not None and 0 <= share <= 100]
    return sum(known) / len(known) if known else None


def _on_battery(batteries: Sequence[Path], chargers: Sequence[Path]) -> bool | None:
    online = [_number(charger / "online") for charger in chargers]
    states = {_text(battery / "status") for battery in batteries}
    if any(online) or "Charging" in states:
        return False
    if "Discharging" in states or 0 in online:
        return True
    return False if states & {"Full", "Not charging"} else None


def _number(path: Path) -> int | None:
    try:
        return max(0, int(_text(path)))
    except ValueError:
        return None


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return ""
