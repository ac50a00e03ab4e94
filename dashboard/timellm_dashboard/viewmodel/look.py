"""How a run is to be shown: language, time zone, characters, and the limits that are in force."""

from collections.abc import Callable
from datetime import tzinfo
from typing import Protocol

from msgspec import Struct, field

from timellm_dashboard.viewmodel.rulerows import RulesOf
from timellm_dashboard.words.keys import USUAL, Keys
from timellm_dashboard.words.text import Lang, Words, words
from timellm_ops.contract.state import RunState


class ThermalLimits(Protocol):
    """The temperatures, in °C, at which the thermal rule acts."""

    @property
    def pause_above_c(self) -> float:
        """Above this the engine is paused."""
        ...

    @property
    def resume_below_c(self) -> float:
        """Below this it may go on."""
        ...

    @property
    def emergency_c(self) -> float | None:
        """From here on the run is stopped; `None`: the card does not say."""
        ...

    @property
    def least_pause_s(self) -> float:
        """How long a pause lasts at least."""
        ...

    @property
    def held_c(self) -> float | None:
        """The temperature at which rests between the steps hold the card; `None`: none do."""
        ...

    @property
    def lowest_pace(self) -> float:
        """The smallest share of the time that these rests leave for work."""
        ...


LimitsOf = Callable[[RunState], ThermalLimits | None]
"""The limits in force in a run: those of its config, of its card as it last reported itself, and
what was changed under it. `None`: no thermal rule."""


class Look(Struct, frozen=True, kw_only=True):
    """What the person in front of the screen wants, and what the screen can do."""

    lang: Lang = "en"
    zone: tzinfo | None = None
    """`None`: the machine's own time zone."""
    ascii_only: bool = False
    """Only ASCII characters are shown, and therefore only English ones."""
    limits: LimitsOf | None = None
    rules: RulesOf | None = None
    keys: Keys = field(default_factory=lambda: USUAL)
    """The keys that texts name."""
    run_id: str = ""
    """The run that was asked for, which is all that is known of it before it begins."""
    read_only: bool = False
    """Whoever looks may only look: nothing that asks the supervisor is offered."""

    @property
    def shown_lang(self) -> Lang:
        """The language that is really used."""
        return "en" if self.ascii_only else self.lang

    @property
    def words(self) -> Words:
        """The texts of that language."""
        return words(self.shown_lang)
