"""A second device where there is none: tensors that say they lie on it, while their data stay on the CPU.

It computes what the CPU computes, and notes what a GPU would not do or would have to wait for: operations on tensors of
both devices, and values that are read back. A build of torch without CUDA cannot make fake tensors of device `cuda`
that have gradients, so the device is called `meta`.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map

FAR = torch.device("meta")
COPIES = ("aten._to_copy", "aten.copy_")
WAITS = ("aten._local_scalar_dense", "aten.nonzero", "aten.masked_select", "aten.equal", "aten._unique2", "aten.unique")


class FarTensor(torch.Tensor):
    """A tensor on the second device."""

    near: torch.Tensor

    @staticmethod
    def __new__(cls, near: torch.Tensor) -> "FarTensor":
        made: FarTensor = torch.Tensor._make_wrapper_subclass(  # type: ignore[attr-defined]
            cls, near.shape, strides=near.stride(), storage_offset=near.storage_offset(), dtype=near.dtype, device=FAR
        )
        made.near = near
        return made

    @classmethod
    def __torch_dispatch__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        raise AssertionError(f"{func} outside of the block")


class SecondDevice(TorchDispatchMode):
    """A block in which the device `meta` computes.

    Attributes:
        mixed: operations that had tensors of both devices.
        waits: operations after which the CPU has to wait for the device.
    """

    def __init__(self) -> None:
        super().__init__()
        self.mixed: list[str] = []
        self.waits: list[str] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Compute on the data, and note what the devices would make of it."""
        given = dict(kwargs or {})
        tensors = [leaf for leaf in tree_leaves((args, given)) if isinstance(leaf, torch.Tensor)]
        far = [tensor for tensor in tensors if isinstance(tensor, FarTensor)]
        name = str(func.overloadpacket)
        target = given.get("device")
        if far and name not in COPIES and any(t.ndim for t in tensors if not isinstance(t, FarTensor)):
            self.mixed.append(name)
        home = (name == "aten._to_copy" and target is not None and torch.device(target) != FAR) or (
            name == "aten.copy_" and not isinstance(args[0], FarTensor)
        )
        if far and (name in WAITS or home):
            self.waits.append(name)
        if target is not None:
            given["device"] = torch.device("cpu")
        same = {id(tensor.near): tensor for tensor in far}
        out = func(*tree_map(_near, args), **tree_map(_near, given))
        stays = torch.device(target) == FAR if target is not None else bool(far) and not home
        return tree_map(lambda leaf: same.get(id(leaf), _far(leaf)) if stays else leaf, out)


def _near(leaf: Any) -> Any:
    return leaf.near if isinstance(leaf, FarTensor) else leaf


def _far(leaf: Any) -> Any:
    return FarTensor(leaf) if isinstance(leaf, torch.Tensor) else leaf


def on_the_cpu(function: Callable[..., torch.Generator]) -> Callable[..., torch.Generator]:
    """A maker of generators that makes them for the CPU: the second device has none of its own."""
    return lambda *purpose, **_: function(*purpose)
