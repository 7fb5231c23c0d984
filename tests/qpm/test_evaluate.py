"""Which metrics are there for which model and data, and that they come out of the right images."""

import copy
from dataclasses import replace

import numpy as np
import pytest
import torch

from tuner.errors import TunerError
from tuner.features.samples import Samples
from tuner.qpm.assignment import Assignment
from tuner.qpm.dense import DenseModel, dense_features
from tuner.qpm.evaluation import SeenOnTrain, change, evaluate, measure
from tuner.qpm.finetuning import QpmModel, assigned_model, finetune
from tuner.qpm.metrics.contrastiveness import contrastiveness
from tuner.qpm.metrics.kinds import ImageMetric
from tuner.qpm.metrics.sid import sid
from tuner.qpm.metrics.table import COUNTS, METRICS
from tuner.qpm.probe import train_linear_probe
from tuner.qpm.settings import FinetuneConfig

OF_TWO_CLASSES = {"auroc", "sensitivity", "specificity"}
OF_A_CHANGE = {"tuning_cosine", "tuning_cka"}
OF_GROUPS = {"worst_group"}


@pytest.fixture(scope="module")
def model(dense: DenseModel, assignment: Assignment) -> QpmModel:
    return assigned_model(dense, assignment)


def test_everything_applies_to_a_model_with_five_features_a_class(
    model: QpmModel, train: Samples, held_out: Samples
) -> None:
    values = evaluate(model, train, held_out, device="cpu")
    assert set(values) == {*METRICS, *COUNTS} - OF_TWO_CLASSES - OF_A_CHANGE - OF_GROUPS
    assert [values[name] for name in COUNTS] == [30, 24, 48]
    predicted = model.predict(held_out.patches, held_out.cls)
    assert values["accuracy"] == pytest.approx(100 * float((predicted == held_out.labels).float().mean()))
    maps = model.feature_maps(held_out.patches, held_out.cls).transpose(1, 2)
    assert values["sid5"] == pytest.approx(100 * float(sid(maps, model.weight, predicted).mean()), rel=1e-5)
    pooled = model.feature_maps(train.patches, train.cls).mean(2)
    assert values["exact_zeros"] == pytest.approx(100 * float((pooled == 0).float().mean()))
    used = model.assignment.any(0)
    assert values["contrastiveness"] == pytest.approx(100 * contrastiveness(pooled[:, used]), rel=1e-4)
    assert values["n_features_used"] == int(used.sum())
    assert values["features_per_class_used"] == 5.0
    seen = held_out.masks[held_out.has_mask] > 0
    assert values["mask_share"] == pytest.approx(100 * float(seen.float().mean()))
    parts = [values[k] for k in ("plausibility_undilated", "class_independence", "contrastiveness")]
    assert values["interpretability"] == pytest.approx((parts[0] * parts[1] * parts[2]) ** (1 / 3))
    for name, metric in METRICS.items():
        assert name not in values or metric.low - 1e-4 <= values[name] <= metric.high + 1e-4, name


def test_values_are_means_over_the_images_to_which_they_apply(
    model: QpmModel, train: Samples, held_out: Samples
) -> None:
    measured = measure(model, train, held_out, device="cpu")
    assert set(measured.per_image) == {name for name, metric in METRICS.items() if isinstance(metric, ImageMetric)}
    assert measured.values == evaluate(model, train, held_out, device="cpu")
    for name, scores in measured.per_image.items():
        assert scores.dtype == np.float32
        assert scores.shape == (30,)
        assert np.nanmean(scores) == pytest.approx(measured.values[name], rel=1e-5)
    right = model.predict(held_out.patches, held_out.cls) == held_out.labels
    assert (measured.per_image["accuracy"] == 100.0 * right.numpy()).all()
    assert (np.isnan(measured.per_image["mask_share"]) == ~held_out.has_mask.numpy()).all()


