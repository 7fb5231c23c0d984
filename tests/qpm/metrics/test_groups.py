"""Worst group: the group with the lowest accuracy, of those large enough for a share to mean something."""

import dataclasses

import numpy as np
import pytest
import torch

from tests.searches import tiny_recipe
from tuner.base.metric import GROUPS, METRICS
from tuner.data.load import load_dataset
from tuner.errors import UsageError
from tuner.qpm.metrics.groups import worst_group
from tuner.qpm.metrics.kinds import Predictions
from tuner.search.driver.objective_check import refuse_unmeasurable


def test_the_lowest_share_of_groups_of_ten():
    together = torch.tensor([7] * 10 + [3] * 20 + [5] * 9)
    right = torch.ones(39, dtype=torch.bool)
    right[:2] = False  # 8 of 10 in group 7
    right[12:15] = False  # 17 of 20 in group 3
    right[30:] = False  # none of 9 in group 5, which is too small to count
    assert worst_group(right, together) == pytest.approx(0.8)
    assert worst_group(right[10:], together[10:]) is None, "one group is not the worst of several"


def test_the_row_reads_predictions():
    logits = torch.zeros(20, 2)
    logits[:, 0] = 1.0
    labels = torch.tensor([0] * 10 + [0] * 5 + [1] * 5)
    metric = METRICS["worst_group"]
    seen = Predictions(logits, labels, 2, logits, torch.arange(20) // 10)
    assert metric.function(seen) == pytest.approx(0.5)
    assert metric.function(dataclasses.replace(seen, together=None)) is None


def test_data_without_groups_have_none_and_it_is_no_goal():
    digits = load_dataset(tiny_recipe().data)
    assert GROUPS.of(digits) is None
    grouped = dataclasses.replace(digits, groups=np.arange(len(digits)) // 20 * 20)
    assert GROUPS.of(grouped) is not None
    with pytest.raises(UsageError, match="worst_group is no goal"):
        refuse_unmeasurable(tiny_recipe("objectives=[accuracy, worst_group]"), grouped)
