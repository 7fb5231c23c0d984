"""Errors a user can cause, always in three parts: what happened, what was expected, what to do.

Command lines print the three parts and exit with `exit_code`; libraries raise them like any exception.
"""


class TunerError(Exception):
    """Something went wrong outside the program's own logic (disk, network, data): exit code 1.

    Args:
        what: what happened, with the offending value.
        expected: what would have been right.
        todo: what the user can do now.
    """

    exit_code = 1

    def __init__(self, what: str, expected: str, todo: str) -> None:
        super().__init__(what, expected, todo)
        self.what = what
        self.expected = expected
        self.todo = todo

    def __str__(self) -> str:
        return f"{self.what}\n  expected: {self.expected}\n  to do:    {self.todo}"


class UsageError(TunerError, ValueError):
    """The user asked for something invalid: a wrong key, type, value or combination. Exit code 2."""

    exit_code = 2


class InfeasibleError(UsageError):
    """A setting that provably has no solution; in a search it is the outcome `infeasible`."""
