"""A metric that somebody adds is measured, optimised, shown and kept apart, and no other file knows of it."""

import io
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest
import torch
from rich.console import Console

from tests.report.sample import sample_report
from tuner.base.metric import IMAGE_ATTRIBUTES, MASKS, METRICS, DataNeed, SizeNeed, added_metrics, require_metrics
from tuner.data.load import load_dataset
from tuner.data.settings import DataConfig
from tuner.errors import TunerError, UsageError
from tuner.features.samples import Samples
from tuner.front import uncertainty
from tuner.qpm import CompositeMetric, DenseModel, FeatureMetric, HeadMetric, ImageMetric, evaluate, register_metric
from tuner.qpm.metrics.kinds import ImageBatch
from tuner.recipe import load_recipe, objectives_of
from tuner.report.search_page import render_report
from tuner.search.driver.objective_check import refuse_unmeasurable
from tuner.search.execute.plan import StageSpec, evaluation
from tuner.search.systems.rows import Comparison, Row, Run
from tuner.search.systems.text import comparison_text
from tuner.search.watch.texts import heading


def peak(images: ImageBatch) -> torch.Tensor:
    """Share of images whose strongest token lies on the object."""
    assert images.masks is not None
    strongest = images.maps.sum(2).argmax(1)
    return images.masks.flatten(1).gather(1, strongest.unsqueeze(1)).squeeze(1).gt(0).float()


PEAK = ImageMetric(
    name="peak_on_object",
    heading="peak",
    help="strongest token on the object",
    needs=(MASKS, SizeNeed("n_features", 2)),
    is_share=True,
    function=peak,
)


@pytest.fixture(autouse=True)
def clean() -> Iterator[None]:
    yield
    for name in METRICS.added():
        METRICS.remove(name)


def test_it_is_measured_on_the_images_that_have_what_it_needs(
    dense: DenseModel, train: Samples, held_out: Samples
) -> None:
    before = evaluate(dense, train, held_out, device="cpu")
    register_metric(PEAK)
    after = evaluate(dense, train, held_out, device="cpu")
    assert after == before | {"peak_on_object": after["peak_on_object"]}
    seen = held_out.subset(held_out.has_mask)
    maps = dense.feature_maps(seen.patches, seen.cls).transpose(1, 2)
    logits = dense.logits(seen.patches, seen.cls)
    expected = peak(
        ImageBatch(
            maps,
            logits.argmax(1),
            seen.labels,
            dense.weight,
            seen.masks,
            logits,
            maps.mean(1),
            seen.grid,
            seen.patches,
            seen.cls,
        )
    )
    assert after["peak_on_object"] == pytest.approx(100 * float(expected.mean()))
    bare = replace(held_out, masks=None, has_mask=None)
    assert "peak_on_object" not in evaluate(dense, train, bare, device="cpu")


def test_every_kind_is_measured(dense: DenseModel, train: Samples, held_out: Samples) -> None:
    register_metric(
        FeatureMetric(name="spread", heading="", help="", unit="", function=lambda t: float(t.features.std()))
    )
    register_metric(HeadMetric(name="none", heading="", help="", function=lambda head: None))
    register_metric(CompositeMetric(name="both", heading="", help="", made_of=("accuracy", "sid5", "nothing")))
    values = evaluate(dense, train, held_out, device="cpu")
    assert values["spread"] > 0
    assert "none" not in values
    assert values["both"] == pytest.approx((values["accuracy"] * values["sid5"]) ** 0.5)


@pytest.mark.parametrize(
    "wrong", [lambda _: 0.5, lambda _: torch.tensor(0.5), lambda i: i.maps], ids=["number", "scalar", "maps"]
)
def test_a_function_that_gives_no_value_per_image_is_named(
    dense: DenseModel, train: Samples, held_out: Samples, wrong: Callable[[ImageBatch], torch.Tensor]
) -> None:
    register_metric(ImageMetric(name="wrong", heading="", help="", function=wrong))
    with pytest.raises(TunerError, match=r"the metric wrong gave .* for 30 images") as error:
        evaluate(dense, train, held_out, device="cpu")
    assert all(error.value.args)


