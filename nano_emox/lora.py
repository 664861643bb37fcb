"""LoRA's sum in one matrix product.

peft adds `B(A(dropout(x))) * scaling` to a layer's output: a product, a scaling and a sum as wide as the output. Scaled
at its rank instead, and added by the product with B itself, one is left, and backward there is none besides the product.
"""

from __future__ import annotations

from typing import Any

import torch
from peft.tuners.lora.layer import Linear, LoraVariant
from torch import Tensor, nn


class AccumulatedLora(LoraVariant):
    """What peft calls in place of its own sum; parameters, merged weights and checkpoints are those of plain LoRA."""

    @staticmethod
    def merge_safe(module: Any, active_adapter: str, orig_weight: Tensor) -> Tensor:
        """The layer's weight (out, in) with LoRA's share, as a new tensor."""
        return orig_weight + module.get_delta_weight(active_adapter).to(orig_weight.dtype)

    @staticmethod
    def merge_unsafe(module: Any, active_adapter: str, orig_weight: Tensor) -> None:
        """Add LoRA's share to the layer's weight in place."""
        orig_weight.data += module.get_delta_weight(active_adapter).to(orig_weight.dtype)

    @staticmethod
    def unmerge(module: Any, active_adapter: str, orig_weight: Tensor) -> Tensor:
        """The weight without LoRA's share."""
        return orig_weight - module.get_delta_weight(active_adapter).to(orig_weight.dtype)

    @staticmethod
    def forward(module: Any, active_adapter: str, x: Tensor, result: Tensor, **_: Any) -> Tensor:
        """The layer's output (..., out): `result`, of the frozen layer, and LoRA's share."""
        low = module.lora_A[active_adapter](module.lora_dropout[active_adapter](x)) * module.scaling[active_adapter]
        up = module.lora_B[active_adapter]
        if low.dtype != result.dtype or up.bias is not None:  # float32 beside bfloat16, without autocast
            return result + up(low)
        flat = result.reshape(-1, result.shape[-1])
        return torch.addmm(flat, low.reshape(-1, low.shape[-1]), up.weight.to(low.dtype).T).view_as(result)


def accumulate(model: nn.Module, wanted: bool = True) -> None:
    """Let LoRA's linear layers add their share this way, or as peft does."""
    for module in model.modules():
        if isinstance(module, Linear):
            for name in module.lora_A:
                if wanted:
                    module.lora_variant[name] = AccumulatedLora()
                else:
                    module.lora_variant.pop(name, None)
