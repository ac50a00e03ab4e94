"""Exit codes, and the one error that the command line itself makes."""

BAD_INPUT = 2
NOT_HERE = 3


class UsageError(ValueError):
    """Options that do not go together. The text is one line."""
