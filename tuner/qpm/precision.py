"""Which number type the adapter trains in: bfloat16 halves memory traffic and doubles the arithmetic.

Weights, losses, optimiser and every evaluation stay in float32.
"""

import torch


def training_dtype(precision: str, device: torch.device) -> torch.dtype:
    """The type for `auto`, `float32` or `bfloat16` on `device`.

    `auto` takes bfloat16 where it is native (GPU since Ampere, CPU with AVX-512 BF16 or AMX).
    """
    if precision == "auto":
        return torch.bfloat16 if _fast_bfloat16(device) else torch.float32
    return torch.bfloat16 if precision == "bfloat16" else torch.float32


def _fast_bfloat16(device: torch.device) -> bool:
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    return bool(torch.cpu._is_avx512_bf16_supported()) or bool(torch.cpu._is_amx_tile_supported())
