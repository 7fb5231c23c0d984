"""Arrays behind each other are read as one."""

import numpy as np
import pytest

from tuner.features.sharded_rows import ShardedRows, together

WHOLE = np.arange(60, dtype=np.float16).reshape(10, 2, 3)
PARTS = [WHOLE[:4], WHOLE[4:5], WHOLE[5:]]


@pytest.mark.parametrize(
    "index",
    [
        slice(None),
        slice(2, 7),
        slice(8, 1, -3),
        np.array([9, 0, 4, 4, -1]),
        np.array([], np.int64),
        WHOLE[:, 0, 0] > 20,
    ],
    ids=["all", "across parts", "backwards", "any order", "none", "mask"],
)
def test_rows_are_those_of_one_array(index: slice | np.ndarray) -> None:
    rows = ShardedRows(PARTS)
    assert np.array_equal(rows[index], WHOLE[index])
    assert rows[index].dtype == WHOLE.dtype
    assert (rows.shape, len(rows), rows.nbytes, rows.dtype) == (WHOLE.shape, 10, WHOLE.nbytes, WHOLE.dtype)
    assert np.array_equal(np.asarray(rows), WHOLE)
    assert np.array_equal(rows[3], WHOLE[3])


@pytest.mark.parametrize("index", [np.array([10]), np.array([-11]), np.zeros(9, np.bool_)])
def test_rows_that_are_not_there(index: np.ndarray) -> None:
    with pytest.raises(IndexError):
        ShardedRows(PARTS)[index]


def test_what_is_read_is_a_copy_and_parts_must_fit() -> None:
    rows = ShardedRows([part.copy() for part in PARTS])
    rows[:2][:] = 0
    assert np.array_equal(rows[:2], WHOLE[:2])
    with pytest.raises(ValueError, match="different rows"):
        ShardedRows([WHOLE, WHOLE[:, :1]])
    assert together([WHOLE]) is WHOLE
