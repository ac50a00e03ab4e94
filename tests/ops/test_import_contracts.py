"""The import contracts name every room: a new module cannot slip past them unseen."""

import tomllib
from pathlib import Path

REPOSITORY = Path(__file__).parents[2]
CONTRACTS = {
    contract["name"]: contract
    for contract in tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))[
        "tool"
    ]["importlinter"]["contracts"]
}


def modules(package: str) -> set[str]:
    """The modules and packages directly below one of ours."""
    folder = REPOSITORY / Path(*package.split("."))
    files = {path.stem for path in folder.glob("*.py")}
    folders = {path.name for path in folder.iterdir() if (path / "__init__.py").exists()}
    return {f"{package}.{name}" for name in (files | folders) - {"__init__", "__main__"}}


def contract(words: str) -> dict[str, list[str]]:
    (found,) = [value for name, value in CONTRACTS.items() if words in name]
    return found


def test_only_the_contract_room_is_open_to_the_others() -> None:
    rooms = modules("timellm_ops") - {"timellm_ops.contract"}
    for words in ("is the bottom", "policies are pure", "is a client", "knows the contract alone"):
        assert rooms <= set(contract(words)["forbidden_modules"]), words


def test_every_module_but_the_childs_is_kept_from_the_driver() -> None:
    rooms = modules("timellm_ops") - {"timellm_ops.probe"}
    child = {"timellm_ops.probe.nvml_child", "timellm_ops.probe.nvml_driver"}
    probe = modules("timellm_ops.probe") - child
    ours = {"timellm_engine", "timellm_dashboard", "timellm_policies"}
    assert rooms | probe | ours == set(contract("talk to the driver")["source_modules"])
