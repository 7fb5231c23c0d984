"""A made-up search with realistic numbers on real digits: what the report and picture tests render."""

from dataclasses import replace

import numpy as np
from sklearn.datasets import load_digits

from tuner.front.hypervolume import history, natural
from tuner.front.pareto import Objective
from tuner.front.pick import Rules, pick
from tuner.report.search_page import (
    BaselineRow,
    ClassView,
    ComparisonView,
    Curve,
    FeatureView,
    Importance,
    Origin,
    PickView,
    Report,
    Setting,
    Share,
    Span,
    StageUse,
    TrialRow,
)

OBJECTIVES = [
    Objective("accuracy", "max", 0.0, 100.0),
    Objective("interpretability", "max", 0.0, 100.0),
    Objective("n_features_used", "min", 0.0, 60.0, unit=""),
]
NAMES = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]
CLASS_FEATURES = {3: (0, 2, 5, 7, 8), 8: (0, 2, 4, 5, 11), 9: (0, 1, 5, 8, 12), 4: (1, 3, 6, 9, 12)}


def sample_rows(n: int = 36, seed: int = 7) -> list[TrialRow]:
    """Accuracy rises with size, interpretability falls; some trials stop, fail or are infeasible."""
    rng = np.random.default_rng(seed)
    rows = []
    for trial in range(n):
        m, k = int(rng.choice([10, 20, 30, 40, 50])), int(rng.integers(2, 7))
        width, l1 = int(rng.choice([128, 256, 512])), float(rng.choice([0.1, 1.0, 3.0, 6.0]))
        params = {"n_features": m, "features_per_class": k, "width": width, "l1": l1, "seed": 0}
        duration = float(rng.uniform(35, 260))
        course = {"ended_s": 30.0 * trial + duration, "spans": _spans(duration, reused=trial > 3)}
        if trial in (5, 17):
            rows.append(TrialRow(trial, "infeasible", params, {}, 0.4, "binomial(3, 3) = 1 row for 10 classes"))
        elif trial == 23:
            rows.append(TrialRow(trial, "failed", params, {}, duration, "CUDA out of memory in finetune"))
        elif trial % 8 == 3:
            rung = {"accuracy": 61.0, "n_images": 288.0}
            row = TrialRow(trial, "stopped", params, {"accuracy": 61.0}, duration / 3, "rung 1 of 3: dominated")
            rows.append(replace(row, rung=rung, rung_epoch=3))
        else:
            rows.append(TrialRow(trial, "complete", params, _values(rng, m, k, l1), duration, **course))
    return rows


def _spans(duration: float, reused: bool) -> list[Span]:
    shares = {"dense": 0.3, "assign": 0.1, "finetune": 0.5, "evaluate": 0.1}
    spans = [Span(name, 0.8 * share * duration, 0.2 * share * duration) for name, share in shares.items()]
    return [Span("dense", 0.0, 0.4, reused=True), *spans[1:]] if reused else spans


def _values(rng: np.random.Generator, m: int, k: int, l1: float) -> dict[str, float]:
    size = (m - 10) / 40 * 0.6 + (k - 2) / 4 * 0.4
    accuracy = 70 + 10 * np.sqrt(size) - 0.1 * l1 + rng.normal(0, 1.3)
    parts = {
        "plausibility_undilated": 45 + 4.5 * l1 + rng.normal(0, 2),
        "class_independence": 94 - 18 * size + rng.normal(0, 2),
        "contrastiveness": min(100.0, 90 + 1.6 * l1 + rng.normal(0, 1)),
    }
    values = {
        "accuracy": float(accuracy),
        "interpretability": float(np.prod(list(parts.values())) ** (1 / 3)),
        "n_features_used": float(m),
        **{name: float(v) for name, v in parts.items()},
    }
    return values | ({"sid5": float(80 + rng.normal(0, 3))} if k >= 5 else {})


def sample_views() -> list[ClassView]:
    """Digits with blob-shaped feature maps on a 8 x 8 grid, features shared between classes."""
    digits = load_digits()
    spots = np.random.default_rng(1).uniform(1, 7, (13, 2))
    down, across = np.mgrid[0:8, 0:8]
    views = []
    for label, features in CLASS_FEATURES.items():
        picture = digits.images[digits.target == label][3] / 16
        image = np.repeat((255 * picture).astype(np.uint8)[:, :, None], 3, axis=2)
        maps = {
            f: (np.exp(-((down - spots[f, 0]) ** 2 + (across - spots[f, 1]) ** 2) / 3.5) * (0.25 + picture))
            for f in features
        }
        shown = [
            FeatureView(f, m.astype(np.float32), float(3.2 * m.max() - 0.9 * (f == 7)), full=1.25)
            for f, m in maps.items()
        ]
        views.append(ClassView(NAMES[label], image, shown))
    return views