def test_what_the_dense_stage_kept_spares_the_assigned_model_a_pass(
    dense: DenseModel, assignment: Assignment, model: QpmModel, train: Samples, held_out: Samples
) -> None:
    kept = SeenOnTrain.kept(dense_features(dense, train, device="cpu"), assignment.features)
    passes: list[int] = []
    counting = model.register_forward_pre_hook(lambda _, tokens: passes.append(len(tokens[0])))
    values = measure(model, train, held_out, seen=kept, device="cpu").values
    assert sum(passes) == len(held_out)
    again = evaluate(model, train, held_out, device="cpu")
    counting.remove()
    assert values == pytest.approx(again, rel=1e-4)
    assert sum(passes) == len(held_out) + len(train) + len(held_out), "each side once"


def test_what_does_not_apply_is_absent(model: QpmModel, train: Samples, held_out: Samples) -> None:
    bare = dict.fromkeys(("masks", "has_mask", "image_attributes", "class_attributes", "parts", "cls"))
    without = replace(held_out, **bare)
    values = evaluate(model, replace(train, **bare), without, device="cpu")
    gone = {name for name, metric in METRICS.items() if any(need.of(without) is None for need in metric.data_needs)}
    assert gone > {"plausibility", "pointing", "mask_share", "structural_grounding", "attribute_alignment", "purity"}
    assert set(values) == {*METRICS, "n_images", "n_train_images"} - gone - OF_A_CHANGE - OF_GROUPS
    assert values["interpretability"] == pytest.approx(
        (values["class_independence"] * values["contrastiveness"]) ** 0.5
    )
    unseen = replace(held_out, has_mask=torch.zeros(len(held_out), dtype=torch.bool))
    assert not {"plausibility", "n_masked_images"} & set(evaluate(model, train, unseen, device="cpu"))


def test_a_question_of_two_classes_has_its_metrics(dense: DenseModel, train: Samples, held_out: Samples) -> None:
    two = [replace(samples, labels=samples.labels % 2, n_classes=2) for samples in (train, held_out)]
    values = evaluate(train_linear_probe(two[0], seed=0, device="cpu"), *two, device="cpu")
    assert set(values) >= OF_TWO_CLASSES
    assert values["balanced_accuracy"] == pytest.approx((values["sensitivity"] + values["specificity"]) / 2)


def test_a_head_reads_what_a_model_says_it_reads(model: QpmModel, dense: DenseModel, held_out: Samples) -> None:
    for one in (model, dense, train_linear_probe(held_out, seed=0, device="cpu")):
        seen = one.eval()(held_out.patches, held_out.cls)
        rest = seen.logits - one.head_inputs(seen.pooled) @ one.weight.T
        assert rest.std(0).max() < 1e-5, "what contributions leave over is a bias, the same for every image"


def test_features_that_are_not_looked_at_are_off(model: QpmModel, train: Samples, held_out: Samples) -> None:
    counted = measure(model, train, held_out, device="cpu").per_image["decision_features"]
    seen = model.eval()(held_out.patches, held_out.cls)
    weight, divided = model.weight, seen.pooled / model.head.std
    for image in range(len(held_out)):
        c = int(seen.logits[image].argmax())
        order = ((weight[c] - weight.mean(0)) * divided[image]).abs().argsort(descending=True)
        known = torch.zeros_like(seen.pooled[0])
        known[order[: int(counted[image])]] = seen.pooled[image, order[: int(counted[image])]]
        assert int(model.head(known[None]).argmax()) == c


def test_sid_is_absent_below_five_features_a_class(
    dense: DenseModel, assignment: Assignment, train: Samples, held_out: Samples
) -> None:
    thin = assignment.matrix.copy()
    for row in thin:
        row[row.nonzero()[0][-1]] = False
    values = evaluate(assigned_model(dense, replace(assignment, matrix=thin)), train, held_out, device="cpu")
    assert "sid5" not in values
    assert values["features_per_class_used"] == 4.0


def test_features_no_class_uses_do_not_count(
    dense: DenseModel, assignment: Assignment, train: Samples, held_out: Samples
) -> None:
    matrix = assignment.matrix.copy()
    matrix[:, 0], matrix[:, 1] = False, True
    model = assigned_model(dense, replace(assignment, matrix=matrix))
    values = evaluate(model, train, held_out, device="cpu")
    assert values["n_features_used"] == matrix.any(0).sum()
    pooled = model.feature_maps(train.patches, train.cls).mean(2)[:, torch.as_tensor(matrix.any(0))]
    assert values["exact_zeros"] == pytest.approx(100 * float((pooled == 0).float().mean()))


