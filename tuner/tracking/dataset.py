"""The data set of a search as MLflow's dataset entity: name, digest, size; no image and no path leaves the machine."""

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from mlflow.entities import DatasetInput

LONGEST_DIGEST = 36
LONGEST_NAME = 500


class DatasetInfo(NamedTuple):
    """What is told of the data.

    Args:
        name: in the recipe.
        digest: key of the feature bank: the hash of images, split, labels and backbone; of several, a hash of theirs.
        n_images: all images; 0: unknown.
        n_classes: classes; 0: unknown.
        banks: keys of the feature banks, where the backbone is searched.
    """

    name: str
    digest: str
    n_images: int = 0
    n_classes: int = 0
    banks: Sequence[str] = ()


def dataset_input(info: DatasetInfo) -> "DatasetInput":
    """The entity, as an input for training."""
    from mlflow.entities import Dataset, DatasetInput, InputTag

    profile = {"images": info.n_images, "classes": info.n_classes}
    entity = Dataset(
        name=info.name[:LONGEST_NAME],
        digest=info.digest[:LONGEST_DIGEST],
        source_type="qpm-tuner",
        source=json.dumps({"feature_banks": list(info.banks)} if info.banks else {"feature_bank": info.digest}),
        profile=json.dumps({name: count for name, count in profile.items() if count}),
    )
    return DatasetInput(entity, [InputTag("mlflow.data.context", "training")])
