"""Exit codes, and the errors that the command line itself makes."""

BAD_INPUT = 2
NOT_HERE = 3


class UsageError(ValueError):
    """Options that do not go together. The text is one line."""


class OutputRefused(RuntimeError):  # noqa: N818 - it says what happened
    """A file cannot be written where it was asked for. The text is one line and names it."""


class MissingExtra(RuntimeError):  # noqa: N818 - it says what happened
    """A command needs packages that are not installed. The text is one line and says how."""
