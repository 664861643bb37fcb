"""What all ranks of a run have to say to each other."""

from __future__ import annotations

from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor


def gather(own: Any) -> list[Any]:
    """What every rank has, in rank order, on every rank. All ranks must call it at the same place."""
    if not (dist.is_available() and dist.is_initialized()):
        return [own]
    gathered: list[Any] = [None] * dist.get_world_size()
    dist.all_gather_object(gathered, own)
    return gathered


def largest(own: Tensor) -> Tensor:
    """The largest value that any rank has, element by element, on every rank. All ranks must call it at the same place."""
    if dist.is_available() and dist.is_initialized():
        own = own.to(torch.int32)
        dist.all_reduce(own, op=dist.ReduceOp.MAX)
    return own
