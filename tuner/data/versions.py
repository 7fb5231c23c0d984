"""Asks a bucket which versions of objects it holds, so that what was hashed before is not fetched again."""

from collections import defaultdict
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from itertools import islice

from tuner.data.bucket import objects_of
from tuner.data.place import S3Path

FEW = 100  # objects that are asked for one by one; more are looked up in a listing
SPARSE = 20  # listed objects for each one that is looked for, beyond which a listing is given up


def versions_of(files: Sequence[S3Path]) -> dict[S3Path, str]:
    """Size and ETag of each object; without objects that are missing, or that no affordable listing shows.

    Raises:
        StoreError: the bucket cannot be listed.
    """
    by_bucket: dict[str, dict[str, S3Path]] = defaultdict(dict)
    for file in files:
        by_bucket[file.bucket][file.key] = file
    found: dict[S3Path, str] = {}
    for bucket, wanted in by_bucket.items():
        found |= {wanted[key]: version for key, version in _looked_up(bucket, list(wanted))}
    return found


def _looked_up(bucket: str, keys: Sequence[str]) -> list[tuple[str, str]]:
    objects = objects_of(bucket)
    if len(keys) > FEW:
        wanted = set(keys)
        with closing(objects.list(_common(keys))) as listing:
            some = islice(listing, SPARSE * len(keys))
            return [(entry.key, entry.stamp) for entry in some if entry.key in wanted]
    with ThreadPoolExecutor(objects.parallel) as pool:
        return [(entry.key, entry.stamp) for entry in pool.map(objects.look, keys) if entry is not None]


def _common(keys: Sequence[str]) -> str:
    """The longest prefix of all keys that ends with a slash."""
    first, last = min(keys), max(keys)
    same = next((i for i, (a, b) in enumerate(zip(first, last, strict=False)) if a != b), min(len(first), len(last)))
    return first[: first.rfind("/", 0, same) + 1]
