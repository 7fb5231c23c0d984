"""Settings of a data set: its name, location, masks and split."""

from dataclasses import dataclass

from tuner.base.settings import setting
from tuner.data.kinds import DATASETS


@dataclass
class DataConfig:
    """The data set of a search."""

    name: str = setting("digits", "data set", choices=DATASETS)
    root: str = setting("", "folder of the data set, or s3://bucket/prefix (unused for digits and digit_pairs)")
    masks: str = setting(
        "",
        "folder (or s3://bucket/prefix) of object masks with the images' relative paths, or a COCO .json; empty: the data set's own, or none",
    )
    split_file: str = setting(
        "",
        "CSV `path,split` with split train or test; empty: the official split, folders train/ and test/, or a stratified split",
    )
    test_fraction: float = setting(0.25, "share of each class held out as test if no split is given", low=0.0, high=0.9)
    split_seed: int = setting(0, "seed of that split", low=0)
    classes: int = setting(
        0, "only the first so many classes, such as 50 of CUB's 200; 0: all", low=2, automatic=0, unit="classes"
    )


@dataclass
class ManifestConfig(DataConfig):
    """Images listed in a table."""

    manifest: str = setting(
        "",
        "with name=manifest: CSV or Parquet file, local or s3://bucket/key, with the columns path and label, and "
        "optionally split, group, mask and box",
    )
