"""Tensors cut alike, so that what is done to a piece finds it in a CPU's cache; other devices get them whole."""

from __future__ import annotations

from collections.abc import Iterable

from torch import Tensor

PIECE = 2**19  # elements of the widest tensor: 2 MiB of float32


def pieces(*tensors: Tensor) -> Iterable[tuple[Tensor, ...]]:
    """Cut tensors (..., any dim), equal in what comes before the last dimension, along that; pieces are (rows, dim) views.

    Raises:
        RuntimeError: a tensor's strides do not allow a view.
    """
    flat = tuple(tensor.view(-1, tensor.shape[-1]) for tensor in tensors)
    rows = PIECE // max(1, *(tensor.shape[-1] for tensor in tensors))
    if len(flat[0]) <= rows or tensors[0].device.type != "cpu":
        return (flat,)
    return zip(*(tensor.split(max(1, rows)) for tensor in flat), strict=True)
