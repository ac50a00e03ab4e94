"""The config that lies in a run's folder."""

import tomllib

from timellm_engine.errors import InputError
from timellm_ops.contract.config import Config
from timellm_ops.contract.layout import RunLayout
from timellm_ops.contract.validation import parse_config


def read_config(layout: RunLayout) -> Config:
    """The run's own config. Raises `ConfigError`, and `InputError` where it cannot be read."""
    try:
        tables = tomllib.loads(layout.config.read_text(encoding="utf-8"))
    except OSError as error:
        found = f"a file that cannot be read ({error.strerror or error})"
        raise InputError(str(layout.config), found, "the run's configuration") from None
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        found = f"a syntax error, {' '.join(str(error).split())}"
        raise InputError(str(layout.config), found, "TOML in UTF-8") from None
    return parse_config(tables, str(layout.config))
