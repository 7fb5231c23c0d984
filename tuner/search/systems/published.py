"""The published figures of each system, in per cent, to stand beside ours on the same data set.

Source: the main table of DINO-QPM (arXiv 2604.07166), which gives neither deviations nor numbers of seeds. The names
are those of our metrics with the same definition. Plausibility is the dilated one, on CUB only, as Cars has no masks.
"""

SOURCE = "published: main table of DINO-QPM (arXiv 2604.07166), DINOv2 ViT-B/14 with registers; no deviations given"

_METRICS = ("accuracy", "sid5", "class_independence", "contrastiveness")

# system -> accuracy, SID@5, class-independence, contrastiveness on CUB and on Cars; plausibility on CUB
_TABLE: dict[str, tuple[tuple[float | None, ...], tuple[float | None, ...], float]] = {
    "probe": ((87.9, 50.9, 99.2, 59.2), (91.7, 51.5, 99.1, 60.9), 42.6),
    "dense": ((78.1, 91.8, 98.8, 84.5), (92.9, 93.1, 98.7, 82.8), 32.7),
    "resnet": ((83.9, 57.1, 98.0, 74.6), (92.5, 51.5, 97.9, 75.1), 60.7),
    "resnet_qpm": ((82.9, 89.6, 96.8, 93.6), (92.1, 88.2, 97.8, 97.1), 82.9),
    "sldd": ((84.6, 88.7, 94.4, 93.0), (92.9, 90.9, 93.9, 94.9), 78.0),
    "qsenn": ((85.4, 91.5, 93.6, 94.4), (93.3, 92.6, 94.0, 94.9), 86.0),
    "qpm": ((88.3, 90.1, 93.7, 100.0), (94.0, 91.7, 93.7, 100.0), 95.0),
    "compact": ((88.3, None, 93.8, 100.0), (94.0, None, 93.6, 100.0), 94.4),
}


def published(system: str, data: str, *, all_classes: bool = True) -> dict[str, float]:
    """The published values of a system on a data set, by metric; empty where there are none, as on some classes."""
    if not all_classes or system not in _TABLE or data not in ("cub", "cars"):
        return {}
    cub, cars, plausibility = _TABLE[system]
    found = dict(zip(_METRICS, cub if data == "cub" else cars, strict=True))
    if data == "cub":
        found["plausibility"] = plausibility
    return {name: value for name, value in found.items() if value is not None}
