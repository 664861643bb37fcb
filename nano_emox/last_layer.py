"""The last layer where it is wanted: its queries, their attention and its feed-forward network at those positions alone.

Nothing reads the last layer's output elsewhere; its keys and values are still made everywhere. Exact, and one layer of
28 (of seven in the `quarter` preset) for the price of a few positions.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

NARROWED = ("q_proj", "o_proj", "mlp")  # position by position; k_proj and v_proj are read by every later position


class LastLayer:
    """Hooks on those modules of a decoder's last layer that have the usual names; a layer without them is left whole."""

    def __init__(self, layer: nn.Module) -> None:
        self._wanted: Tensor | None = None
        self._shape: torch.Size = torch.Size()
        for name, module in layer.named_modules():
            if name.rpartition(".")[2] in NARROWED:
                module.register_forward_pre_hook(self._narrow)
                module.register_forward_hook(self._widen)
        attention = getattr(layer, "self_attn", None)
        if isinstance(attention, nn.Module):
            attention.register_forward_pre_hook(self._attend, with_kwargs=True)

    @contextmanager
    def only(self, wanted: Tensor) -> Iterator[None]:
        """Inside, outputs are right at `wanted` (n,) of the flattened (rows, length) positions, each named once."""
        self._wanted = wanted
        try:
            yield
        finally:
            self._wanted = None

    def _attend(
        self, module: nn.Module, inputs: tuple[Any, ...], options: dict[str, Any]
    ) -> tuple[tuple[Any, ...], dict[str, Any]] | None:
        rows = options.get("rows")
        if self._wanted is None or rows is None or rows.last is None:
            return None
        return inputs, {**options, "rows": rows.last}

    def _narrow(self, module: nn.Module, inputs: tuple[Any, ...]) -> tuple[Any, ...] | None:
        if self._wanted is None:
            return None
        hidden, *rest = inputs
        self._shape = hidden.shape[:2]
        return hidden.flatten(0, 1).index_select(0, self._wanted)[None], *rest

    def _widen(self, module: nn.Module, inputs: tuple[Any, ...], output: Any) -> Any:
        if self._wanted is None:
            return None
        whole = output.new_zeros(self._shape.numel(), output.shape[-1])
        return whole.index_copy(0, self._wanted, output[0]).view(*self._shape, -1)
