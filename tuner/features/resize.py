"""What a backbone's weights say of resizing: the share of the short side that a crop leaves, and the filter.

Imports no torch.
"""

from collections.abc import Mapping
from typing import Any

from PIL import Image

from tuner.base.untrusted import require, shown

RESIZE = "resize"  # in a backbone's key material: what its weights say of resizing
FILTERS = {
    "nearest": Image.Resampling.NEAREST,
    "box": Image.Resampling.BOX,
    "bilinear": Image.Resampling.BILINEAR,
    "hamming": Image.Resampling.HAMMING,
    "bicubic": Image.Resampling.BICUBIC,
    "lanczos": Image.Resampling.LANCZOS,
}


def resolved(geometry: str, about: Mapping[str, Any] | None) -> str:
    """A recipe's geometry, with what the backbone's weights say of resizing.

    Args:
        geometry: `squash` or `crop`.
        about: the backbone's key material; its entry `resize` names a share and a filter, where the weights say so.

    Raises:
        MalformedError: the entry is none.
    """
    told = (about or {}).get(RESIZE)
    if told is None:
        return geometry
    share, how = (told.get(name) for name in ("share", "filter")) if isinstance(told, dict) else (None, None)
    sound = isinstance(share, float) and 0 < share <= 1 and isinstance(how, str) and how in FILTERS
    require(sound, "the description of the backbone", f"its {RESIZE} is {shown(told)}", "a share and a filter")
    return f"{geometry} {share!r} {how}"
