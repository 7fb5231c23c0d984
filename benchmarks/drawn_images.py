"""Images that are drawn, as many as asked for: a folder of classes, and the same in a bucket."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import boto3
import numpy as np
from PIL import Image

CLASSES = 40
SIDE = 32
UPLOADS = 16  # at a time


def draw(folder: Path, n: int) -> None:
    """Write so many small images of `CLASSES` classes: a patch at a place and of a colour of the class, in noise."""
    rng = np.random.default_rng(0)
    for i in range(n):
        kind = i % CLASSES
        pixels = rng.integers(0, 120, (SIDE, SIDE, 3), dtype=np.uint8)
        row, column = 6 * (kind % 4), 6 * (kind // 4 % 4)
        pixels[row : row + 8, column : column + 8, kind % 3] = 160 + 2 * kind
        file = folder / f"class_{kind:02d}" / f"{i:06d}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(file, compress_level=1)


def upload(folder: Path, bucket: str, prefix: str) -> str:
    """Copy a folder into a bucket; returns its address."""
    client = boto3.client("s3")
    files = sorted(path for path in folder.rglob("*") if path.is_file())

    def put(file: Path) -> None:
        client.upload_file(str(file), bucket, f"{prefix}/{file.relative_to(folder).as_posix()}")

    with ThreadPoolExecutor(UPLOADS) as pool:
        list(pool.map(put, files))
    return f"s3://{bucket}/{prefix}"
