"""A linear layer and its LoRA as one node of the graph.

peft adds `B(A(dropout(x))) * scaling` to the layer's output: a product, a scaling and a sum as wide as the output, and
backward a sum as wide as the input. Here the last product of either direction adds to what is there, and of dropout only
the mask is kept, a byte an element.
"""

from __future__ import annotations

from typing import Any

import torch
from peft import LoraConfig, inject_adapter_in_model
from peft.tuners.lora.layer import Linear
from peft.tuners.tuners_utils import BaseTunerLayer
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from nano_emox.dropout import keep_mask
from nano_emox.pieces import pieces


class LoraLinear(Linear):
    """peft's LoRA of a linear layer; parameters, merged weights and checkpoints are those of peft.

    Attributes:
        fused: False computes as peft does. So do several adapters at once, a layer that trains itself, and weights of
            several types without autocast.
    """

    fused: bool = True

    def forward(self, x: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        """Hidden states (..., in) to (..., out)."""
        names = [name for name in self.active_adapters if name in self.lora_A]
        if not self.fused or args or kwargs or self.disable_adapters or self.merged or len(names) != 1:
            return super().forward(x, *args, **kwargs)
        (name,) = names
        base, low, up = self.get_base_layer(), self.lora_A[name], self.lora_B[name]
        plain = type(base) is nn.Linear and not any(parameter.requires_grad for parameter in base.parameters())
        if name in self.lora_variant or up.bias is not None or not plain:
            return super().forward(x)
        weights = [base.weight, base.bias, low.weight, up.weight]
        if torch.is_autocast_enabled(x.device.type):
            dtype = torch.get_autocast_dtype(x.device.type)
            x, *weights = (None if tensor is None else tensor.to(dtype) for tensor in (x, *weights))
        elif any(weight is not None and weight.dtype != x.dtype for weight in weights):
            return super().forward(x)
        dropout = self.lora_dropout[name]
        share = dropout.p if isinstance(dropout, nn.Dropout) and dropout.training else 0.0
        if share >= 1:
            return super().forward(x)
        mask = keep_mask(x, share) if share else None
        out: Tensor = _LoraProduct.apply(x.contiguous(), mask, *weights, self.scaling[name] / (1 - share))
        return out


def add_lora(model: nn.Module, config: LoraConfig) -> None:
    """Put LoRA into a model's linear layers, as peft's `inject_adapter_in_model` does."""
    config._register_custom_module({nn.Linear: LoraLinear})
    inject_adapter_in_model(config, model)


def fuse_lora(model: nn.Module, wanted: bool = True) -> None:
    """Let the LoRA layers of a model compute in one node, or as peft does."""
    for module in model.modules():
        if isinstance(module, LoraLinear):
            module.fused = wanted


def bypass_idle_lora(model: nn.Module) -> bool:
    """Leave LoRA's arithmetic out where it is frozen and adds exactly zero (phases 1 and 2); returns whether it is.

    Called at every phase boundary and after weights were loaded, the two moments at which that can change.
    """
    lora = {name: parameter for name, parameter in model.named_parameters() if "lora_" in name}
    trains = {name: parameter.requires_grad for name, parameter in lora.items()}
    idle = not any(trains.values()) and not any(bool(p.any()) for name, p in lora.items() if "lora_B" in name)
    for module in model.modules():
        if isinstance(module, BaseTunerLayer) and module.disable_adapters != idle:
            module.enable_adapters(not idle)
    for name, parameter in lora.items():  # the switch above also moves these flags, which are the curriculum's
        parameter.requires_grad_(trains[name])
    return idle


class _LoraProduct(torch.autograd.Function):
    """x W' + b + s (x * mask) A' B', with frozen W (out, in) and b (out,), A (rank, in), B (out, rank)."""

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, mask: Tensor | None, weight: Tensor, bias: Tensor | None, a: Tensor, b: Tensor, scaling: float
    ) -> Tensor:
        flat = x.view(-1, x.shape[-1])
        if mask is None:
            low = flat @ a.T
        else:
            low = x.new_empty(len(flat), len(a))
            for part, kept, out in pieces(x, mask, low):
                torch.mm(part * kept, a.T, out=out)
        ctx.scaling = scaling
        ctx.save_for_backward(x, mask, low, weight, a, b)
        whole = nn.functional.linear(flat, weight, bias).addmm_(low, b.T, alpha=scaling)
        return whole.view(*x.shape[:-1], len(weight))

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, outer: Tensor) -> tuple[Tensor | None, ...]:
        x, mask, low, weight, a, b = ctx.saved_tensors
        wants_x, _, _, _, wants_a, wants_b, _ = ctx.needs_input_grad
        slope = outer.reshape(-1, outer.shape[-1])
        d_low = (slope @ b).mul_(ctx.scaling)
        d_b = (slope.T @ low).mul_(ctx.scaling) if wants_b else None
        d_x = slope @ weight if wants_x else None
        d_a = None
        if mask is None:
            d_a = d_low.T @ x.view(-1, x.shape[-1]) if wants_a else None
            if d_x is not None:
                d_x.addmm_(d_low, a)
        else:
            d_a = torch.zeros_like(a) if wants_a else None
            for part, kept, inner in pieces(x, mask, d_low):
                if d_a is not None:
                    d_a.addmm_(inner.T, part * kept)
            if d_x is not None:
                for kept, inner, part in pieces(mask, d_low, d_x):
                    part.add_((inner @ a).mul_(kept))
        return None if d_x is None else d_x.view(x.shape), None, None, None, d_a, d_b, None