def test_dense_model_and_probe_are_measured_alike(dense: DenseModel, train: Samples, held_out: Samples) -> None:
    of_dense = evaluate(dense, train, held_out, device="cpu")
    assert of_dense["n_features_used"] == of_dense["features_per_class_used"] == 16
    probe = train_linear_probe(train, seed=0, device="cpu")
    assert (
        set(evaluate(probe, train, held_out, device="cpu"))
        == {*METRICS, *COUNTS} - OF_TWO_CLASSES - OF_A_CHANGE - OF_GROUPS
    )


def test_no_value_is_ever_nan(dense: DenseModel, assignment: Assignment, train: Samples, held_out: Samples) -> None:
    broken = assigned_model(dense, assignment)
    next(broken.adapter.parameters()).data[0, 0] = float("nan")
    with pytest.raises(TunerError, match=r"a logit of this model is not a number"):
        evaluate(broken, train, held_out, device="cpu")


def test_evaluation_is_deterministic(dense: DenseModel, train: Samples, held_out: Samples) -> None:
    first, again = (evaluate(dense, train, held_out, device="cpu") for _ in range(2))
    assert first == again


def test_what_tuning_changes_is_of_the_selected_features(
    model: QpmModel, dense: DenseModel, assignment: Assignment, train: Samples, held_out: Samples
) -> None:
    before = measure(model, train, held_out, device="cpu")
    assert change(before, before) == pytest.approx({"tuning_cosine": 100.0, "tuning_cka": 100.0})
    tuned = finetune(dense, assignment, train, FinetuneConfig(epochs=1, precision="float32"), seed=0, device="cpu")
    after = measure(tuned, train, held_out, device="cpu")
    found = change(before, after)
    assert set(found) == OF_A_CHANGE
    assert all(0 < value < 99.99 for value in found.values())
    pooled = dense.feature_maps(train.patches, train.cls).mean(2)[:, assignment.features]
    used = np.asarray(assignment.matrix).any(0)
    assert np.allclose(before.features, pooled.numpy()[:, used], atol=1e-5)


def test_peaks_decide_the_accuracy_of_max_pooling(dense: DenseModel, train: Samples, held_out: Samples) -> None:
    values = evaluate(dense, train, held_out, device="cpu")
    at_peaks = dense.head(dense.feature_maps(held_out.patches, held_out.cls).amax(2)).argmax(1)
    accuracy = 100 * float((at_peaks == held_out.labels).float().mean())
    assert values["max_pooling"] == pytest.approx(100 * accuracy / values["accuracy"])


def test_features_that_died_in_tuning_leave_every_value_a_number(
    model: QpmModel, train: Samples, held_out: Samples
) -> None:
    """A dead map is zero everywhere; the model is measured, and no metric divides by it."""
    dead = copy.deepcopy(model)
    last = dead.adapter.layers[-1].norm
    with torch.no_grad():
        last.weight[:3], last.bias[:3] = 0.0, -1.0
    values = evaluate(dead, train, held_out, device="cpu")
    assert np.isfinite(list(values.values())).all()
    assert set(values) == set(evaluate(model, train, held_out, device="cpu"))
    assert values["exact_zeros"] > 100 * 3 / 8 - 0.1
    with torch.no_grad():
        last.weight[:], last.bias[:] = 0.0, -1.0
    assert np.isfinite(list(evaluate(dead, train, held_out, device="cpu").values())).all()


def test_a_class_absent_from_the_held_out_images_leaves_every_value_a_number(
    model: QpmModel, train: Samples, held_out: Samples
) -> None:
    values = evaluate(model, train, held_out.subset(torch.nonzero(held_out.labels != 2).flatten()), device="cpu")
    assert np.isfinite(list(values.values())).all()
    assert "balanced_accuracy" in values
