"""The machine around the GPU, in one line."""

from msgspec import Struct

from timellm_dashboard.moment import Moment, is_watched
from timellm_dashboard.viewmodel.look import Look
from timellm_dashboard.words import format as fmt
from timellm_ops.contract.state import RunState
from timellm_ops.contract.telemetry import HostSample


class HostView(Struct, frozen=True, kw_only=True):
    """What is known of the machine now; nothing where nobody watches the run any more."""

    sample: HostSample | None
    text: str
    """`CPU 37 % · 3.10 GiB of memory and 120 GiB of disk free · battery 80 %`; what is not known is
    left out."""


def host_view(state: RunState, moment: Moment, look: Look) -> HostView:
    """The newest reading of the machine."""
    if state.host is None or not is_watched(state, moment):
        return HostView(sample=None, text="")
    return HostView(sample=state.host, text=" · ".join(_parts(state.host, look)))


def _parts(host: HostSample, look: Look) -> list[str]:
    words, parts = look.words, []
    if host.cpu_pct is not None:
        parts.append(words.host_cpu.format(share=fmt.percent(host.cpu_pct / 100.0)))
    if host.load_1min is not None:
        parts.append(words.host_load.format(load=fmt.number(host.load_1min)))
    if host.memory_available_bytes is not None:
        parts.append(words.host_memory.format(free=fmt.storage(host.memory_available_bytes)))
    if host.disk_free_bytes is not None:
        parts.append(words.host_disk.format(free=fmt.storage(host.disk_free_bytes)))
    if host.battery_pct is not None:
        parts.append(words.host_battery.format(share=fmt.percent(host.battery_pct / 100.0)))
    if host.on_battery is not None:
        parts.append(words.host_on_battery if host.on_battery else words.host_plugged_in)
    return parts
