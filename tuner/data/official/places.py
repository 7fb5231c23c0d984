"""Finds the archives of a data set: on a disk, at a mirror, or at the publisher."""

from collections.abc import Sequence
from pathlib import Path
from urllib.parse import unquote, urlsplit

from tuner.base.folders import home_path
from tuner.base.secrets import hide, holds_secret
from tuner.data.official.download import check_address
from tuner.data.official.sources import Archive, Source
from tuner.data.words import some
from tuner.errors import TunerError, UsageError

DOWNLOADS = "downloads"  # below a data set's folder
PACKED = (".tgz", ".tar.gz", ".tar", ".zip")  # a mirror may have packed an archive in another way

Origin = str | Path  # an address, or a file


def find_archives(source: Source, missing: Sequence[Archive], root: Path, places: Sequence[str]) -> dict[str, Origin]:
    """Where each missing archive is, by its name; one that the data set can do without may be absent.

    Args:
        source: the data set.
        missing: its archives that are to be unpacked.
        root: the data set's folder; archives in it or in its `downloads/` are used.
        places: files, folders, and addresses of files or of what is before their names; empty: at the publisher.

    Raises:
        UsageError: a place does not exist, or is an address with a password.
        TunerError: an archive that is needed is nowhere.
    """
    known = [_checked(place) for place in places]
    found = {archive.name: origin for archive in missing if (origin := _origin(archive, root, known)) is not None}
    if absent := [archive.name for archive in missing if archive.name not in found and not archive.lacking]:
        command = f"qpm-tuner data fetch {source.name} --root {root} --from PLACE"
        if known:
            raise TunerError(
                f"{some(absent)} is in none of the places {some([hide(str(place)) for place in places])}",
                f"the archives of {source.title} under the names that their publisher gave them",
                f"name their files, their folder or a mirror, each by one of `places`: {command}",
            )
        raise TunerError(
            f"the publisher of {source.title} no longer offers {some(absent)}: {source.page}",
            "these archives, from somebody who has them (their MD5 is checked)",
            f"get them into a folder, or find a mirror, and name it: {command}",
        )
    return found


def _checked(place: str) -> Origin:
    """A place as a path, or as an address."""
    if "://" not in place:
        path = home_path(place, "a place") if place.startswith("~") else Path(place)
        if not path.exists():
            raise UsageError(f"there is no {path}", "a file, a folder or an address https://...", "correct `places`")
        return path
    if holds_secret(place):
        raise UsageError(
            "a place holds a user, a password or a key (not shown here), and every user here can read a command line",
            "an address without credentials",
            "download the archives, and name their folder",
        )
    check_address(place)
    return place


def _origin(archive: Archive, root: Path, places: Sequence[Origin]) -> Origin | None:
    names = _names(archive)
    here = (folder / name for folder in (root / DOWNLOADS, root) for name in names)
    if (file := next((file for file in here if file.is_file()), None)) is not None:
        return file
    for place in places:
        if isinstance(place, str):
            last = unquote(urlsplit(place).path.rpartition("/")[2])
            if last in names:
                return place
            if not last.endswith((*PACKED, ".mat")):
                return f"{place.rstrip('/')}/{archive.name}"
        elif place.is_file():
            if place.name in names:
                return place
        elif found := next((place / name for name in names if (place / name).is_file()), None):
            return found
    return None if places else archive.url or None


def _names(archive: Archive) -> tuple[str, ...]:
    """The file names under which an archive is recognized, its own first."""
    ending = next((ending for ending in PACKED if archive.name.endswith(ending)), None)
    if ending is None:
        return (archive.name,)
    stem = archive.name.removesuffix(ending)
    return (archive.name, *(stem + other for other in PACKED if other != ending))
