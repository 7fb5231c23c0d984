"""The driver of the rehearsal: `qpm-tuner search`, its stages empty.

It takes how long a stage sleeps, a journal, and what the command takes. Everything but the stages is real: data,
extraction, proposals, ledger, front.
"""

import sys
from pathlib import Path

import ray

from benchmarks.empty_broker import EmptyStages
from tuner.recipe import StageResources
from tuner.search.execute.broker import ON_THE_HEAD
from tuner.search.execute.broker_handle import BrokerHandle


def main(sleep_s: float, journal: str, given: list[str]) -> int:
    """Run the command; returns its exit code."""
    from jobs import search
    from tuner.search.driver import driver

    def start(store_url: str, scratch: Path, resources: dict[str, StageResources], retries: int = 0) -> BrokerHandle:
        actor = ray.remote(EmptyStages).options(num_cpus=0, resources=ON_THE_HEAD)
        return BrokerHandle(actor.remote(store_url, str(scratch), resources, sleep_s, journal))

    driver.start_broker = start
    return search.main(given)


if __name__ == "__main__":
    sys.exit(main(float(sys.argv[1]), sys.argv[2], sys.argv[3:]))
