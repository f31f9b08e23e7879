"""The schemas of docs/schema: every file of a run and every line between conductor and agent meets one of them."""

from functools import cache
from pathlib import Path
from typing import Any

import yaml
from jsonschema import Draft202012Validator
from referencing import Registry, Resource

SCHEMAS: dict[str, Any] = {
    path.stem: yaml.safe_load(path.read_text()) for path in (Path(__file__).parents[1] / "docs/schema").glob("*.yml")
}
# A schema may refer to a part of another by the name of its file.
FILES: Registry[Any] = Registry().with_resources(
    (f"{name}.yml", Resource.from_contents(schema)) for name, schema in SCHEMAS.items()
)


@cache
def validator(name: str) -> Draft202012Validator:
    """What a document of this name is checked with: `validator("plan").validate(plan)`."""
    return Draft202012Validator(SCHEMAS[name], registry=FILES)
