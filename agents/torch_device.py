"""Where networks run and in what precision, as settings name it."""

from __future__ import annotations

import torch


def choose_device(device: str) -> torch.device:
    """Resolve a device; `auto` is CUDA if there is one. Raises ValueError for a missing device."""
    if device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        chosen = torch.device(device)
    except RuntimeError:
        raise ValueError(f"device {device!r}: expected 'auto', 'cpu' or 'cuda'") from None
    if chosen.type == "cuda" and not torch.cuda.is_available():
        raise ValueError(f"device {device!r}: no CUDA device is available; use 'cpu' or 'auto'")
    return chosen


def choose_precision(precision: str, device: torch.device) -> torch.dtype:
    """Resolve a precision; `auto` is bfloat16 on CUDA and CPUs with bfloat16, else float32.

    Elsewhere bfloat16 is emulated: three times slower than float32 (AVX-512 without BF16).
    """
    if precision == "auto":
        native = device.type == "cuda" or torch.cpu._is_avx512_bf16_supported()
        return torch.bfloat16 if native else torch.float32
    return torch.bfloat16 if precision == "bfloat16" else torch.float32
