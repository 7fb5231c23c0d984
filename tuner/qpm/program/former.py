"""Accepts call forms of earlier versions, with a warning that gives the new form."""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")

UNTIL = "the old way goes in version 0.3"


def warn(what: str, stacklevel: int = 3) -> None:
    """Warn about a call form of earlier versions.

    Args:
        what: what is done, and what to do instead.
        stacklevel: who does it, as `warnings.warn` counts; 3: the caller of the calling function.
    """
    warnings.warn(f"{what}; {UNTIL}", FutureWarning, stacklevel=stacklevel)


def understands(
    positional: Sequence[str] = (), after: int = 1, renamed: Mapping[str, str] | None = None
) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """For a function whose arguments are keyword-only by now, or have other names.

    Args:
        positional: the names of what was positional, in order.
        after: how many arguments still are positional, before those.
        renamed: former keywords and what they are called now.
    """
    names = dict(renamed or {})

    def decorate(function: Callable[P, R]) -> Callable[P, R]:
        @functools.wraps(function)
        def call(*args: P.args, **kwargs: P.kwargs) -> R:
            given, surplus = args[:after], args[after:]
            if surplus:
                if len(surplus) > len(positional):
                    most = after + len(positional)
                    raise TypeError(f"{function.__name__}() takes at most {most} arguments, {len(args)} were given")
                warn(f"{function.__name__}: write {', '.join(f'{name}=...' for name in positional[: len(surplus)])}")
            for name in names.keys() & kwargs.keys():
                warn(f"{function.__name__}: {name} is called {names[name]} now")
            keywords = {names.get(name, name): value for name, value in kwargs.items()}
            twice = keywords.keys() & set(positional[: len(surplus)])
            if twice or len(keywords) < len(kwargs):
                raise TypeError(f"{function.__name__}() got an argument twice: {', '.join(sorted(twice)) or 'renamed'}")
            return function(*given, **dict(zip(positional, surplus, strict=False)), **keywords)  # type: ignore[arg-type]

        return call

    return decorate
