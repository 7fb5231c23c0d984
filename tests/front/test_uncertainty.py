"""A share of n images comes with an error that is right for large n and never nothing."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuner.front import uncertainty

VALUES = {"accuracy": 96.1, "plausibility": 50.0, "n_images": 288.0, "n_masked_images": 120.0}


@pytest.mark.parametrize(
    ("percent", "n", "error"),
    [(50.0, 10_000, 0.5), (96.1, 288, 1.15), (100.0, 288, 50 / 289), (0.0, 99, 0.5), (100.0, 1, 25.0)],
)
def test_the_standard_error_of_a_share(percent, n, error):
    assert uncertainty.standard_error(percent, n) == pytest.approx(error, rel=2e-3)


@given(st.integers(1, 10**7), st.data())
def test_no_share_is_certain(n, data):
    right = data.draw(st.integers(0, n))
    error = uncertainty.standard_error(100 * right / n, n)
    assert 0 < error <= 50 / (1 + 1 / n) ** 0.5
    assert error == pytest.approx(uncertainty.standard_error(100 * (n - right) / n, n))
    assert float(uncertainty.plus_minus(error).lstrip("<")) > 0


def test_shares_of_counted_images_have_an_error_and_nothing_else():
    assert uncertainty.errors(VALUES) == {"accuracy": pytest.approx(1.15, abs=1e-3)}
    assert uncertainty.beside("accuracy", VALUES) == "± 1.1, n = 288"
    assert uncertainty.beside("plausibility", VALUES) == ""
    assert uncertainty.images("plausibility", VALUES) == 120


def test_another_split_is_counted_by_its_own_images():
    values = VALUES | {"test/accuracy": 96.1, "test/n_images": 1440.0}
    assert uncertainty.beside("test/accuracy", values) == "± 0.5, n = 1440"
    assert uncertainty.beside("test/accuracy", VALUES | {"test/accuracy": 96.1}) == ""


@pytest.mark.parametrize("broken", [{}, {"n_images": 0}, {"n_images": float("nan")}, {"n_images": None}])
def test_without_a_count_nothing_is_said(broken):
    assert uncertainty.errors({"accuracy": 96.1} | broken) == {}
    assert uncertainty.errors({"accuracy": "96.1", "n_images": 9}) == {}


def test_small_errors_keep_a_digit():
    assert [uncertainty.plus_minus(e) for e in (12.34, 1.0, 0.05, 0.049, 0.0087, 0.0011, 1e-6, 0.0)] == [
        "12.3",
        "1.0",
        "0.1",
        "0.05",
        "0.009",
        "0.001",
        "<0.001",
        "0",
    ]


def test_the_legend_names_each_number_of_images_once():
    rows = [VALUES, VALUES | {"sid5": 80.0}]
    assert uncertainty.legend(["accuracy", "sid5", "plausibility", "width"], rows) == (
        "accuracy, sid5: n = 288 images; plausibility: n = 120 images with a mask"
    )
    assert uncertainty.legend(["accuracy"], [VALUES, VALUES | {"n_images": 300}]) == "accuracy: n = 288 to 300 images"
    assert uncertainty.legend(["accuracy"], [{"accuracy": 96.1}]) == ""
