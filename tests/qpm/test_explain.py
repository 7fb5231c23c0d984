"""Explanations are complete: contributions add up to logits, differences to margins, maps are the model's."""

import numpy as np
import pytest
import torch

from tuner.features.samples import Samples
from tuner.qpm.assignment import Assignment
from tuner.qpm.dense import DenseModel
from tuner.qpm.explanation import compare_classes, explain, nearest_classes
from tuner.qpm.finetuning import QpmModel, assigned_model


@pytest.fixture(scope="module")
def model(dense: DenseModel, assignment: Assignment) -> QpmModel:
    return assigned_model(dense, assignment)


def test_contributions_add_up_to_the_logit(model: QpmModel, held_out: Samples) -> None:
    explanation = explain(model, held_out, 4, classes=range(4))
    logits = model.logits(held_out.patches[4:5], held_out.cls[4:5])[0]
    np.testing.assert_allclose(explanation.logits, logits.numpy(), rtol=1e-5)
    assert explanation.predicted == int(logits.argmax())
    assert explanation.label == int(held_out.labels[4])
    for c, evidence in explanation.evidence.items():
        assert sum(e.contribution for e in evidence) == pytest.approx(float(logits[c]), abs=1e-4)
        assert [e.contribution for e in evidence] == sorted((e.contribution for e in evidence), reverse=True)
        assert {e.column for e in evidence} == set(model.assignment[c].nonzero().flatten().tolist())
        for e in evidence:
            assert e.feature == model.features[e.column]


def test_saliency_is_the_feature_map_on_the_grid_or_at_image_size(model: QpmModel, held_out: Samples) -> None:
    maps = model.feature_maps(held_out.patches[2:3], held_out.cls[2:3])[0].reshape(-1, 3, 4)
    plain = explain(model, held_out, 2)
    large = explain(model, held_out, 2, image_size=(30, 40))
    assert set(plain.evidence) == {plain.predicted, plain.label}
    for small, big in zip(plain.evidence[plain.label], large.evidence[plain.label], strict=True):
        np.testing.assert_allclose(small.saliency, maps[small.column].numpy(), rtol=1e-5)
        assert big.saliency.shape == (30, 40)
        # the middle of a token keeps its value when upsampled tenfold (between its two middle pixels)
        centre = big.saliency[4:6, 4:6].mean()
        neighbours = small.saliency[:2, :2]
        assert neighbours.min() - 1e-5 <= centre <= neighbours.max() + 1e-5
        assert big.saliency.mean() == pytest.approx(small.saliency.mean(), rel=0.5, abs=0.05)


def test_two_classes_differ_only_in_what_they_do_not_share(model: QpmModel, held_out: Samples) -> None:
    scores = model.head.standardise(model.feature_maps(held_out.patches, held_out.cls).mean(2))
    logits = model.logits(held_out.patches, held_out.cls)
    for a in range(4):
        for b in range(4):
            c = compare_classes(model, a, b)
            assert len(c.shared) + len(c.only_first) == len(c.shared) + len(c.only_second) == 5
            assert not {*c.only_first} & {*c.only_second}
            margin = scores[:, list(c.only_first)].sum(1) - scores[:, list(c.only_second)].sum(1)
            torch.testing.assert_close(margin, logits[:, a] - logits[:, b], rtol=1e-3, atol=1e-3)


def test_nearest_classes_share_the_most(model: QpmModel) -> None:
    for c in range(4):
        near = nearest_classes(model, c, n=2)
        shared = {d: len(compare_classes(model, c, d).shared) for d in range(4) if d != c}
        assert [shared[d] for d in near] == sorted(shared.values(), reverse=True)[:2]
