"""The interpretability index, an objective: the geometric mean of metrics available for nearly every model."""

from tuner.qpm.metrics.kinds import CompositeMetric

METRICS = (
    CompositeMetric(
        name="interpretability",
        heading="interpret.",
        help="geometric mean of undilated plausibility, class independence and contrastiveness, of those that apply",
        formula="(P · CI · C)^(1/3)",
        source="the project's own; its parts are published metrics",
        made_of=("plausibility_undilated", "class_independence", "contrastiveness"),
    ),
)
