"""Computing on one thread: several add up in another order, so how many a machine has would change last bits."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from threadpoolctl import threadpool_limits


@contextmanager
def one_thread() -> Iterator[None]:
    """A block in which PyTorch, NumPy and SciPy compute on one thread; afterwards on as many as before."""
    n_threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with threadpool_limits(1):
            yield
    finally:
        torch.set_num_threads(n_threads)
