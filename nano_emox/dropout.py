"""Dropout's masks, four elements to a random number where numbers are drawn one at a time."""

from __future__ import annotations

import torch
from torch import Tensor


def keep_mask(x: Tensor, share: float) -> Tensor:
    """Which elements dropout keeps, bool and of x's shape; each is dropped with probability `share`, to 1 / 65,536.

    A CPU draws one number at a time, and four elements can share the 64 bits of one.
    """
    if x.device.type != "cpu":
        return torch.empty(x.shape, dtype=torch.bool, device=x.device).bernoulli_(1 - share)
    least = torch.iinfo(torch.int64).min
    draws = torch.empty(-(-x.numel() // 4), dtype=torch.int64).random_(least, None).view(torch.int16)
    return (draws[: x.numel()] >= torch.iinfo(torch.int16).min + round(share * 2**16)).view(x.shape)


def drop(x: Tensor, share: float) -> Tensor:
    """Dropout of float x on a CPU."""
    return x * keep_mask(x, share).to(x.dtype).div_(1 - share)
