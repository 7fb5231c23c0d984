"""The assignment stage: which features are kept, and which of them make up each class
(docs/explanation/method.md#assignment-stage).

Reads the dense model's features on train, states the quadratic program and has it solved. It needs neither tokens
nor torch.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from threadpoolctl import threadpool_limits

from tuner.base.untrusted import read_json, read_tensors, require, shown, tensor_table
from tuner.errors import UsageError
from tuner.qpm.array_files import write_about, write_arrays
from tuner.qpm.former_assign import takes_a_model
from tuner.qpm.program import Moment, solve
from tuner.qpm.program.instance.arrays import Bools, Floats, Ints
from tuner.qpm.program.instance.coefficients import locality_bias, problem_from_features
from tuner.qpm.program.instance.problem import Problem
from tuner.qpm.program.instance.sizes import check_feasible
from tuner.qpm.program.listener import Listener
from tuner.qpm.program_input import DenseFeatures
from tuner.qpm.settings import AssignConfig

if TYPE_CHECKING:
    from tuner.qpm.dense import DenseModel


@dataclass(frozen=True, eq=False)
class Assignment:
    """What the program decided.

    Args:
        features: selected features as sorted indices into the dense width, (n_features,) int64.
        matrix: features of each class, (n_classes, n_features) bool, rows distinct.
        mean: of each selected feature over the images that the program rests on, (n_features,).
        std: population standard deviation, likewise.
        info: objective, bound, gap, status, n_pairs, threshold, n_candidates, n_dead, log; JSON, the same in every run
            with the same inputs unless the status says that the clock cut it short.
        timing: seconds, of the phases and of the log's moments too; JSON, empty for a control. Not saved: it differs
            from run to run.
    """

    features: Ints
    matrix: Bools
    mean: Floats
    std: Floats
    info: dict[str, Any] = field(default_factory=dict)
    timing: dict[str, Any] = field(default_factory=dict)

    @property
    def stopped_by_clock(self) -> bool:
        """Whether the deadline or Ctrl-C cut the program short, so that another run may answer otherwise."""
        return self.info.get("status") in ("deadline", "interrupted")

    def save(self, folder: Path) -> None:
        """Write `assignment.safetensors` and `assignment.json`, without the timing."""
        arrays = {"features": self.features, "matrix": self.matrix, "mean": self.mean, "std": self.std}
        write_arrays(folder / "assignment.safetensors", arrays)
        write_about(folder / "assignment.json", self.info)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what `save` wrote.

        Raises:
            MalformedError: a file is missing or damaged, or it is no assignment of features to classes.
        """
        file = folder / "assignment.safetensors"
        shape = tensor_table(file).get("matrix", ("", ()))[1]
        require(len(shape) == 2 and min(shape) > 0, file, f"its matrix is of {shown(shape)}", "classes x features")
        kinds = {"features": "I64", "mean": "F64", "std": "F64"}
        expected = {"matrix": ("BOOL", shape), **{name: (kind, shape[1:]) for name, kind in kinds.items()}}
        arrays: dict[str, Any] = read_tensors(file, expected)
        check_table(arrays["features"], arrays["matrix"], arrays["std"], file)
        return cls(**arrays, info=read_json(folder / "assignment.json"))

    def of(self, dense: "DenseModel") -> Self:
        """This assignment, after a check that it was made for this model.

        Raises:
            MalformedError: it names features or classes that the model lacks.
        """
        fits = len(self.matrix) == dense.n_classes and int(self.features.max()) < dense.adapter.width
        require(fits, "the assignment", "it names classes or features that the dense model lacks", "one of this model")
        return self


def check_table(features: Ints, matrix: Bools, std: Floats, where: object) -> None:
    """Refuse a table that no program and no draw makes: as many features for each class, no two classes alike.

    Raises:
        MalformedError: naming `where` it is from.
    """
    ascending = features[0] >= 0 and (np.diff(features) > 0).all()
    require(ascending, where, "its features are not ascending", "each selected feature once, in order")
    sizes = matrix.sum(1)
    same = sizes.min() == sizes.max() > 0
    require(same, where, "its classes have different numbers of features", "as many for each class, at least one")
    distinct = len(np.unique(matrix, axis=0)) == len(matrix)
    require(distinct, where, "two of its classes have the same features", "classes that can be told apart")
    require((std > 0).all(), where, "a deviation is not above 0", "deviations of features that vary")


