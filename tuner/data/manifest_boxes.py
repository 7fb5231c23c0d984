"""Boxes of a manifest: one column `x0,y0,x1,y1`, or four; pixels from the upper left corner of the upright image."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tuner.data.manifest_table import CORNERS, rows_where
from tuner.data.place import Place
from tuner.data.words import count, some
from tuner.errors import UsageError

EXPECTED = "x0,y0,x1,y1 in pixels: left and top from 0, right and bottom beyond them"
NUMBER = r"[-+]?(\d+(\.\d*)?|\.\d+)([eE][-+]?\d+)?"


def read_boxes(columns: dict[str, pa.ChunkedArray], file: Place) -> np.ndarray | None:
    """Left, top, right and bottom of each box, outwards to whole pixels, (n, 4) int64, -1 where there is none; None
    without any.

    Raises:
        UsageError: a box is malformed, empty, or begins outside the image: all rows are counted, the first named.
    """
    corners = [name for name in CORNERS if name in columns]
    if corners and len(corners) < len(CORNERS):
        raise UsageError(f"{file} has columns {', '.join(corners)} alone", f"all of {', '.join(CORNERS)}", "add them")
    if "box" in columns:
        text = pc.replace_substring_regex(columns["box"], r"[\[\]()\s]+", " ")
        text = pc.replace_substring_regex(pc.utf8_trim_whitespace(text), r"\s*[,;\s]\s*", ",")
    elif corners:
        text = pc.binary_join_element_wise(*(columns[name] for name in CORNERS), ",", null_handling="replace")
        text = pc.if_else(pc.equal(text, ",,,"), None, text)
    else:
        return None
    if text.null_count == len(text):
        return None
    good = pc.fill_null(pc.match_substring_regex(text, rf"^{NUMBER}(,{NUMBER}){{3}}$"), True)
    _refuse(pc.invert(good), text, columns, file, "is no box")
    given = np.asarray(pc.is_valid(text).to_numpy(), dtype=np.bool_)
    values = pc.list_flatten(pc.split_pattern(text.drop_null(), ",")).cast(pa.float64()).to_numpy().reshape(-1, 4)
    boxes = np.full((len(text), 4), -1, dtype=np.int64)
    low, high = np.floor(values[:, :2]), np.ceil(values[:, 2:])
    wrong = np.zeros(len(text), dtype=np.bool_)
    wrong[given] = (values[:, :2] < 0).any(1) | (values[:, 2:] <= values[:, :2]).any(1) | (high > 2**31).any(1)
    _refuse(pa.chunked_array([wrong]), text, columns, file, "is empty or begins outside its image")
    boxes[given] = np.concatenate([low, high], axis=1)
    return boxes


def _refuse(
    bad: pa.ChunkedArray, text: pa.ChunkedArray, columns: dict[str, pa.ChunkedArray], file: Place, what: str
) -> None:
    rows = rows_where(bad, lambda i: f"{columns['path'][i]}, box {text[i]}")
    if rows:
        raise UsageError(
            f"box of {count(len(rows), 'row')} of {file} {what}: {some(rows)}", EXPECTED, "correct the manifest"
        )
