"""Which number type the adapter trains in: bfloat16 halves memory traffic and doubles the arithmetic.

Weights, losses, optimiser and every evaluation stay in float32.
"""

import torch

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16}


def settle(precision: str, device: torch.device) -> str:
    """`float32` or `bfloat16` for a setting that may be `auto`.

    `auto` takes bfloat16 where it is native (GPU since Ampere, CPU with AVX-512 BF16 or AMX).
    """
    if precision != "auto":
        return precision
    return "bfloat16" if _fast_bfloat16(device) else "float32"


def _fast_bfloat16(device: torch.device) -> bool:
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    return bool(torch.cpu._is_avx512_bf16_supported()) or bool(torch.cpu._is_amx_tile_supported())
