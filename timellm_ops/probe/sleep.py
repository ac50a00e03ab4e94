"""Whether a laptop's GPU is powered down, told without touching it.

Opening NVML or asking it for a handle resumes a GPU that the kernel has suspended to save the
battery. The kernel's own note of it, `power/runtime_status`, can be read without that.
"""

from pathlib import Path

PCI_DEVICES = Path("/sys/bus/pci/devices")

_NVIDIA = "0x10de"
_DISPLAY_CLASS = "0x03"


def is_asleep(index: int, pci_devices: Path = PCI_DEVICES) -> bool:
    """Whether NVIDIA GPU `index` is suspended, or on its way there.

    NVML counts GPUs in the order of their PCI addresses. False where the kernel does not say,
    as on WSL2, where GPUs are not PCI devices.
    """
    gpus = sorted(
        device
        for device in (pci_devices.iterdir() if pci_devices.is_dir() else ())
        if _read(device / "vendor") == _NVIDIA
        and _read(device / "class").startswith(_DISPLAY_CLASS)
    )
    if index >= len(gpus):
        return False
    return _read(gpus[index] / "power" / "runtime_status") in ("suspended", "suspending")


def _read(path: Path) -> str:
    try:
        return path.read_text().strip()
    except OSError:
        return ""
