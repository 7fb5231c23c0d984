"""What the dense stage keeps for the program: saved and read as it was, and nothing senseless taken for it."""

from collections.abc import Callable
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest

from tuner.base.untrusted import MalformedError
from tuner.features.samples import Samples
from tuner.qpm import AssignConfig, DenseFeatures, DenseModel, assign, dense_features

SMALL = AssignConfig(n_features=8, features_per_class=3)


@pytest.fixture(scope="module")
def features(dense: DenseModel, train: Samples) -> DenseFeatures:
    return dense_features(dense, train, device="cpu")


def test_what_is_read_is_what_was_written(features: DenseFeatures, tmp_path: Path) -> None:
    half = replace(features, trained=np.arange(len(features)) % 2 == 0)
    half.save(tmp_path)
    read = DenseFeatures.load(tmp_path)
    for field in fields(DenseFeatures):
        assert np.array_equal(getattr(read, field.name), getattr(half, field.name)), field.name
    assert read.n_classes == 4
    assert (read.pooled.dtype, read.peaks.dtype, read.borders.dtype) == (np.float32, np.float32, np.bool_)
    assert len(read.only(read.trained)) == 24
    assert np.array_equal(read.only(read.trained).labels, read.labels[::2])


SENSELESS: dict[str, Callable[[DenseFeatures], DenseFeatures]] = {
    "its labels are": lambda read: replace(read, labels=read.labels + 1),
    "its labels are -1": lambda read: replace(read, labels=read.labels - 1),
    "0 classes": lambda read: replace(read, n_classes=0),
    "no image is one": lambda read: replace(read, trained=np.zeros_like(read.trained)),
    "not finite": lambda read: replace(read, pooled=np.full_like(read.pooled, np.nan)),
    "tensor peaks is F32 of 48 x 15": lambda read: replace(read, peaks=read.peaks[:, 1:]),
    "tensor trained is BOOL of 47": lambda read: replace(read, trained=read.trained[1:]),
    "its features are of": lambda read: replace(read, pooled=read.pooled[0]),
}


@pytest.mark.parametrize("words", SENSELESS)
def test_what_no_dense_model_gives_is_refused(words: str, features: DenseFeatures, tmp_path: Path) -> None:
    SENSELESS[words](features).save(tmp_path)
    with pytest.raises(MalformedError, match=words):
        DenseFeatures.load(tmp_path)


def test_features_of_other_images_or_of_another_model_are_refused(features: DenseFeatures) -> None:
    own = (features.labels, int(features.places.max()) + 1, features.width)
    assert features.of(*own) is features
    for other in (
        (own[0][:-1], *own[1:]),
        (own[0][::-1], *own[1:]),
        (own[0], own[1] - 1, own[2]),
        (*own[:2], own[2] + 1),
    ):
        with pytest.raises(MalformedError, match="of other images or of another model"):
            features.of(*other)


def test_the_former_call_with_a_model_is_understood(dense: DenseModel, train: Samples, features: DenseFeatures) -> None:
    now = assign(features, SMALL, seed=2)
    with pytest.warns(FutureWarning, match="assign\\(dense_features\\(dense, train\\), config\\)"):
        former = assign(dense, train, SMALL, seed=2, device="cpu")  # type: ignore[arg-type, call-arg]
    assert np.array_equal(former.features, now.features)
    assert np.array_equal(former.matrix, now.matrix)
    assert former.info == now.info
