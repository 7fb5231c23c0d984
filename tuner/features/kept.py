"""What of a backbone's tokens a bank keeps: all of them, a quarter, or their mean alone; and in which type
(docs/explanation/large-banks.md#what-is-kept).

A backbone that is asked to keep less stands in for the one with all tokens: extraction, masks and prediction follow it.
"""

from typing import TYPE_CHECKING, Any, cast

from tuner.base.untrusted import require, shown
from tuner.errors import UsageError
from tuner.features.settings import SCALE_BYTES, TOKEN_TYPES, BackboneSettings

if TYPE_CHECKING:
    from torch import Tensor

    from tuner.features.backbone import Backbone, Tokens

ALL, QUARTER, POOLED = "all", "quarter", "pooled"


class Kept:
    """A backbone of which less is kept.

    Args:
        network: the backbone.
        tokens: `all`, `quarter` or `pooled`.
        token_type: how a bank stores them, one of `TOKEN_TYPES`.
    """

    def __init__(self, network: "Backbone", tokens: str, token_type: str) -> None:
        self._network, self._tokens, self.token_type = network, tokens, token_type
        height, width = network.grid
        sides = {ALL: (height, width), QUARTER: (-(-height // 2), -(-width // 2)), POOLED: (1, 1)}
        self.grid = sides[tokens]

    def __getattr__(self, name: str) -> Any:
        """Everything else is the backbone's."""
        if name.startswith("_"):  # of its own, which a copy has not yet
            raise AttributeError(name)
        return getattr(self._network, name)

    def key_material(self) -> dict[str, Any]:
        """The backbone's, and what is kept where it is not all as float16."""
        kept = {"tokens": self._tokens, "dtype": self.token_type}
        usual = {"tokens": ALL, "dtype": TOKEN_TYPES[0]}
        return {**self._network.key_material(), "kept": {k: v for k, v in kept.items() if v != usual[k]}}

    def tokens(self, images: "Tensor") -> "Tokens":
        """Those that are kept, (n, n_kept, dim), and CLS as it is."""
        from torch.nn import functional

        patches, cls = self._network.tokens(images)
        if self._tokens == POOLED:
            return patches.mean(1, keepdim=True), cls
        if self._tokens == QUARTER:
            maps = patches.reshape(len(patches), *self._network.grid, -1).permute(0, 3, 1, 2)
            means = functional.avg_pool2d(maps, 2, ceil_mode=True, count_include_pad=False)
            return means.flatten(2).transpose(1, 2).contiguous(), cls
        return patches, cls


def keeping(network: "Backbone", config: BackboneSettings, *, is_frozen: bool) -> "Backbone":
    """The backbone, or one that keeps what the settings say.

    Raises:
        UsageError: less is to be kept of tokens that are pixels.
    """
    if (config.keep, config.dtype) == (ALL, TOKEN_TYPES[0]):
        return network
    if not is_frozen:
        raise UsageError(
            f"backbone.keep={config.keep} and backbone.dtype={config.dtype} with backbone.name={config.name}",
            "all tokens as float16: they are pixels for a network that is trained end to end",
            f"leave both out, or lower backbone.image_size, {config.image_size or 'the usual one'} now",
        )
    return cast("Backbone", Kept(network, config.keep, config.dtype))


def token_type(network: "Backbone") -> str:
    """How a bank stores its patch tokens: one of `TOKEN_TYPES`."""
    return network.token_type if isinstance(network, Kept) else TOKEN_TYPES[0]


def token_bytes(kind: str, dim: int) -> int:
    """Bytes of a patch token on the disk: see `packing`."""
    return 2 * dim if kind == TOKEN_TYPES[0] else dim + SCALE_BYTES


def as_kept(network: "Backbone", patches: "Tensor", cls: "Tensor | None") -> "list[Tensor]":
    """Tokens as a bank of this backbone gives them back, as float32: patches, and CLS where there is one."""
    from tuner.features.packing import packed, unpacked

    kind = token_type(network)
    kept = patches.half() if kind == TOKEN_TYPES[0] else unpacked(packed(patches, kind, "the images"), kind)
    return [part.to(patches.device).float() for part in (kept, None if cls is None else cls.half()) if part is not None]


def token_type_of(backbone: dict[str, Any] | None, where: object) -> str:
    """The same, from what a bank says of its backbone.

    Raises:
        MalformedError: it says something odd, naming `where` it is from.
    """
    kept = (backbone or {}).get("kept", {})
    found = kept.get("dtype", TOKEN_TYPES[0]) if isinstance(kept, dict) else kept
    require(
        isinstance(found, str) and found in TOKEN_TYPES,
        where,
        f"its tokens are kept as {shown(found)}",
        " or ".join(TOKEN_TYPES),
    )
    return str(found)


def require_patches(config: BackboneSettings, what: str = "a QPM") -> None:
    """Refuse a bank without patch tokens, before anything is extracted.

    Args:
        config: the backbone's settings.
        what: what needs them.

    Raises:
        UsageError: the settings keep the mean token alone.
    """
    if config.keep == POOLED:
        raise UsageError(
            f"backbone.keep=pooled for {what}: it keeps one token an image",
            "patch tokens, on which a feature can fire at one place of the image",
            "set backbone.keep=all or quarter; `qpm-tuner compare --systems probe` works on pooled tokens",
        )
