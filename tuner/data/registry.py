"""Which data sets there are: the built-in ones, and those that other packages register.

Readers are imported when a data set is read, so that a recipe can be read without them.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from tuner.base.settings import check_settings
from tuner.data.kinds import DATASETS, DatasetKind
from tuner.data.settings import DataConfig

if TYPE_CHECKING:
    from tuner.data.dataset import Dataset


def register_dataset(
    name: str,
    load: Callable[[Any], "Dataset"],
    settings: type[DataConfig] = DataConfig,
    *,
    needs_root: bool = True,
) -> DatasetKind:
    """Add a data set of one's own, in this process: from now on recipes can name it and set its settings.

    A package that is installed beside this one can name the result, a `DatasetKind`, in its entry points instead, in
    the group `qpm_tuner.datasets`; then every process knows it.

    Args:
        name: `data.name` in a recipe; lower-case letters, digits and underscores.
        load: takes the settings and gives a `tuner.data.dataset.Dataset`; `tuner.data.dataset.assemble` makes one of
            image files, their labels and masks.
        settings: a dataclass derived from `DataConfig`, its fields declared by `tuner.base.settings.setting`; they
            are `data.FIELD` in a recipe.
        needs_root: whether `data.root` must be set.

    Returns:
        The row of the table.

    Raises:
        UsageError: the name is none or taken, or the settings are no such dataclass.
    """
    check_settings(settings, DataConfig)
    return DATASETS.add(DatasetKind(name, load, settings, needs_root))


def _digits(config: DataConfig) -> "Dataset":
    from tuner.data.digits import load_digits

    return load_digits(config)


def _cub(config: DataConfig) -> "Dataset":
    from tuner.data.cub import load_cub

    return load_cub(config)


def _cub50(config: DataConfig) -> "Dataset":
    from tuner.data.cub50 import load_cub50

    return load_cub50(config)


def _cars(config: DataConfig) -> "Dataset":
    from tuner.data.cars import load_cars

    return load_cars(config)


def _folder(config: DataConfig) -> "Dataset":
    from tuner.data.folder import load_folder

    return load_folder(config)


DATASETS.declare(
    DatasetKind("digits", _digits, DataConfig, needs_root=False),
    DatasetKind("cub", _cub, DataConfig),
    DatasetKind("cub50", _cub50, DataConfig),
    DatasetKind("cars", _cars, DataConfig),
    DatasetKind("folder", _folder, DataConfig),
)
