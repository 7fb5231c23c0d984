"""Metrics of predictions, on logits made by hand whose answers are arithmetic."""

import math

import pytest
import torch
from sklearn.metrics import balanced_accuracy_score, f1_score, roc_auc_score

from tuner.qpm.metrics.calibration import calibrated, ece, nll, temperature
from tuner.qpm.metrics.decision_features import decision_features
from tuner.qpm.metrics.per_class import balanced_accuracy, class_counts, macro_f1
from tuner.qpm.metrics.two_classes import METRICS as OF_TWO
from tuner.qpm.metrics.two_classes import Predictions, auroc

SHARED = torch.tensor([[1.0, 1, 1, 0, 0, 0], [1, 1, 0, 1, 0, 0], [0, 0, 0, 0, 1, 1]])  # 0 and 1 differ in one feature


@pytest.mark.parametrize(
    ("inputs", "expected"),
    [
        ((0.0, 0, 5, 0, 0, 0), 1),
        ((9.0, 8, 3, 0, 0, 0), 3),  # the first two are the other's as well: a tie until the third
        ((5.0, 4, 3, 0, 0, 0), 1),  # one that few classes use tells more: 3 x 2/3 against 5 x 1/3
        ((3.0, 1, 4, 0, 0, 0), 1),
        ((5.0, 4, 1, -9, 0, 0), 2),  # that the other lacks one tells most, and leaves two classes
        ((6.0, 0, 1, 0, 5, -5), 4),  # a tie at 6 until the own one, which comes last of those that tell
        ((0.0, 0, 0, 0, 0, 0), 6),  # nothing tells: the first of equal logits
    ],
)
def test_decision_features(inputs: tuple[float, ...], expected: int) -> None:
    rows = torch.tensor([inputs])
    logits = rows @ SHARED.T
    assert decision_features(rows, SHARED, logits, torch.tensor([0])).tolist() == [expected]


def test_a_bias_may_decide_before_any_feature_but_one_is_the_least() -> None:
    rows = torch.tensor([[0.1, 0, 0, 0, 0, 0]])
    bias = torch.tensor([9.0, 0, 0])
    assert decision_features(rows, SHARED, rows @ SHARED.T + bias, torch.tensor([0])).tolist() == [1]


def test_features_that_decide_do_decide_and_fewer_do_not() -> None:
    draw = torch.Generator().manual_seed(1)
    weight, inputs = torch.randn(6, 12, generator=draw), torch.randn(40, 12, generator=draw)
    bias = torch.randn(6, generator=draw)
    logits = inputs @ weight.T + bias
    predicted = logits.argmax(1)
    counts = decision_features(inputs, weight, logits, predicted).int().tolist()
    assert len(set(counts)) > 3
    for z, c, count in zip(inputs, predicted.tolist(), counts, strict=True):
        telling = ((weight[c] - weight.mean(0)) * z).abs()
        order = sorted(range(12), key=lambda j: -float(telling[j]))
        given = [int((bias + weight[:, order[:r]] @ z[order[:r]]).argmax()) for r in range(1, 13)]
        assert set(given[count - 1 :]) == {c}
        assert count == 1 or given[count - 2] != c


def test_the_temperature_undoes_a_scale() -> None:
    draw = torch.Generator().manual_seed(2)
    logits = torch.randn(4000, 5, generator=draw, dtype=torch.float64)
    labels = torch.multinomial(logits.softmax(1), 1, generator=draw).squeeze(1)
    assert temperature(logits, labels) == pytest.approx(1.0, abs=0.1)
    assert temperature(8 * logits, labels) == pytest.approx(8 * temperature(logits, labels), rel=1e-3)
    known = calibrated(8 * logits, labels)
    assert known is not None
    assert nll(known, labels) == pytest.approx(nll(logits.log_softmax(1), labels), rel=0.01)
    assert ece(known, labels) < 0.03
    assert ece((8 * logits).log_softmax(1), labels) > 0.15, "it was far too sure"


def test_no_image_has_a_say_in_its_own_temperature() -> None:
    draw = torch.Generator().manual_seed(3)
    logits, labels = torch.randn(40, 3, generator=draw), torch.arange(40) % 3
    before = calibrated(logits, labels)
    logits[4] *= 30.0
    after = calibrated(logits, labels)
    assert before is not None
    assert after is not None
    same = [bool(torch.allclose(a, b)) for a, b in zip(before, after, strict=True)]
    alike = [i for i in range(40) if same[i]]
    assert len(alike) == 19, "its own half keeps the temperature that the other half gave"
    assert calibrated(logits[:1], labels[:1]) is None


def test_images_that_are_all_right_do_not_freeze() -> None:
    logits = 3.0 * torch.eye(4).repeat(5, 1)
    known = calibrated(logits, torch.arange(20) % 4)
    assert known is not None
    assert 0.5 < float(known.exp().amax()) < 0.999


def test_ece_by_hand() -> None:
    sure = torch.tensor([[0.95, 0.05], [0.95, 0.05], [0.6, 0.4], [0.4, 0.6]]).double().log()
    labels = torch.tensor([0, 1, 0, 1])  # right, wrong, right, right
    assert ece(sure, labels) == pytest.approx((abs(1 - 2 * 0.95) + abs(2 - 2 * 0.6)) / 4)
    assert nll(sure, labels) == pytest.approx(-(math.log(0.95) + math.log(0.05) + 2 * math.log(0.6)) / 4)


def test_metrics_of_classes_agree_with_scikit_learn() -> None:
    draw = torch.Generator().manual_seed(4)
    labels, predicted = (torch.randint(0, 5, (50,), generator=draw) for _ in range(2))
    counts = class_counts(predicted, labels, 7)
    assert counts.images.tolist() == labels.bincount(minlength=7).tolist()
    assert balanced_accuracy(counts) == pytest.approx(balanced_accuracy_score(labels, predicted))
    assert macro_f1(counts) == pytest.approx(f1_score(labels, predicted, average="macro"))


def test_metrics_of_two_classes() -> None:
    score, positive = torch.tensor([3.0, 1.0, 2.0, 2.0, 0.0]), torch.tensor([True, True, False, True, False])
    assert auroc(score, positive) == pytest.approx(roc_auc_score(positive, score))
    assert auroc(score, positive) == pytest.approx((2 + 1 + 1.5) / 6)
    assert auroc(score, positive | True) is None
    logits = torch.stack([torch.full((5,), 1.5), score], 1)
    values = [metric.function(Predictions(logits, positive.long(), 2, logits)) for metric in OF_TWO]
    assert values == pytest.approx([4.5 / 6, 2 / 3, 1 / 2])
