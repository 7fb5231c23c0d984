"""A driver that kills itself: python -m tests.chaos.mortal_driver EVENTS ARGUMENTS...

It is `jobs.search` with the given arguments, and dies by SIGKILL right after its so many-th event is in the ledger.
"""

import os
import signal
import sys
from typing import Any

from jobs import search
from tuner.store import Ledger


def main() -> int:
    left, append = int(sys.argv[1]), Ledger.append

    def mortal(self: Ledger, event: dict[str, Any]) -> None:
        nonlocal left
        append(self, event)
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)

    Ledger.append = mortal  # type: ignore[method-assign]
    return search.main(sys.argv[2:])


if __name__ == "__main__":
    sys.exit(main())
