"""The functions that do the pieces of each step of a bank."""

from collections.abc import Callable, Iterator, Sequence

from tuner.features.building import Step
from tuner.features.fitting import make_fits
from tuner.features.mask_facts import look_at, make_mask_facts
from tuner.features.pieces import Done, Extractor, Piece, Tell
from tuner.features.shards import make_shards
from tuner.features.shelf import Shelf

Make = Callable[[Sequence[Piece], Shelf, Extractor, Tell], Iterator[Done]]

STEPS: dict[Step, Make] = {
    "mask_facts": make_mask_facts,
    "fits": make_fits,
    "shards": make_shards,
    "look": look_at,
}
