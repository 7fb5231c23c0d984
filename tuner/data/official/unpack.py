"""Unpacks tar and zip archives into a folder: nothing outside it is written, and nothing is left half unpacked."""

import errno
import gzip
import lzma
import shutil
import tarfile
import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from tuner.base.progress import Progress
from tuner.base.steps import Step
from tuner.base.untrusted import shown
from tuner.data.words import some
from tuner.errors import TunerError

MB = 1_000_000
BLOCK = 2**20  # bytes
MOST_GROWTH = 30  # bytes unpacked for each byte of an archive; archives of photographs hardly grow
FREE_GROWTH = 2_000 * MB  # that any archive may grow to
DAMAGE = (
    *(tarfile.TarError, zipfile.BadZipFile, gzip.BadGzipFile, zlib.error, lzma.LZMAError, EOFError),
    *(NotImplementedError, RuntimeError, ValueError),  # what is encrypted, or compressed in another way
)


class _RefusedError(Exception):
    """What is in an archive that must not be, and what was expected."""


def unpack(archive: Path, root: Path, gives: Sequence[str], progress: Progress, *, todo: str) -> None:
    """Unpack an archive below a folder, whole or not at all.

    Args:
        archive: a tar, as it is or compressed, or a zip.
        root: the folder; it exists.
        gives: paths below it that have to be there afterwards.
        progress: told of the megabytes read.
        todo: what to do with an archive that is damaged or another one.

    Raises:
        TunerError: the archive is damaged, cut off or of something else, has files that lead out of the folder, or the
            disk is full; `root` is as it was.
    """
    draft = root / f".unpacking-{archive.name}"
    shutil.rmtree(draft, ignore_errors=True)  # of a call that was interrupted
    try:
        draft.mkdir()
        with progress.step(f"unpacking {archive.name}") as step:
            _extract(archive, draft, step)
        if lost := [path for path in gives if not (draft / path).exists()]:
            held = some(sorted(path.name for path in draft.iterdir())) or "nothing"
            raise TunerError(
                f"{archive} holds {held}, but not {some(lost)}",
                f"the archive that its publisher calls {archive.name}",
                todo,
            )
        _move(draft, root)
    except _RefusedError as refused:
        what, expected = refused.args
        raise TunerError(f"{archive} {what}", expected, "do not use it: get the archive from its publisher") from None
    except DAMAGE as error:
        raise _damaged(archive, error, todo) from None
    except OSError as error:
        if error.errno is None:  # from bz2
            raise _damaged(archive, error, todo) from None
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        raise TunerError(
            f"there is no space to unpack {archive} in {root}",
            f"somewhat more than the {archive.stat().st_size / MB:,.0f} MB of the archive",
            "make room and run the same command again; the archive is kept",
        ) from None
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _damaged(archive: Path, error: Exception, todo: str) -> TunerError:
    reason = shown(str(error) or type(error).__name__, 200)
    return TunerError(f"{archive} is damaged, cut off or no archive: {reason}", "a complete tar or zip archive", todo)


def _extract(archive: Path, draft: Path, step: Step) -> None:
    if zipfile.is_zipfile(archive):
        _extract_zip(archive, draft, step)
    else:
        _extract_tar(archive, draft, step)


def _extract_tar(archive: Path, draft: Path, step: Step) -> None:
    """Files and folders only; Python's filter `data` refuses links and paths that lead out, devices, and odd modes."""
    if not hasattr(tarfile, "data_filter"):
        todo = "update Python, or unpack the archive by hand"
        raise TunerError("this Python's tarfile unpacks no archive safely", "3.11.4 or later", todo)
    size, grown = archive.stat().st_size, 0
    with archive.open("rb") as stream, tarfile.open(fileobj=stream, errorlevel=1) as tar:
        for member in tar:
            grown += member.size
            _check_growth(grown, size)
            try:
                tar.extract(member, draft, filter="data")
            except tarfile.FilterError as error:
                raise _RefusedError(
                    f"holds {shown(member.name)}: {shown(str(error), 200)}", "files below a folder"
                ) from None
            step.count(stream.tell() // MB, max(size // MB, 1), "MB")
        while rest := len(tar.fileobj.read(BLOCK) if tar.fileobj else b""):  # the checksum is behind the last file
            grown += rest
            _check_growth(grown, size)


def _extract_zip(archive: Path, draft: Path, step: Step) -> None:
    size, grown, read = archive.stat().st_size, 0, 0
    with zipfile.ZipFile(archive) as packed:
        for info in packed.infolist():
            grown, read = grown + info.file_size, read + info.compress_size
            _check_growth(grown, size)
            path = PurePosixPath(info.filename.replace("\\", "/"))
            if path.is_absolute() or ".." in path.parts or ":" in info.filename.partition("/")[0]:
                raise _RefusedError(
                    f"holds {shown(info.filename)}, which leads out of the folder", "files below a folder"
                )
            packed.extract(info, draft)  # a link becomes a file that holds its target's name
            step.count(read // MB, max(size // MB, 1), "MB")


def _check_growth(grown: int, size: int) -> None:
    if grown > max(MOST_GROWTH * size, FREE_GROWTH):
        raise _RefusedError(
            f"of {size / MB:,.1f} MB unpacks to more than {grown / MB:,.0f} MB",
            f"at most {MOST_GROWTH} times the archive's size, or {FREE_GROWTH / MB:,.0f} MB",
        )


def _move(draft: Path, root: Path) -> None:
    """Move what was unpacked into the folder; what is there under such a name stays in the way."""
    entries = sorted(draft.iterdir(), key=lambda entry: (entry.is_dir(), entry.name))  # a folder is what shows the end
    if taken := [entry.name for entry in entries if (root / entry.name).is_dir() and entry.is_dir()]:
        raise TunerError(
            f"{some(taken)} is in {root} already, and not complete",
            "a folder in which it is not, or a complete one",
            "remove it, or give another `root`",
        )
    for entry in entries:
        entry.replace(root / entry.name)
