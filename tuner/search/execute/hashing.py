"""Hashes objects in buckets on the nodes of a Ray cluster, so that the driver fetches none of them."""

from collections.abc import Generator, Sequence

import ray
from ray.exceptions import RayError

from tuner.data.place import S3Path
from tuner.data.remote_digests import Digested, digested_here
from tuner.errors import TunerError
from tuner.search.execute.answers import answer, cause_of, of_node

OF_A_TASK = 256  # objects: some seconds of work, which the death of a node costs
Answers = list[tuple[S3Path, Digested]]


def digested_on_nodes(files: Sequence[S3Path]) -> Generator[tuple[S3Path, Digested]]:
    """Has objects fetched and hashed by tasks of the Ray that this process has joined; a `remote_digests.Way`.

    Each task holds a CPU, so a head without CPUs runs none. Ray runs those of a node that dies again on another one.

    Raises:
        TunerError: a node cannot read the bucket, or nodes die again and again.
    """
    parts = [files[start : start + OF_A_TASK] for start in range(0, len(files), OF_A_TASK)]
    waiting = [_digested.remote(part) for part in parts]
    try:
        while waiting:
            ended, waiting = ray.wait(waiting)
            yield from answer(ray.get(ended[0]))
    except RayError as error:
        raise TunerError(
            f"the images could not be hashed on the cluster: {cause_of(error)}",
            "nodes that can read the bucket, with the same version of this program",
            "look at the node's log, then start again; what was hashed is remembered",
        ) from error
    finally:  # also of a generator that is closed early
        for task in waiting:
            ray.cancel(task)


@ray.remote(num_cpus=1, max_retries=3)
def _digested(files: Sequence[S3Path]) -> Answers | TunerError:
    try:
        return list(digested_here(files))
    except TunerError as error:
        return of_node(error)
