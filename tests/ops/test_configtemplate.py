"""The config with every key: what is shipped is what the keys say."""

from pathlib import Path

import msgspec

from timellm_ops.configfile import read_config
from timellm_ops.configtemplate import config_template
from timellm_ops.contract.config import Config, DataSection
from timellm_ops.contract.validation import all_keys

CUSTOM = Path(__file__).parents[2] / "configs" / "custom.toml"


def test_the_shipped_one_is_the_template() -> None:
    assert CUSTOM.read_text(encoding="utf-8") == config_template(), (
        "timellm-ops config template > configs/custom.toml"
    )


def test_it_holds_every_key_with_its_default() -> None:
    data = DataSection(dataset="custom", path=str(CUSTOM.parent / "series.csv"))
    named = msgspec.structs.replace(Config(data=data).run, name="custom")
    assert read_config(CUSTOM) == Config(data=data, run=named)


def test_every_key_has_a_line_even_where_it_is_absent() -> None:
    table, found = "", []
    for line in config_template().splitlines():
        if line.startswith("["):
            table = line.strip("[]")
        elif " = " in line and table:
            found.append(f"{table}.{line.removeprefix('# ').partition(' = ')[0]}")
    assert sorted(found) == sorted(all_keys())
