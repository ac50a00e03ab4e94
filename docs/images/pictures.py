"""The pictures of the README, made from the folder of a real run that has ended.

    python docs/images/pictures.py RUN_FOLDER [--only timeline paused]

Writes overview, timeline and, where the run was paused, that moment, in English and Chinese beside
itself; and `session.svg`, a picture of the whole run that moves by itself.
"""

import argparse
import tempfile
from collections.abc import Sequence
from datetime import UTC, timedelta
from pathlib import Path

import msgspec

from timellm_dashboard.actions import ScreenId
from timellm_dashboard.replay.moving_picture import moving_picture
from timellm_dashboard.replay.screenshot import Recording, export_screenshot
from timellm_dashboard.words.text import Lang
from timellm_ops.cli.rules_shown import rules_of
from timellm_ops.cli.run_services import services_of
from timellm_ops.cli.thermal import limits_of
from timellm_ops.contract.events import JournalRecord, Paused
from timellm_ops.contract.layout import RunLayout
from timellm_ops.journal import read_records

HERE = Path(__file__).parent
STILL, MOVING = (120, 40), (100, 32)
SCENES: tuple[tuple[ScreenId, float], ...] = (
    ("overview", 0.05), ("overview", 0.3), ("overview", 0.55), ("timeline", 0.55),
    ("policies", 0.55), ("overview", 0.85), ("log", 1.0), ("overview", 1.0), ("report", 1.0),
)  # fmt: skip
"""A screen, and at which share of the run's time it is seen."""
SECONDS_EACH = 2.5
NAMES = ("overview", "timeline", "paused", "session")
LANGUAGES: tuple[tuple[Lang, str], ...] = (("en", ""), ("zh", ".zh-CN"))


class Pictures:
    """Of one run."""

    def __init__(self, layout: RunLayout) -> None:
        self._layout = layout
        self._records = list(read_records(layout.journal))
        # The other runs of the folder are nobody's business.
        self._services = msgspec.structs.replace(services_of(layout), runs=None, open_run=None)

    def named(self, name: str, lang: Lang) -> str | None:
        """One of `NAMES`; `None` where the run has nothing to show for it."""
        match name:
            case "overview":
                return self.at(0.55, "overview", lang)
            case "timeline":
                return self.at(1.0, "timeline", lang)
            case "paused":
                return self.paused(lang)
            case _:
                frames = [self.at(share, screen, lang, MOVING) for screen, share in SCENES]
                return moving_picture(frames, [SECONDS_EACH] * len(frames))

    def at(self, share: float, screen: ScreenId, lang: Lang, size: tuple[int, int] = STILL) -> str:
        """The screen after that share of the run's time."""
        known = [record.event.at for record in self._records if record.event.at is not None]
        until = known[0] + (known[-1] - known[0]) * share
        seen = [r for r in self._records if r.event.at is None or r.event.at <= until]
        return self._of(seen, screen, lang, size)

    def paused(self, lang: Lang) -> str | None:
        """Just after the engine first stood still; `None`: it never did."""
        for record in self._records:
            if isinstance(record.event, Paused) and record.event.at is not None:
                until = record.event.at + timedelta(seconds=2.0)
                seen = [r for r in self._records if r.event.at is None or r.event.at <= until]
                return self._of(seen, "overview", lang, STILL)
        return None

    def _of(
        self, records: Sequence[JournalRecord], screen: ScreenId, lang: Lang, size: tuple[int, int]
    ) -> str:
        ended = len(records) == len(self._records)
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "picture.svg"
            export_screenshot(
                Recording(records, supervised=not ended),
                path,
                size,
                lang=lang,
                zone=UTC,
                limits=limits_of(self._layout),
                rules=rules_of(self._layout),
                screen=screen,
                services=self._services,
            )
            return path.read_text(encoding="utf-8")


def main() -> None:
    """Write all of them."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("run", type=Path)
    parser.add_argument("--only", nargs="+", choices=NAMES, default=NAMES)
    asked = parser.parse_args()
    pictures = Pictures(RunLayout(asked.run.resolve()))
    for lang, suffix in LANGUAGES:
        for name in asked.only:
            svg = pictures.named(name, lang)
            if svg is not None:
                (HERE / f"{name}{suffix}.svg").write_text(svg, encoding="utf-8")


if __name__ == "__main__":
    main()
