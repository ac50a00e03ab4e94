"""The configuration file as a JSON schema, for editors that complete and check TOML.

Types and bounds come from the sections themselves, and every description is the text that stands
below its key in `contract/config.py`.
"""

import ast
import inspect
from typing import Any, get_type_hints

import msgspec

from timellm_ops.contract import config as sections
from timellm_ops.contract.config import Config
from timellm_ops.contract.run_name import RUN_NAME, RUN_NAME_IN_A_SCHEMA
from timellm_ops.contract.section import Section

SCHEMA = "timellm-ops.config/1"
DIALECT = "https://json-schema.org/draft/2020-12/schema"


def config_schema() -> dict[str, Any]:
    """The schema of a whole configuration file."""
    (top,), parts = msgspec.json.schema_components([Config], ref_template="#/$defs/{name}")
    for name, part in parts.items():
        texts = key_texts(getattr(sections, name))
        for key, schema in part["properties"].items():
            schema["description"] = texts[key]
            if "pattern" in schema:
                schema["pattern"] = _for_any_reader(schema["pattern"])
    return {"$schema": DIALECT, "title": SCHEMA, **top, "$defs": parts}


def key_texts(section: type[Section]) -> dict[str, str]:
    """What each key of a section means; a key that is a table has its section's own text."""
    texts = {
        name: inspect.cleandoc(hint.__doc__ or "")
        for name, hint in get_type_hints(section).items()
        if isinstance(hint, type) and issubclass(hint, Section)
    }
    (tree,) = ast.parse(inspect.getsource(section)).body
    assert isinstance(tree, ast.ClassDef)  # noqa: S101 - it is the source of a class
    for statement, after in zip(tree.body, tree.body[1:], strict=False):
        match statement, after:
            case (
                ast.AnnAssign(target=ast.Name(id=name)),
                ast.Expr(value=ast.Constant(value=str() as text)),
            ):
                texts[name] = " ".join(text.split())
    return texts


def _for_any_reader(pattern: str) -> str:
    """A pattern without what only Python understands."""
    return pattern.replace(RUN_NAME, RUN_NAME_IN_A_SCHEMA).replace(r"\Z", "$")
