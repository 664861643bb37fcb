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
        (x1, x2), (sin1, sin2) = x.chunk(2, -1), sin.chunk(2, -1)
        out = x * cos
        out1, out2 = out.chunk(2, -1)
        out1.addcmul_(x2, sin1, value=-1)
        out2.addcmul_(x1, sin2)
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, slope: Tensor) -> tuple[Tensor, None, None]:
        cos, sin = ctx.saved_tensors
        (slope1, slope2), (sin1, sin2) = slope.chunk(2, -1), sin.chunk(2, -1)
        d_x = slope * cos
        d_x1, d_x2 = d_x.chunk(2, -1)
        d_x1.addcmul_(slope2, sin2)
        d_x2.addcmul_(slope1, sin1, value=-1)
        return d_x, None, None
