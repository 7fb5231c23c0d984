"""The learning curves that a training stage leaves in the store, on training and validation images.

An artifact of their own, with the key of the stage: measuring a training changes neither its result nor its key.
"""

from collections.abc import Sequence

from tuner.base.private import private_folder
from tuner.features.samples import Samples
from tuner.qpm.curves import VALIDATION
from tuner.qpm.storage import write_curves
from tuner.qpm.validation import is_due
from tuner.search.execute.job import StageJob


def validation_images(job: StageJob) -> Samples | None:
    """The images that a stage is measured on while it trains; under `protocol=paper` there are none."""
    return None if job.spec.settings["split"]["protocol"] == "paper" else job.samples("validation")


def publish_curves(job: StageJob, curves: Sequence[dict[str, float]], epochs: int, validation: Samples | None) -> None:
    """Publish the curves of a stage of so many epochs, or of the first of them.

    Those that lack a measurement, because a checkpoint of an earlier version was gone on with, are not: one key names
    one content.
    """
    whole = all(f"{VALIDATION}loss" in row for row in curves if is_due(int(row["epoch"]), epochs))
    if whole or validation is None:
        spec = job.spec
        meta = {"stage": spec.stage, "settings": spec.settings, "inputs": spec.inputs, "seed": spec.seed}
        with private_folder() as folder:
            write_curves(folder, curves)
            job.artifacts.publish(spec.row.curves, spec.key, folder, meta)
