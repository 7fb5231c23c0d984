"""A small dictionary of whitened patches after Coates & Ng: a backbone that is fitted in seconds and needs no download.

Coates, Ng & Lee, "An Analysis of Single-Layer Networks in Unsupervised Feature Learning", AISTATS 2011:
contrast-normalised patches, ZCA whitening, k-means, "triangle" encoding.
"""

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from tuner.base.one_thread import one_thread
from tuner.errors import UsageError
from tuner.features.backbone import Tokens
from tuner.features.settings import PatchDictionarySettings

PIXELS_A_TOKEN = 2  # usual image size: this times the grid
FIT_PATCHES = 15_000
CONTRAST_FLOOR = 10 / 255**2 * 10  # added to a patch's variance: flat patches stay flat
WHITENING_FLOOR = 0.1  # added to the covariance's eigenvalues
KMEANS_STEPS = 20


class PatchDictionary:
    """Tokens are soft memberships of overlapping patches in a dictionary of k-means atoms; there is no CLS token.

    Args:
        config: `grid` tokens per side, `patch_size` pixels, `n_atoms` the width of a token.

    Raises:
        UsageError: the grid does not divide the image.
    """

    has_cls = False
    licence = None  # it has no weights but those it learns

    def __init__(self, config: PatchDictionarySettings) -> None:
        self.image_size = config.image_size or PIXELS_A_TOKEN * config.grid
        self.grid = (config.grid, config.grid)
        self.stride, rest = divmod(self.image_size, config.grid)
        if rest or not self.stride:
            raise UsageError(
                f"backbone.image_size={self.image_size} with backbone.grid={config.grid}",
                "an image size that is a multiple of the grid",
                f"set backbone.image_size={max(1, self.stride) * config.grid}",
            )
        if config.patch_size < self.stride:
            raise UsageError(
                f"backbone.patch_size={config.patch_size} leaves gaps between tokens {self.stride} pixels apart",
                f"backbone.patch_size >= {self.stride}",
                "raise backbone.patch_size, or backbone.grid",
            )
        self.patch_size, self.seed = config.patch_size, config.seed
        self.dim = self.n_atoms = config.n_atoms
        self._device = torch.device("cpu")
        self._state: dict[str, Tensor] = {}

    def key_material(self) -> dict[str, Any]:
        """Every number the dictionary depends on."""
        return {
            "name": "patch_dictionary",
            "code": 1,
            "image_size": self.image_size,
            "grid": self.grid[0],
            "patch_size": self.patch_size,
            "n_atoms": self.n_atoms,
            "seed": self.seed,
            "fit": [FIT_PATCHES, KMEANS_STEPS, CONTRAST_FLOOR, WHITENING_FLOOR],
        }

    def load(self, device: torch.device) -> None:
        """Remembers the device."""
        self._device = device

    def needs_fit(self) -> bool:
        """Until it was fitted or loaded."""
        return not self._state

    def state(self) -> dict[str, Tensor]:
        """`mean` (p,) and `whitening` (p, p) of patches of p values, `atoms` (n_atoms, p)."""
        return {name: value.cpu() for name, value in self._state.items()}

    def load_state(self, state: dict[str, Tensor]) -> None:
        """Takes a fitted dictionary."""
        self._state = {name: value.to(self._device) for name, value in state.items()}

    def state_shapes(self) -> dict[str, tuple[int, ...]]:
        """See `state`."""
        values = 3 * self.patch_size**2
        return {"mean": (values,), "whitening": (values, values), "atoms": (self.n_atoms, values)}

    def fit(self, images: Iterable[Tensor]) -> None:
        """Draws patches from training images, whitens them and clusters them.

        Raises:
            UsageError: fewer patches than atoms.
        """
        from sklearn.cluster import KMeans

        patches = torch.cat([self._patches(batch.to(self._device)).flatten(0, 1).cpu() for batch in images])
        if len(patches) < self.n_atoms:
            raise UsageError(
                f"{len(patches)} training patches for backbone.n_atoms={self.n_atoms}",
                "more patches than atoms",
                "lower backbone.n_atoms",
            )
        generator = torch.Generator().manual_seed(self.seed)
        patches = patches[torch.randperm(len(patches), generator=generator)[:FIT_PATCHES]]
        with one_thread():
            mean = patches.mean(0)
            values, vectors = torch.linalg.eigh(torch.cov((patches - mean).T.double()))
            scale = torch.rsqrt(values.clamp(min=0) + WHITENING_FLOOR)
            whitening = (vectors * scale @ vectors.T).float()
            kmeans = KMeans(self.n_atoms, n_init=1, max_iter=KMEANS_STEPS, random_state=self.seed)
            kmeans.fit(((patches - mean) @ whitening).numpy())
        atoms = torch.from_numpy(kmeans.cluster_centers_)
        self.load_state({"mean": mean, "whitening": whitening, "atoms": atoms.float()})

    @torch.inference_mode()
    def tokens(self, images: Tensor) -> Tokens:
        """See `Backbone.tokens`: max(0, mean distance to the atoms - distance to the atom), the triangle encoding."""
        state = self._state
        whitened = (self._patches(images) - state["mean"]) @ state["whitening"]
        distance = torch.cdist(whitened, state["atoms"])
        return F.relu(distance.mean(-1, keepdim=True) - distance), None

    def _patches(self, images: Tensor) -> Tensor:
        """Contrast-normalised overlapping patches, (n, n_patches, 3 * patch_size**2)."""
        overhang = (self.grid[0] - 1) * self.stride + self.patch_size - self.image_size
        before = overhang // 2
        pad = (before, overhang - before) * 2
        pixels = F.pad(images.float().div(255), pad, mode="replicate")
        patches = F.unfold(pixels, self.patch_size, stride=self.stride).transpose(1, 2)
        centred = patches - patches.mean(-1, keepdim=True)
        return centred * torch.rsqrt(centred.square().mean(-1, keepdim=True) + CONTRAST_FLOOR)
