"""Signs of life: a count that rises whenever a piece of work gets on, so that slow can be told from stuck.

A thread that says "alive" goes on saying so while the work beside it hangs. So the work itself counts: each batch, each
step of a solver, each portion of a file. Others only look whether the count has moved.
"""

_count = 0


def beat() -> None:
    """The work has got on by a step; cheap enough for any loop."""
    global _count  # noqa: PLW0603  one of a process, as the work of a process is one
    _count += 1


def count() -> int:
    """Steps so far; what matters is whether the number has changed."""
    return _count
