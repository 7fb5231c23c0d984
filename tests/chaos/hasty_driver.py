"""A driver with little patience: python -m tests.chaos.hasty_driver ARGUMENTS...

It is `jobs.search` with the given arguments; only what runs when the time limit is reached, and a broker that does not
answer, are given less time.
"""

import sys

from jobs import search
from tuner.search.driver import time_limit
from tuner.search.execute import broker_monitor


def main() -> int:
    time_limit.GRACE_S = time_limit.MEASURE_S = time_limit.SPARE_S = 5.0
    broker_monitor.SILENCE_S = broker_monitor.IDLE_S = 45.0
    return search.main(sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())
