"""Why a card runs slower than it could: the bits of NVML's clocks event reasons, by name."""

THROTTLE_REASONS: dict[int, str] = {
    0x002: "applications_clocks_setting",
    0x004: "sw_power_cap",
    0x008: "hw_slowdown",
    0x010: "sync_boost",
    0x020: "sw_thermal_slowdown",
    0x040: "hw_thermal_slowdown",
    0x080: "hw_power_brake_slowdown",
    0x100: "display_clock_setting",
    0x200: "board_limit",
    0x400: "reliability",
}
"""Bit to name, as `nvidia-smi` spells them. Idle (bit 0) is left out: it holds nothing back."""

_IDLE = 0x001


def throttle_reasons(mask: int) -> tuple[str, ...]:
    """The names in `mask`, lowest bit first. A bit without a name is told as its number."""
    names = [name for bit, name in THROTTLE_REASONS.items() if mask & bit]
    rest = mask & ~_IDLE & ~sum(THROTTLE_REASONS)
    return (*names, f"unknown_{rest:#x}") if rest else tuple(names)