@takes_a_model
def assign(
    features: DenseFeatures,
    config: AssignConfig,
    *,
    seed: int,
    warm_start: Ints | None = None,
    progress: Callable[[Moment], None] | None = None,
) -> Assignment:
    """Select features, and choose for every class which of them make it up.

    Args:
        features: of a trained dense model, as `dense_features` or the artifact of its stage gives them.
        config: sizes, variant of the program, images it rests on, forced class pairs, gap, effort, deadline; or the
            random control.
        seed: of the solver, or of the control.
        warm_start: features, as indices into the dense width, of a related solution.
        progress: called when the solver's incumbent or bound moves, and at least every two seconds from start to end,
            then with `moved` = False and the step at work as source: `locality bias`, `pairs`, `heuristics`, `root` or
            `tree`; may come from another thread, never from two at once.

    Raises:
        InfeasibleError: no assignment of these sizes exists.
        UsageError: it is to rest on images held out of the dense stage, and there are none.
        TunerError: no assignment with the forced class pairs was found.
    """
    features = _of_images(features, config.on)
    x = features.pooled.astype(np.float64)
    with Listener(progress) as listener, threadpool_limits(limits=1, user_api="blas"):
        if config.control == "random":
            selected, matrix, info = _draw(features, config, seed)
            timing: dict[str, Any] = {}
        else:
            problem, kept, info = _state(features, x, config, listener)
            near = None if warm_start is None else np.flatnonzero(np.isin(kept, warm_start))
            solution = solve(
                problem,
                deadline_s=config.deadline_s,
                gap=config.gap,
                warm_start=near,
                progress=listener,
                seed=seed,
                effort=config.effort,
            )
            selected, matrix, timing = kept[solution.features], solution.assignment, solution.timing()
            info |= solution.summary()
        listener.raise_error()
    info |= {
        "on": config.on,
        "n_images": len(features),
        "control": config.control,
        "n_candidates": features.width - info["n_dead"],
    }
    return Assignment(selected, matrix, x[:, selected].mean(0), x[:, selected].std(0), info, timing)


def _of_images(features: DenseFeatures, on: str) -> DenseFeatures:
    """Those of the images that the program is to rest on (docs/explanation/method.md#held-out-assignment)."""
    if on == "train":
        return features
    if features.trained.all():
        raise UsageError(
            f"assign.on={on}, and the dense model was trained on all {len(features)} images",
            "images that it was not trained on",
            "set dense.held_out, for example to 0.2, or assign.on=train",
        )
    return features.only(~features.trained)


def _state(
    features: DenseFeatures, x: Floats, config: AssignConfig, listener: Listener
) -> tuple[Problem, Ints, dict[str, Any]]:
    """The program over the live features of x, (n, width), their indices, and what is to be known about it."""
    local = config.variant == "paper" if config.locality_bias == "variant" else config.locality_bias == "on"
    listener.stage = "locality bias"
    bias = locality_bias(x, features.peaks.astype(np.float64), features.borders) if local else None
    listener.stage = "pairs"
    problem, kept, info = problem_from_features(
        x,
        features.labels,
        n_classes=features.n_classes,
        n_features=config.n_features,
        features_per_class=config.features_per_class,
        variant=config.variant,
        bias=bias,
        forced_pairs=config.forced_pairs,
    )
    return problem, kept, info | {"variant": config.variant, "locality_bias": local}


def _draw(dense: DenseFeatures, config: AssignConfig, seed: int) -> tuple[Ints, Bools, dict[str, Any]]:
    """Random live features and random distinct rows: what fine-tuning makes of no program
    (docs/explanation/method.md#controls)."""
    n, k = config.n_features, config.features_per_class
    alive, n_classes = dense.live(), dense.n_classes
    check_feasible(len(alive), n, k, n_classes)
    rng = np.random.default_rng([seed, 0xC0])
    features = np.sort(rng.choice(alive, n, replace=False))
    rows: dict[tuple[int, ...], None] = {}  # a set that keeps its order
    while len(rows) < n_classes:
        rows[tuple(sorted(rng.choice(n, k, replace=False).tolist()))] = None
    matrix = np.zeros((n_classes, n), dtype=np.bool_)
    np.put_along_axis(matrix, np.array(list(rows)), True, axis=1)
    return features, matrix, {"n_dead": dense.width - len(alive)}
