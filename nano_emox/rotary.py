"""Rotary positions in one node of the graph: three passes over queries or keys in either direction, not twelve."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable


def rotate(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Rotate queries or keys by their positions.

    Args:
        x: (batch, length, heads, dim); a dimension of its first half forms a plane with the one of its second half.
        cos, sin: (batch, length, dim) of the angles, as a model's rotary embedding gives them; without gradients.

    Returns:
        (batch, length, heads, dim)
    """
    rotated: Tensor = _Rotated.apply(x, cos[..., None, :], sin[..., None, :])
    return rotated


class _Rotated(torch.autograd.Function):
    """x cos + (-x2, x1) sin, with x = (x1, x2)."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
        ctx.save_for_backward(cos, sin)
        first, second = sin.chunk(2, -1)
        return _turned(x, cos, first, second, 1)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, slope: Tensor) -> tuple[Tensor, None, None]:
        cos, sin = ctx.saved_tensors
        first, second = sin.chunk(2, -1)
        return _turned(slope, cos, second, first, -1), None, None


def _turned(x: Tensor, cos: Tensor, first: Tensor, second: Tensor, sign: int) -> Tensor:
    """x cos + sign (-x2 first, x1 second)."""
    x1, x2 = x.chunk(2, -1)
    out = x * cos
    out1, out2 = out.chunk(2, -1)
    out1.addcmul_(x2, first, value=-sign)
    out2.addcmul_(x1, second, value=sign)
    return out
