"""Environment variables that hold for a while: what is started meanwhile inherits them, and then they are as before."""

import contextlib
import os
from collections.abc import Iterator


@contextlib.contextmanager
def environment(changes: dict[str, str | None]) -> Iterator[None]:
    """Environment variables that are set, or unset (None), while the block lasts."""
    before = {name: os.environ.get(name) for name in changes}
    _set(changes)
    try:
        yield
    finally:
        _set(before)


def _set(values: dict[str, str | None]) -> None:
    for name, value in values.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value
