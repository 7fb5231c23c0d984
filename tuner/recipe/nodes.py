"""Reads YAML as structured text; the type of each field decides what a text means (see `scalars.py`).

PyYAML would read `no` as False, `1e-3` as a text and `12:30` as 750; its nodes still hold what was written.
"""

import re
from collections.abc import Iterator
from typing import Any

import yaml
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from tuner.errors import UsageError

LONGEST = 500_000  # bytes or letters of a recipe
MOST = 10_000  # values in it; reading one takes about 0.05 ms
DEEPEST = 20  # lists and mappings in each other

_NULL = "tag:yaml.org,2002:null"
_INT = "tag:yaml.org,2002:int"
_TAGS = frozenset(
    f"tag:yaml.org,2002:{name}"
    for name in ("str", "int", "float", "bool", "null", "timestamp", "merge", "value", "seq", "map")
)


class _TooLargeError(Exception):
    """What a text has too much of, and what was expected."""


class _Loader(yaml.SafeLoader):
    """Refuses what takes far more time or memory than its letters: `*name`, depth, and thousands of values."""

    values, depth = 0, 0

    def compose_node(self, parent: Node | None, index: Any) -> Node | None:
        self.values += 1
        self.depth += 1
        if self.check_event(yaml.events.AliasEvent):
            mark = self.peek_event().start_mark  # type: ignore[no-untyped-call]
            raise yaml.composer.ComposerError(None, None, "a recipe has no aliases such as *name", mark)
        if self.depth > DEEPEST:
            raise _TooLargeError(f"is nested more than {DEEPEST} deep", "settings in groups of groups")
        if self.values > MOST:
            raise _TooLargeError(f"holds more than {MOST:,} values", "a few settings")
        node = super().compose_node(parent, index)
        self.depth -= 1
        return node


def compose(text: str, source: str) -> Node | None:
    """The YAML document in a text; None for an empty one.

    Raises:
        UsageError: it is not valid YAML.
    """
    if len(text) > LONGEST:
        raise UsageError(
            f"{source} is {len(text):,} letters long",
            f"at most {LONGEST:,}",
            "drop what is no setting; see `describe_fields()` for all",
        )
    try:
        node = yaml.compose(text, Loader=_Loader)
    except yaml.YAMLError as error:
        problem = getattr(error, "problem", None) or str(error).splitlines()[0]
        mark = getattr(error, "problem_mark", None)
        where = f" in line {mark.line + 1}" if mark is not None and mark.line else ""
        todo = "close every bracket and quote, and put a text with : # , * or brackets in quotes"
        if "'\\t'" in problem:
            todo = "use blanks instead of tabs"
        raise UsageError(f"{source} is not valid YAML{where}: {problem}", "YAML", todo) from None
    except _TooLargeError as error:
        what, expected = error.args
        raise UsageError(
            f"{source} {what}", expected, "drop what is no setting; see `describe_fields()` for all"
        ) from None
    return node


def pairs(node: Node, where: str) -> Iterator[tuple[str, Node]]:
    """The keys and values of a mapping.

    Raises:
        UsageError: a key is no text, or stands there twice.
    """
    assert isinstance(node, MappingNode)
    seen = set()
    for key, value in node.value:
        if not isinstance(key, ScalarNode):
            raise UsageError(f"{where} has the key {show(key)}", "names as keys", "write NAME: VALUE")
        if ":" in key.value and is_null(value):  # {epochs:3} is one name to YAML
            raise UsageError(f"{where} has the key {key.value}", "NAME: VALUE", "write a blank after the colon")
        if key.value in seen:
            raise UsageError(f"{where} sets {key.value} twice", "each setting once", "drop one of the two")
        seen.add(key.value)
        yield key.value, value


def written(node: Node, where: str) -> str | None:
    """What was written for a single value; None where that is null.

    Raises:
        UsageError: it is a list or a mapping, or has a tag of its own.
    """
    if not isinstance(node, ScalarNode) or node.tag not in _TAGS:
        raise UsageError(f"{where}={show(node)}", "a single value", "write one value, a text in quotes if need be")
    return None if is_null(node) else str(node.value)


def plain(node: Node, where: str) -> Any:
    """What a file of the program's own holds: texts, whole numbers, null, lists and mappings.

    Raises:
        UsageError: there is something else in it.
    """
    if isinstance(node, MappingNode):
        return {key: plain(value, where) for key, value in pairs(node, where)}
    if isinstance(node, SequenceNode):
        return [plain(value, where) for value in node.value]
    text = written(node, where)
    return int(text) if text and node.tag == _INT and re.fullmatch("[0-9]{1,15}", text) else text


def drop(node: Node, group: str, name: str) -> None:
    """Take a setting out of a group, where both are there."""
    for key, value in node.value if isinstance(node, MappingNode) else ():
        if key.value == group and isinstance(value, MappingNode):
            value.value = [pair for pair in value.value if pair[0].value != name]


def is_null(node: Node | None) -> bool:
    """Whether a value is null: `null`, `~` or nothing at all, without quotes."""
    return node is None or (isinstance(node, ScalarNode) and node.tag == _NULL)


def show(node: Node | None) -> str:
    """A node in one short line, for errors."""
    text = _plain(node)
    return text if len(text) <= 120 else f"{text[:120]}..."


def _plain(node: Node | None) -> str:
    if isinstance(node, SequenceNode):
        return f"[{', '.join(map(_plain, node.value))}]"
    if isinstance(node, MappingNode):
        return "{" + ", ".join(f"{_plain(key)}: {_plain(value)}" for key, value in node.value) + "}"
    return "" if node is None else f"{node.tag} {node.value}" if node.tag not in _TAGS else str(node.value)
