"""Reads a search's recipe.yaml as untrusted input: bounded in size, YAML tags ignored."""

import re
from typing import Any

from yaml.nodes import MappingNode

from tuner.errors import UsageError
from tuner.recipe.nodes import compose, pairs, plain

# what it holds beside the recipe
KINDS = {"bank": str, "banks": dict | None, "versions": dict, "code": dict | None, "origin": dict | None}
_KEY = "[0-9A-Za-z_-]{1,100}"


def read_parts(text: str) -> dict[str, Any]:
    """The parts of the file: the recipe as a node for `parse_recipe`, the others as plain values.

    Raises:
        UsageError: it is no such file.
    """
    node = compose(text, "it")
    parts = dict(pairs(node, "it")) if isinstance(node, MappingNode) else {}
    found = {name: plain(parts[name], "it") if name in parts else None for name in KINDS}
    if not isinstance(parts.get("recipe"), MappingNode) or not all(isinstance(found[n], k) for n, k in KINDS.items()):
        raise UsageError("it lacks a part, or has another in its place", "recipe, bank and versions", "restore it")
    if not re.fullmatch(_KEY, str(found["bank"])):
        raise UsageError("its bank is no key of an artifact", "letters, digits, - and _", "restore it")
    return {"recipe": parts["recipe"], **found}
