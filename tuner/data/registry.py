"""The registry of data sets: built-in ones, and those registered by other packages.

Loaders are imported when a data set is loaded, so that recipes can be parsed without them.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from tuner.base.settings import check_settings
from tuner.data.kinds import DATASETS, DatasetKind
from tuner.data.settings import DataConfig, ManifestConfig

if TYPE_CHECKING:
    from tuner.data.dataset import Dataset


def register_dataset(
    name: str,
    load: Callable[[Any], "Dataset"],
    settings: type[DataConfig] = DataConfig,
    *,
    needs_root: bool = True,
) -> DatasetKind:
    """Register your own data set in this process; recipes can then name it and set its settings.

    To make it available in every process, an installed package can instead declare the returned `DatasetKind` in the
    entry point group `qpm_tuner.datasets`.

    Args:
        name: `data.name` in a recipe; lower-case letters, digits and underscores.
        load: takes the settings and returns a `tuner.data.dataset.Dataset`; `tuner.data.dataset.assemble` creates one
            from image files, labels and masks.
        settings: a dataclass derived from `DataConfig`, with fields declared by `tuner.base.settings.setting`; a recipe
            sets them as `data.FIELD`.
        needs_root: whether `data.root` must be set.

    Returns:
        The registered entry.

    Raises:
        UsageError: the name is invalid or taken, or the settings are not such a dataclass.
    """
    check_settings(settings, DataConfig)
    return DATASETS.add(DatasetKind(name, load, settings, needs_root))


def _digits(config: DataConfig) -> "Dataset":
    from tuner.data.digits import load_digits

    return load_digits(config)


def _digit_pairs(config: DataConfig) -> "Dataset":
    from tuner.data.digit_pairs import load_digit_pairs

    return load_digit_pairs(config)


def _cub(config: DataConfig) -> "Dataset":
    from tuner.data.cub import load_cub

    return load_cub(config)


def _cub50(config: DataConfig) -> "Dataset":
    from tuner.data.cub import load_cub50

    return load_cub50(config)


def _cars(config: DataConfig) -> "Dataset":
    from tuner.data.cars import load_cars

    return load_cars(config)


def _folder(config: DataConfig) -> "Dataset":
    from tuner.data.folder import load_folder

    return load_folder(config)


def _manifest(config: ManifestConfig) -> "Dataset":
    from tuner.data.manifest import load_manifest

    return load_manifest(config)


DATASETS.declare(
    DatasetKind("digits", _digits, DataConfig, needs_root=False),
    DatasetKind("digit_pairs", _digit_pairs, DataConfig, needs_root=False),
    DatasetKind("cub", _cub, DataConfig),
    DatasetKind("cub50", _cub50, DataConfig),
    DatasetKind("cars", _cars, DataConfig),
    DatasetKind("folder", _folder, DataConfig, reads_buckets=True),
    DatasetKind("manifest", _manifest, ManifestConfig, needs_root=False, reads_buckets=True),
)
