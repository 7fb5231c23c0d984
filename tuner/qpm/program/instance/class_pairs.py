"""Which classes look alike: the pairs that CHiQPM forces to share all features but one
(docs/explanation/program.md#forced-pairs)."""

import numpy as np
from scipy.spatial.distance import pdist

from tuner.errors import InfeasibleError
from tuner.qpm.program.instance.arrays import Floats, Ints
from tuner.qpm.program.instance.sizes import require_whole


def closest_classes(relevance: Floats, n_pairs: int) -> tuple[Ints, Ints]:
    """The pairs of classes whose columns of A are closest in Euclidean distance, the closest first.

    CHiQPM takes floor(C / 2) of them.

    Args:
        relevance: (n_candidates, n_classes) A.
        n_pairs: how many.

    Returns:
        Two arrays (n_pairs,) of class indices (c, d), c < d; equal distances in the order of the indices.

    Raises:
        UsageError: the number is not whole; InfeasibleError where there are not so many pairs.
    """
    require_whole("forced_pairs", n_pairs)
    n_classes = relevance.shape[1]
    most = n_classes * (n_classes - 1) // 2
    if not 0 <= n_pairs <= most:
        raise InfeasibleError(
            f"forced_pairs = {n_pairs}",
            f"0 to {most}, the pairs of {n_classes} classes",
            f"lower forced_pairs; CHiQPM takes {n_classes // 2}, half of the classes",
        )
    c, d = np.triu_indices(n_classes, 1)
    closest = np.argsort(pdist(relevance.T), kind="stable")[:n_pairs]
    return c[closest].astype(np.int64), d[closest].astype(np.int64)
