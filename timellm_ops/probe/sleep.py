"""Whether a laptop's GPU is powered down, told without touching it.

Opening NVML or asking it for a handle resumes a GPU that the kernel has suspended to save the
battery. The kernel's own note of it, `power/runtime_status`, can be read without that.
"""

from collections.abc import Sequence
from pathlib import Path

PCI_DEVICES = Path("/sys/bus/pci/devices")

_NVIDIA = "0x10de"
_DISPLAY_CLASS = "0x03"


def power_notes(pci_devices: Path = PCI_DEVICES) -> tuple[Path, ...]:
    """The kernel's notes of NVIDIA's GPUs, in the order of their PCI addresses, which is NVML's.

    Empty where the kernel has none, as on WSL2, where GPUs are not PCI devices.
    """
    devices = sorted(pci_devices.iterdir()) if pci_devices.is_dir() else []
    return tuple(
        device / "power" / "runtime_status"
        for device in devices
        if _read(device / "vendor") == _NVIDIA
        and _read(device / "class").startswith(_DISPLAY_CLASS)
    )


def is_asleep(notes: Sequence[Path], index: int | None) -> bool:
    """Whether GPU `index` is suspended, or on its way there. False where nobody knows.

    `None`: a GPU of which only the UUID is known, and which of the notes is its own cannot be told
    without waking it. It counts as asleep when all of them are.
    """
    meant = notes if index is None else notes[index : index + 1]
    return bool(meant) and all(_read(note) in ("suspended", "suspending") for note in meant)


def _read(path: Path) -> str:
    try:
        return path.read_text().strip()
    except OSError:
        return ""