def test_images_must_have_everything_that_is_needed(dense: DenseModel, train: Samples, held_out: Samples) -> None:
    first = torch.arange(len(held_out)) < 10
    early = DataNeed("an early place", "wait", lambda data: first, per_image=True)
    count: list[int] = []

    def counted(images: ImageBatch) -> torch.Tensor:
        count.append(len(images.labels))
        return images.labels.float()

    register_metric(ImageMetric(name="early", heading="", help="", needs=(MASKS, early), function=counted))
    evaluate(dense, train, held_out, device="cpu")
    assert count == [int((held_out.has_mask & first).sum())]


def test_it_is_an_objective_that_is_refused_where_it_cannot_be_measured() -> None:
    with pytest.raises(UsageError, match="objective 'peak_on_object' is unknown"):
        load_recipe("digits", ["objectives=[accuracy, peak_on_object]"])
    register_metric(PEAK)
    recipe = load_recipe("digits", ["objectives=[accuracy, peak_on_object]"])
    objective = objectives_of(recipe)[1]
    assert (objective.direction, objective.low, objective.high, objective.unit) == ("max", 0.0, 100.0, "%")
    digits = load_dataset(DataConfig())
    refuse_unmeasurable(recipe, digits)
    with pytest.raises(UsageError, match="peak_on_object needs masks"):
        refuse_unmeasurable(recipe, replace(digits, has_mask=digits.has_mask & False))
    one = load_recipe("digits", ["objectives=[peak_on_object]", "space.n_features={choices: [1, 9]}",
                                 "space.features_per_class={choices: [1]}"])  # fmt: skip
    with pytest.raises(UsageError, match="no value below 2 n features"):
        refuse_unmeasurable(one, digits)
    register_metric(FeatureMetric(name="named", heading="", help="", needs=(IMAGE_ATTRIBUTES,), function=lambda _: 0.0))
    with pytest.raises(UsageError, match="named needs image attributes"):
        refuse_unmeasurable(load_recipe("digits", ["objectives=[named]"]), digits)


def test_tables_and_the_report_show_it() -> None:
    register_metric(PEAK)
    register_metric(CompositeMetric(name="mine", heading="mine", help="", made_of=("peak_on_object",)))
    assert heading("test/peak_on_object") == "test peak"
    values = {"accuracy": 90.0, "peak_on_object": 75.0, "mine": 75.0, "n_images": 50.0, "n_masked_images": 40.0}
    console = Console(file=io.StringIO(), width=160)
    row = Row("trial-1", "trial 1 50/5", "member", runs=(Run(0, "key", values),))
    console.print(comparison_text(Comparison((row,), (0,))))
    shown = console.file.getvalue()  # type: ignore[attr-defined]
    assert shown.index("accuracy") < shown.index("peak") < shown.index("±")
    assert "peak on object: n = 40 images with a mask" in shown
    assert uncertainty.error("peak_on_object", values) == pytest.approx(uncertainty.standard_error(75.0, 40))
    assert set(uncertainty.errors(values)) == {"accuracy", "peak_on_object"}

    report = sample_report()
    objective = objectives_of(load_recipe("digits", ["objectives=[mine]"]))[0]
    rows = [replace(row, values={**row.values, **values}) if row.values else row for row in report.rows]
    page = render_report(replace(report, rows=rows, objectives=[*report.objectives, objective], pick=None))
    part = '{"name": "peak on object", "heading": "peak on object [%]", "group": "parts of objectives", "number": true'
    assert part in page  # of an objective: it is told where one points at a trial


def test_its_evaluations_are_kept_apart_and_never_made_without_it() -> None:
    tuned = StageSpec("finetune", {"split": {}}, {"bank": "b"}, 0)
    plain = evaluation(tuned, "test")
    register_metric(PEAK)
    added = evaluation(tuned, "test")
    register_metric(replace(PEAK, version=2))
    assert len({plain.key, added.key, evaluation(tuned, "test").key}) == 3
    with pytest.raises(TunerError, match=r"peak_on_object in version 1, but this process has version 2"):
        require_metrics(added.settings)
    METRICS.remove("peak_on_object")
    assert added_metrics() == {}
    assert evaluation(tuned, "test") == plain
    require_metrics(plain.settings)
    with pytest.raises(TunerError, match="this process has none"):
        require_metrics(added.settings)
