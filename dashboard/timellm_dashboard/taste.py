"""What the person in front of the screen prefers, whatever run it shows."""

from msgspec import Struct

from timellm_dashboard.actions.keymap import Keymap


class Taste(Struct, frozen=True, kw_only=True):
    """Keys and colours."""

    light: bool = False
    """The light theme to begin with."""
    keymap: Keymap = {}
