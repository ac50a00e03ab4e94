"""What is asked of a data set before a run, and what the engine answers when it has read it."""

from msgspec import Struct

from timellm_ops.contract.config import DataSection

INSPECTION = "timellm_engine.data.inspection"
"""The module of the engine that answers."""


class DataQuestion(Struct, frozen=True, kw_only=True):
    """Which series, with `data.path` resolved; `seed` draws the synthetic one."""

    section: DataSection
    seed: int


class SplitReport(Struct, frozen=True, kw_only=True):
    """One split: its own rows, without the look-back into the split before it."""

    name: str
    """`train`, `vali` or `test`."""
    rows: int
    first: str
    last: str
    """Timestamps of its first and last row, in ISO 8601."""
    windows: int
    """Of one column."""
    columns: int
    """Of how many columns windows are taken."""

    @property
    def samples(self) -> int:
        """Windows of all its columns."""
        return self.windows * self.columns


class DataReport(Struct, frozen=True, kw_only=True):
    """Everything that is known of a series. What could not be found out is empty."""

    source: str
    """The file, or what the series is."""
    rows: int = 0
    """As they are used, rows that were added or dropped on the way counted so."""
    columns: tuple[str, ...] = ()
    """Those that are forecast."""
    tested: tuple[str, ...] = ()
    """Those that validation and test are about."""
    first: str = ""
    last: str = ""
    """Timestamps of the first and the last row, in ISO 8601."""
    frequency: str = ""
    splits: tuple[SplitReport, ...] = ()
    digest: str = ""
    """SHA-256 over names, timestamps and values."""
    findings: tuple[str, ...] = ()
    """One sentence each: what is noteworthy and what was done about it."""
    problems: tuple[str, ...] = ()
    """One line each, with the key that would help; empty where the series can be trained on."""
