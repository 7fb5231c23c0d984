"""What the ledger and the evaluations in the store say about the members of a front: their error bars."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from tuner.base.metric import METRICS
from tuner.front import bootstrap, hypervolume
from tuner.front.bootstrap import Run
from tuner.front.confirmation import ErrorBars, weigh
from tuner.front.hypervolume import Reference
from tuner.front.pareto import Objective, Point
from tuner.search.record.inputs import load_input
from tuner.search.record.state import SearchState
from tuner.search.record.values import read_images
from tuner.search.stages import measuring_stage
from tuner.store import Artifacts, CorruptArtifactError, MissingKeyError

VOLUME_DRAWS = 200


def error_bars_of(
    members: Sequence[Point],
    state: SearchState,
    objectives: Sequence[Objective],
    split_seed: int,
    artifacts: Artifacts,
    warn: Callable[[str], None],
) -> dict[int, ErrorBars]:
    """The error bars of each member of a front.

    Where values of single images are missing or damaged, shares have their binomial error, and other metrics none of
    images.

    Args:
        members: with the search's own values.
        state: the state of the search.
        objectives: the front's axes.
        split_seed: of the search's own cut between train and validation.
        artifacts: of the search's store.
        warn: told of damaged values of single images.
    """
    searched, confirmed = runs_of([m.trial for m in members], state, objectives, split_seed, artifacts, warn)
    others = [point for point in state.points(objectives) if point.trial not in searched] if confirmed else []
    rivals = {point.trial: Run(int(point.params.get("seed", 0)), split_seed, point.values) for point in others}
    return weigh(searched, confirmed, objectives, rivals)


def volume_error_of(
    members: Sequence[Point],
    state: SearchState,
    objectives: Sequence[Objective],
    split_seed: int,
    artifacts: Artifacts,
    warn: Callable[[str], None],
    reference: Reference,
) -> float | None:
    """One standard error of the hypervolume of a front, over the images that its members were measured on.

    Args:
        members: with the search's own values; arguments otherwise as those of `error_bars_of`.
        reference: of the hypervolume.

    Returns:
        A share of the box; None without members, or where the noise of an objective is unknown.
    """
    counted = [member.trial for member in members if not member.violates]
    searched, _ = runs_of(counted, state, objectives, split_seed, artifacts, warn, own_images=True)
    measured = [o.name for o in objectives if o.name in METRICS]
    if not searched or not all(bootstrap.has_noise(name, run) for run in searched.values() for name in measured):
        return None
    runs = {trial: [run] for trial, run in searched.items()}
    drawn = bootstrap.resample(runs, [o.name for o in objectives], draws=VOLUME_DRAWS)
    return hypervolume.standard_error(list(drawn.values()), objectives, reference)


def runs_of(
    trials: Sequence[int],
    state: SearchState,
    objectives: Sequence[Objective],
    split_seed: int,
    artifacts: Artifacts,
    warn: Callable[[str], None],
    *,
    own_images: bool = False,
) -> tuple[dict[int, Run], dict[int, list[Run]]]:
    """The search's own run of complete trials, and their confirmation runs; arguments as those of `error_bars_of`.

    The values of single images are read of the confirmation runs where there are some, else of the search's own; with
    `own_images` of the search's own alone.
    """
    searched, confirmed = {}, {}
    lengths: dict[int, int] = {}  # images of each split
    for trial in trials:
        record = state.trials[trial]
        sizes = {o.name: record.params[o.name] for o in objectives if o.name in record.params}

        def run(seed: int, split: int, values: Mapping[str, float], key: str | None, sizes: Any = sizes) -> Run:
            images = _images(artifacts, key, warn)
            for scores in list(images.values())[:1]:  # one file holds as many for each metric
                if lengths.setdefault(split, len(scores)) != len(scores):
                    warn(f"evaluation {key} holds values of {len(scores)} images, others on its split {lengths[split]}")
                    images = {}
            return Run(seed, split, {**sizes, **values}, images)

        completed = [c for _, c in sorted(record.confirmations.items()) if c.outcome == "complete"]
        stage, seed = measuring_stage().name, int(record.params.get("seed", 0))
        key = record.stage_key(stage) if own_images or not completed else None
        searched[trial] = run(seed, split_seed, record.values, key)
        if completed and not own_images:
            confirmed[trial] = [run(c.seed, c.split_seed, c.values, c.stage_key(stage)) for c in completed]
    return searched, confirmed


def _images(artifacts: Artifacts, key: str | None, warn: Callable[[str], None]) -> dict[str, np.ndarray]:
    """Values of single images of an evaluation; empty where they are missing or damaged: the bars then lack them."""
    if key is None:
        return {}
    try:
        return load_input(artifacts, measuring_stage().kind, key, read_images)
    except MissingKeyError:
        return {}
    except CorruptArtifactError as error:
        warn(f"{error.what}: error bars without its images")
        return {}
