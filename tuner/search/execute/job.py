"""One stage being run in a worker: its inputs from the store, its checkpoint and its progress reports.

torch is imported only once a stage asks for images or a model.
"""

import json
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tuner.qpm.assignment import Assignment
from tuner.qpm.program import Moment
from tuner.qpm.program.solution import relative_gap
from tuner.qpm.program_info import ProgramInfo
from tuner.qpm.program_input import DenseFeatures
from tuner.search.execute.plan import StageSpec, digest
from tuner.search.execute.sides_cache import SidesCache
from tuner.search.record.inputs import Loaded, load_input
from tuner.search.stages import STAGES, program_stage
from tuner.store import Artifacts

if TYPE_CHECKING:
    from torch import Tensor

    from tuner.features.bank import FeatureBank
    from tuner.features.samples import Samples
    from tuner.qpm import DenseModel
    from tuner.qpm.resnet.model import ResnetModel

Progress = Callable[[int, int, dict[str, float]], None]


class StageJob:
    """One stage being run: its inputs, loaded on demand, and its progress.

    Args:
        spec: the stage.
        artifacts: the artifacts of the store that holds its inputs.
        scratch: local folder for epoch checkpoints.
        threads: CPU threads it uses.
        progress: as `run_stage` takes it.

    Attributes:
        fetching: kind and key of the input that was requested last.
        checkpoints: the folder of its epoch checkpoints.
        program: how its program ended; None before that.
        timing: seconds of the program's phases; not part of its result.
    """

    def __init__(
        self, spec: StageSpec, artifacts: Artifacts, scratch: Path, threads: int, progress: Progress | None
    ) -> None:
        self.spec = spec
        self.artifacts = artifacts
        self.threads = threads
        self.progress = progress
        self.fetching = ("", "")
        # A search in another store, which may run the same stage, must not delete them.
        self.checkpoints = scratch / f"{spec.key}-{digest(artifacts.store.url)[:8]}"
        self.program: ProgramInfo | None = None
        self.timing: dict[str, Any] = {}
        self.checkpoints.mkdir(parents=True, exist_ok=True)

    def samples(self, part: str) -> "Samples":
        """The images of one side of the split: `train`, `validation` or `test`."""
        split = json.dumps(self.spec.settings["split"], sort_keys=True)
        return self._load("banks", self.spec.inputs["bank"], lambda folder: samples_of(folder, part, split))

    def model(self, stage: str) -> Any:
        """The model that an earlier stage trained on the bank."""
        row = STAGES[stage]
        bank = self._load("banks", self.spec.inputs["bank"], _bank)
        return self._load(
            row.kind, self.spec.inputs[stage], lambda folder: row.load_model_class().load(folder).of(bank)
        )

    def dense_features(self) -> DenseFeatures:
        """What the first stage, dense or a ResNet, kept for the program."""
        return self._dense_features(DenseFeatures.load)

    def dense_features_of(self, dense: "DenseModel", train: "Samples") -> DenseFeatures:
        """The same, which must be that model's of these images."""
        shape = (train.labels.cpu().numpy(), train.patches.shape[1], dense.adapter.width)
        return self._dense_features(lambda folder: DenseFeatures.load(folder).of(*shape))

    def _dense_features(self, load: Callable[[Path], DenseFeatures]) -> DenseFeatures:
        (row,) = (STAGES[name] for name in self.spec.inputs if name in STAGES and STAGES[name].keeps_features)
        return self._load(row.kind, self.spec.inputs[row.name], load)

    def initial_resnet(self) -> "tuple[int, dict[str, Tensor]]":
        """Depth and initial weights of the ResNet that the bank of pixels holds.

        Raises:
            TunerError: the bank is of another backbone.
        """
        from tuner.features.resnet_weights import weights_of_bank

        bank = self._load("banks", self.spec.inputs["bank"], _bank)
        return weights_of_bank(bank)

    def assignment(self, dense: "DenseModel | ResnetModel") -> Assignment:
        """The assignment, which must use the dense model's features."""
        row = program_stage()
        return self._load(row.kind, self.spec.inputs[row.name], lambda folder: Assignment.load(folder).of(dense))

    def _load(self, kind: str, key: str, load: Callable[[Path], Loaded]) -> Loaded:
        self.fetching = (kind, key)
        return load_input(self.artifacts, kind, key, load)

    def tell_of_the_program(self, moment: Moment) -> None:
        """Report the program's progress: its incumbent, and the gap once there is a bound."""
        if self.progress is not None:
            gap = relative_gap(moment.bound, moment.incumbent)
            self.progress(0, 0, {"incumbent": moment.incumbent, "gap": gap})

    def trained(self, train: Callable[..., Any], *inputs: Any) -> Any:
        """Run `train` on the inputs, from the last checkpoint on."""
        from tuner.features.device import choose_device
        from tuner.qpm.checkpoint import CheckpointError

        # another device or number of threads rounds differently and must not resume from these epochs
        checkpoint = self.checkpoints / f"{choose_device('auto').type}-{self.threads}.ckpt"
        options = {"seed": self.spec.seed, "progress": self.progress, "checkpoint": checkpoint}
        try:
            return train(*inputs, **options)
        except CheckpointError:  # partly written when the machine crashed, or written by another version of a library
            for file in self.checkpoints.glob(f"{checkpoint.name}*"):  # one of each round
                file.unlink()
            return train(*inputs, **options)


@lru_cache(maxsize=1)
def _bank(folder: Path) -> "FeatureBank":
    from tuner.features.bank import load_bank

    return load_bank(folder, contents=False)  # fetch has just verified it


_SIDES = SidesCache()


def samples_of(folder: Path, part: str, split: str) -> "Samples":
    """One side of a split; kept, since a worker runs many stages on the same bank."""
    from tuner.features.sides import split_masks

    def load() -> "Samples":
        bank, settings = _bank(folder), json.loads(split)
        return bank.samples(split_masks(bank, settings, settings["split_seed"])[part])

    return _SIDES.get((folder, part, split), load)
