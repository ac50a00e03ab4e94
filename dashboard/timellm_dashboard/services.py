"""What the dashboard may ask of its surroundings besides the run itself. Each can be absent."""

from pathlib import Path

from msgspec import Struct


class Services(Struct, frozen=True, kw_only=True):
    """Passed in by whoever starts the dashboard, so that it need not know where runs live."""

    log: Path | None = None
    """The raw output of the engine, which grows."""