def sample_report(n_objectives: int = 2) -> Report:
    """The whole report, as a finished search on the digits would give it."""
    objectives = OBJECTIVES[:n_objectives]
    rows = sample_rows()
    points = [row.point() for row in rows]
    chosen = pick(points, objectives, Rules(within={"accuracy": 1.5}))
    ends = np.cumsum([(row.duration_s or 0.0) / 2 for row in rows])
    volumes = zip(ends.tolist(), history(points, objectives, natural(objectives)), strict=True)
    views = sample_views()
    return Report(
        search="digits-2026-11",
        objectives=objectives,
        rows=rows,
        hypervolume=(grown := [pair for pair, row in zip(volumes, rows, strict=True) if row.outcome == "complete"]),
        costs=sample_costs(len(grown)),
        stages=[
            StageUse("dense", ran=3, reused=30, run_s=212.0, saved_s=2104.0, cost="0.06 CPU h"),
            StageUse("assign", ran=24, reused=9, run_s=431.0, saved_s=120.0),
            StageUse("finetune", ran=30, reused=0, run_s=1630.0, saved_s=0.0),
            StageUse("evaluate", ran=28, reused=0, run_s=84.0, saved_s=0.0),
        ],
        cost="1.3 CPU h, 0.70 GPU h, 1.80 EUR",
        pick=PickView(chosen.point, chosen.reason, views, ComparisonView(views[0], views[1])),
        baselines=sample_baselines(),
        note="Objectives are measured on a validation split cut from train; the test split chose nothing.",
        importance=[sample_importance(o.name) for o in objectives],
        curves=[
            *(sample_curve(row.trial, stage) for row in rows[:3] for stage in ("dense", "finetune")),
            *(sample_curve(11, stage, epochs) for stage, epochs in (("dense", 12), ("finetune", 3))),
        ],
        origin=sample_origin(),
        log_parameters=frozenset({"l1"}),
    )


def sample_costs(n: int) -> dict[str, list[float]]:
    """What had been spent after each of so many complete trials."""
    return {"CPU hours": [0.046 * (i + 1) for i in range(n)], "EUR": [0.064 * (i + 1) for i in range(n)]}


def sample_importance(objective: str) -> Importance:
    shares = {"features_per_class": Share(0.61, 0.08), "n_features": Share(0.3, 0.07), "l1": Share(0.09, 0.05)}
    return Importance(objective, shares, trials=28, known=28)


def sample_curve(trial: int, stage: str, epochs: int = 12) -> Curve:
    """Loss falls, training accuracy rises."""
    n = np.arange(1, epochs + 1)
    columns = {"epoch": n, "loss": 2.0 * 0.8**n + 0.05 * trial, "accuracy": 80 - 50 * 0.7**n - trial}
    found: dict[str, list[float | None]] = {name: values.tolist() for name, values in columns.items()}
    if trial < 2:  # others were trained by an earlier version
        validation = {"val_loss": 2.2 * 0.82**n, "val_accuracy": 74 - 45 * 0.7**n, "val_n_images": 0 * n + 288.0}
        at = (1, 2, 3, 5, 8, epochs)
        found |= {
            k: [v if e in at else None for e, v in zip(n, vs.tolist(), strict=True)] for k, vs in validation.items()
        }
    return Curve((trial,), stage, found, of=10 if trial == 11 and stage == "finetune" else 0, tuned=stage == "finetune")


def sample_origin() -> Origin:
    return Origin(
        command="qpm-tuner search --recipe digits --store runs --name digits-2026-11 budget.trials=36",
        facts={"store": "runs", "commit": "0123abc", "machine": "2 CPU cores", "qpm-tuner": "0.2.0"},
        changed=[Setting("budget.trials", 36, 16), Setting("data.test_fraction", 0.25, 0.2)],
        same=[Setting("data.name", "digits", "digits"), Setting("seed", 0, 0)],
    )


def sample_baselines() -> list[BaselineRow]:
    parts = (
        "accuracy",
        "interpretability",
        "plausibility_undilated",
        "class_independence",
        "contrastiveness",
    )
    return [
        BaselineRow("linear probe", dict(zip(parts, (81.8, 58.4, 24.1, 90.0, 95.0), strict=True)), "on the mean token"),
        BaselineRow("dense", dict(zip(parts, (78.5, 61.9, 31.0, 94.0, 82.0), strict=True)), "before the program"),
        BaselineRow(
            "random assignment",
            dict(zip(parts, (78.9, 80.7, 72.0, 74.0, 98.5), strict=True)),
            "fine-tuned, 3 seeds",
        ),
    ]
