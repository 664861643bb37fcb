"""What all ranks of a run have to say to each other."""

from __future__ import annotations

from typing import Any

import torch.distributed as dist


def gather(own: Any) -> list[Any]:
    """What every rank has, in rank order, on every rank. All ranks must call it at the same place."""
    if not (dist.is_available() and dist.is_initialized()):
        return [own]
    gathered: list[Any] = [None] * dist.get_world_size()
    dist.all_gather_object(gathered, own)
    return gathered
