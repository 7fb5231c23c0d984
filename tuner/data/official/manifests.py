"""The manifest of each data set that has no reader of its own."""

from pathlib import Path

from tuner.base.progress import Progress
from tuner.data.official.aircraft import aircraft
from tuner.data.official.dogs import dogs
from tuner.data.official.flowers import flowers
from tuner.data.official.manifest import Line, Options, write_manifest
from tuner.data.official.pets import pets
from tuner.data.official.sources import Source
from tuner.errors import UsageError

BUILDERS = {"flowers": flowers, "pets": pets, "aircraft": aircraft, "dogs": dogs}


def make_manifest(source: Source, root: Path, options: Options, progress: Progress) -> tuple[Path, list[Line]]:
    """Write the manifest of an unpacked data set into its folder.

    Returns:
        The file, and its lines.

    Raises:
        UsageError: the data set needs no manifest, or does not have what the options ask for.
        TunerError: the folder is not that data set, or not all of it.
    """
    check_options(source, options)
    todo = f"run qpm-tuner data fetch {source.name} --root {root}, which gets and unpacks {source.title}"
    lines = BUILDERS[source.name](root, options, progress, todo)
    file = root / f"{source.name}.csv"
    write_manifest(file, root, lines, todo)
    return file, lines


def check_options(source: Source, options: Options) -> None:
    """Refuse options that a data set does not have.

    Raises:
        UsageError: it has other kinds of labels, no boxes, or no manifest.
    """
    if options.labels and options.labels not in source.labels:
        kinds = ", ".join(source.labels) or "none: it has one kind only"
        raise UsageError(f"labels {options.labels} of {source.name}", kinds, "choose one of them, or leave it out")
    if options.crop and not source.crops:
        raise UsageError(f"crop of {source.name}", "a data set with boxes of its objects", "leave it out")
    if not source.has_manifest:
        raise UsageError(
            f"a manifest of {source.name}, which has a reader of its own",
            f"one of {', '.join(BUILDERS)}",
            f"search it with data.name={source.name}",
        )
