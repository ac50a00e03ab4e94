"""Whether this is Linux inside of Windows, where another system's driver drives the GPU."""

from pathlib import Path

OS_RELEASE = Path("/proc/sys/kernel/osrelease")


def is_wsl(os_release: Path = OS_RELEASE) -> bool:
    """Whether the kernel says that it is WSL's. False where it does not say."""
    try:
        return "microsoft" in os_release.read_text().lower()
    except OSError:
        return False
