"""`config`: what a configuration file may hold, and what one comes to."""

import sys
from pathlib import Path
from typing import Annotated, Literal

import msgspec
from cyclopts import Parameter

from timellm_ops.cli.errors import UsageError
from timellm_ops.cli.options import Json, Overrides

SCHEMA = "timellm-ops.config/1"


def config(
    what: Annotated[
        Literal["schema", "template", "show"],
        Parameter(
            help="schema: every key as a JSON schema; template: as TOML, with its default and what "
            "it means; show: a config as a run would have it."
        ),
    ],
    file: Annotated[Path | None, Parameter(help="The TOML file, for show.")] = None,
    *,
    overrides: Overrides = (),
    json: Json = False,
) -> int:
    """Print what config files may hold, or what one comes to with all its defaults.

    Point an editor at the schema: timellm-ops config schema > timellm-ops.schema.json
    """
    if what == "show":
        if file is None:
            raise UsageError("config show takes a file, such as configs/quickstart.toml")
        text = _shown(file, overrides, as_json=json)
    elif file is not None or overrides or json:
        raise UsageError(
            f"config {what} takes no file and no options: it is about every config, and always "
            f"{'JSON' if what == 'schema' else 'TOML'}"
        )
    elif what == "schema":
        from timellm_ops.configschema import config_schema

        text = msgspec.json.format(msgspec.json.encode(config_schema()), indent=2).decode()
    else:
        from timellm_ops.configtemplate import config_template

        text = config_template()
    sys.stdout.write(f"{text.rstrip()}\n")
    return 0


def _shown(file: Path, overrides: tuple[str, ...], *, as_json: bool) -> str:
    from timellm_ops.configfile import read_config, write_config

    found = read_config(file, overrides)
    if not as_json:
        return write_config(found).decode()
    return msgspec.json.encode({"schema": SCHEMA, **msgspec.to_builtins(found)}).decode()
