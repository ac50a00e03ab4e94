"""What all sections of a configuration file are made of: their base, and bounds with a name."""

from typing import Annotated

from msgspec import Meta, Struct

Positive = Annotated[int, Meta(ge=1)]
Share = Annotated[float, Meta(ge=0.0, le=1.0)]
Rate = Annotated[float, Meta(ge=0.0, lt=1.0)]
Percent = Annotated[float, Meta(gt=0.0, le=100.0)]
PositiveFloat = Annotated[float, Meta(gt=0.0)]
NotNegative = Annotated[float, Meta(ge=0.0)]
Seconds = Annotated[float, Meta(ge=0.0)]
Celsius = Annotated[float, Meta(ge=0.0, le=150.0)]


class Section(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A table of the configuration file."""
