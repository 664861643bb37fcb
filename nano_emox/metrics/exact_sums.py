"""Sums of fractions that do not depend on their order, so that any number of ranks gives one and the same result.

A fraction is rounded once to a multiple of 2**-60 and kept as two int64 halves; integers add exactly in any order.
Values lie in [0, 16]; 2**29 of them fit.
"""

from __future__ import annotations

from fractions import Fraction

import torch
from torch import Tensor

_HALF = 30
_SCALE = 2 * _HALF


def fixed_point(value: Fraction | float) -> int:
    """Round a non-negative value to a multiple of 2**-60 and return how many of them it is."""
    return round(Fraction(value) * (1 << _SCALE))


def halves(fixed: int) -> Tensor:
    """Split a sum of `fixed_point` numbers into (high, low), int64 of shape (2,), to be added to a state."""
    return torch.tensor(divmod(fixed, 1 << _HALF), dtype=torch.int64)


def mean(total: Tensor, count: Tensor | int) -> float:
    """Divide a sum of `halves`, shape (2,), by a count; NaN where the count is 0."""
    count = int(count)
    if count == 0:
        return float("nan")
    high, low = (int(part) for part in total)
    return float(Fraction((high << _HALF) + low, count << _SCALE))
