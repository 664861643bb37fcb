"""Element-wise work in fewer passes over memory: norms, gated activations, rotary positions, dropout, LoRA.

transformers writes them operator by operator: a norm makes five tensors of its input's size and reads thirteen in the
backward pass. A GPU has kernels for that; on a CPU they are written here, in pieces that fit its cache. Rotary positions
are turned by the same three operators on both. Numbers are transformers' own within rounding.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from nano_emox.dropout import drop
from nano_emox.lora import fuse_lora
from nano_emox.pieces import pieces
from nano_emox.rotary import rotate
from nano_emox.row_attention import RowBlocks, attend

NORMS = ("Qwen2RMSNorm", "Qwen3RMSNorm", "LlamaRMSNorm", "MistralRMSNorm")  # x / rms(x) * weight
ATTENTIONS = ("Qwen2Attention", "LlamaAttention", "MistralAttention")  # four projections, rotary positions, no norms
GATED = ("Qwen2MLP", "Qwen3MLP", "LlamaMLP", "MistralMLP")  # down(act(gate(x)) * up(x))
LARGE = 2**22  # elements from which on a tensor is made in pieces: smaller ones stay in the cache by themselves


def fuse(model: nn.Module, wanted: bool = True) -> None:
    """Let the modules of a model that are known here compute this way, or as they were published."""
    fuse_lora(model, wanted)
    for module in model.modules():
        forward = _forward_of(module)
        if wanted and forward is not None:
            module.forward = partial(forward, module)  # which can be pickled, as a method that a class lacks cannot
        elif forward is not None:
            module.__dict__.pop("forward", None)


def _forward_of(module: nn.Module) -> Callable[..., Any] | None:
    kind = type(module).__name__ if type(module).__module__.startswith("transformers.") else ""  # not a namesake
    if kind in ATTENTIONS:
        return _attention
    if kind in NORMS:
        return _norm
    if kind in GATED and type(module.act_fn).__name__ in ("SiLU", "SiLUActivation"):
        return _feed_forward
    return _dropout if type(module) is nn.Dropout else None


def _attention(
    module: Any,
    hidden_states: Tensor,
    position_embeddings: tuple[Tensor, Tensor],
    attention_mask: Tensor | None = None,
    past_key_values: Any = None,
    rows: RowBlocks | None = None,
    **options: Any,
) -> tuple[Tensor, Tensor | None]:
    """Of packed rows; anything else goes the published way."""
    if rows is None:
        published: tuple[Tensor, Tensor | None] = type(module).forward(
            module, hidden_states, position_embeddings, attention_mask, past_key_values, **options
        )
        return published
    shape = (*hidden_states.shape[:-1], -1, module.head_dim)
    query, key, value = (project(hidden_states).view(shape) for project in (module.q_proj, module.k_proj, module.v_proj))
    query, key = (rotate(part, *position_embeddings) for part in (query, key))
    query, key, value = (part.transpose(1, 2) for part in (query, key, value))
    if past_key_values is not None:
        key, value = past_key_values.update(key, value, module.layer_idx)
    dropout = module.attention_dropout if module.training else 0.0
    out, _ = attend(module, query, key, value, attention_mask, dropout, module.scaling, rows)
    return module.o_proj(out.reshape(*shape[:-2], -1)), None


def _dropout(module: Any, x: Tensor) -> Tensor:
    if module.training and 0 < module.p < 1 and x.device.type == "cpu" and x.is_floating_point() and not module.inplace:
        return drop(x, module.p)
    return nn.functional.dropout(x, module.p, module.training, module.inplace)


def _norm(module: Any, hidden: Tensor) -> Tensor:
    weight, eps = module.weight, module.variance_epsilon
    kind, alike = hidden.device.type, hidden.dtype == weight.dtype
    normed: Tensor
    if alike and kind == "cuda":
        with torch.autocast(kind, enabled=False):  # which would make a float32 tensor of it
            normed = nn.functional.rms_norm(hidden, weight.shape, weight, eps)
    elif alike and kind == "cpu" and hidden.dtype == torch.float32:
        normed = _RMSNorm.apply(hidden, weight, eps)
    else:
        normed = type(module).forward(module, hidden)
    return normed


def _feed_forward(module: Any, hidden: Tensor) -> Tensor:
    gate, up = module.gate_proj(hidden), module.up_proj(hidden)
    if gate.device.type == "cpu" and gate.numel() >= LARGE and torch.is_grad_enabled():
        product = _Gated.apply(gate, up)
    else:
        product = module.act_fn(gate) * up
    out: Tensor = module.down_proj(product)
    return out


class _RMSNorm(torch.autograd.Function):
    """Float32 (..., dim) to x / sqrt(mean(x^2) + eps) * weight."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, eps: float) -> Tensor:
        x = x.contiguous()
        out, scale = torch.empty_like(x), x.new_empty(*x.shape[:-1], 1)
        for part, normed, factor in pieces(x, out, scale):
            torch.linalg.vector_norm(part, dim=-1, keepdim=True, out=factor)
            factor.square_().div_(x.shape[-1]).add_(eps).rsqrt_()
            torch.mul(part, factor, out=normed).mul_(weight)
        ctx.save_for_backward(x, scale, weight)
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, outer: Tensor) -> tuple[Tensor | None, ...]:
        x, scale, weight = ctx.saved_tensors
        outer = outer.contiguous()
        d_x = torch.empty_like(x)
        d_weight = torch.zeros_like(weight) if ctx.needs_input_grad[1] else None
        for part, factor, slope, inner in pieces(x, scale, outer, d_x):
            if d_weight is not None:
                d_weight += (slope * part).mul_(factor).sum(0)
            torch.mul(slope, weight, out=inner)
            shared = torch.linalg.vecdot(inner, part)[:, None].mul_(factor.square().div_(-x.shape[-1]))
            inner.addcmul_(part, shared).mul_(factor)
        return d_x, d_weight, None


class _Gated(torch.autograd.Function):
    """silu(gate) * up, both (..., dim).

    Backward, their gradients take their place: no other node of the graph reads them by then. Who keeps gate_proj's or
    up_proj's output, in a hook say, finds a gradient in it afterwards.
    """

    @staticmethod
    def forward(ctx: Any, gate: Tensor, up: Tensor) -> Tensor:
        gate, up = gate.contiguous(), up.contiguous()
        out = torch.empty_like(gate)
        for one, other, product in pieces(gate, up, out):
            torch.mul(nn.functional.silu(one), other, out=product)
        ctx.save_for_backward(gate, up)
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, outer: Tensor) -> tuple[Tensor, Tensor]:
        gate, up = ctx.saved_tensors
        for one, other, slope in pieces(gate, up, outer.contiguous()):
            d_one = torch.ops.aten.silu_backward(slope * other, one)
            torch.mul(nn.functional.silu(one), slope, out=other)
            one.copy_(d_one)
        return gate, up
