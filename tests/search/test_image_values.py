"""Values of single images: what an evaluate stage leaves is read, and nothing else is believed."""

import json
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from tuner.base.untrusted import MalformedError
from tuner.search.record.values import IMAGES_FILE, VALUES_FILE, read_images


def test_values_of_images_come_back_with_what_does_not_apply(tmp_path: Path) -> None:
    written = {"accuracy": np.array([100, 0, 100], np.float32), "sid5": np.array([80, np.nan, 90], np.float32)}
    save_file(written, tmp_path / IMAGES_FILE)
    found = read_images(tmp_path)
    assert found.keys() == written.keys()
    assert all(np.array_equal(found[name], values, equal_nan=True) for name, values in written.items())


def test_artifacts_of_earlier_versions_have_none(tmp_path: Path) -> None:
    (tmp_path / VALUES_FILE).write_text(json.dumps({"accuracy": 90.0}))
    assert read_images(tmp_path) == {}


@pytest.mark.parametrize(
    "odd",
    [
        {"accuracy": np.zeros(3, np.float64)},
        {"accuracy": np.zeros((3, 2), np.float32)},
        {"accuracy": np.zeros(0, np.float32)},
        {"accuracy": np.array([np.inf], np.float32)},
        {"accuracy": np.zeros(3, np.float32), "sid5": np.zeros(4, np.float32)},
        {"\x1b[2J": np.zeros(3, np.float32)},
    ],
    ids=["type", "table", "none", "infinite", "lengths", "name"],
)
def test_what_is_none_is_refused(tmp_path: Path, odd: dict[str, np.ndarray]) -> None:
    save_file(odd, tmp_path / IMAGES_FILE)
    with pytest.raises(MalformedError, match=r"images\.safetensors cannot be used"):
        read_images(tmp_path)


def test_a_file_of_something_else_is_refused(tmp_path: Path) -> None:
    (tmp_path / IMAGES_FILE).write_bytes(b"\x00" * 40)
    with pytest.raises(MalformedError, match="cannot be used"):
        read_images(tmp_path)
