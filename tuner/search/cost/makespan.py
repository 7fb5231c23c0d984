"""The wall time of rows of stages, by a small simulation of the broker: reuse, parallel trials, shared resources."""

import heapq
from collections import deque
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from tuner.search.cost.sizes import Machine

SLACK = 1e-9


class Work(NamedTuple):
    """A stage to run.

    Attributes:
        stage: its name.
        key: of its artifact: equal keys run once.
        seconds: that it runs.
        cpus: cores that it holds meanwhile.
        gpus: share of GPUs that it holds meanwhile.
    """

    stage: str
    key: str
    seconds: float
    cpus: float = 1.0
    gpus: float = 0.0


def makespan(rows: Iterable[Sequence[Work]], parallel: int, machine: Machine) -> float:
    """Seconds until all rows have gone through their stages.

    A row takes its stages one after the other. It waits for resources in the order of arrival, and for the run of
    another row that makes the same stage.

    Args:
        rows: of trials, in order.
        parallel: rows under way at once.
        machine: what the stages share.
    """
    waiting_rows, done = deque(enumerate(map(deque, rows))), set[str]()
    queue, running = deque[tuple[int, deque[Work]]](), dict[str, list[tuple[int, deque[Work]]]]()
    ends: list[tuple[float, str, float, float]] = []
    cpus, gpus, active, now = machine.cpus, machine.gpus, 0, 0.0
    while True:
        while waiting_rows and active < parallel:
            queue.append(waiting_rows.popleft())
            active += 1
        for _ in range(len(queue)):
            place, row = queue.popleft()
            while row and row[0].key in done:
                row.popleft()
            if not row:
                active -= 1
            elif (work := row[0]).key in running:
                running[work.key].append((place, row))
            elif not ends or (work.cpus <= cpus + SLACK and work.gpus <= gpus + SLACK):
                cpus, gpus = cpus - work.cpus, gpus - work.gpus
                running[work.key] = [(place, row)]
                heapq.heappush(ends, (now + work.seconds, work.key, work.cpus, work.gpus))
            else:
                queue.append((place, row))
        if waiting_rows and active < parallel:
            continue
        if not ends:
            return now
        now, key, held_cpus, held_gpus = heapq.heappop(ends)
        cpus, gpus = cpus + held_cpus, gpus + held_gpus
        done.add(key)
        queue.extendleft(reversed(running.pop(key)))
