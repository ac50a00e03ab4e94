"""What a run may be called: a name that is part of a folder's, in whatever script one writes."""

# Characters beyond the first 65,536 are left out: 64 of them are more bytes than a file name has.
_LETTER = r"[^\W_\U00010000-\U0010FFFF]"

RUN_NAME = rf"{_LETTER}(?:{_LETTER}|[._-]){{0,63}}"
"""Letters and digits, and behind the first also dots, dashes and underscores; for `re`."""

RUN_NAME_IN_A_SCHEMA = r"[A-Za-z0-9\u0080-\uFFFF][A-Za-z0-9\u0080-\uFFFF._-]{0,63}"
"""Nearly the same for JSON schema, whose readers agree on no sign for a letter of any script."""

NOT_IN_A_RUN_NAME = rf"(?:(?!{_LETTER})[^._-])+"
"""Characters in a row that no name has, for `re`."""
