"""Rotary positions in one node give transformers' queries and keys, and their gradients."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.testing import assert_close
from transformers import LlamaConfig
from transformers.models.llama.modeling_llama import LlamaRotaryEmbedding, apply_rotary_pos_emb

from nano_emox.rotary import rotate

BATCH, LENGTH, HEADS, DIM = 2, 7, 3, 8


def angles(dtype: torch.dtype = torch.float32) -> tuple[Tensor, Tensor]:
    config = LlamaConfig(hidden_size=HEADS * DIM, num_attention_heads=HEADS, head_dim=DIM)
    positions = torch.arange(LENGTH).expand(BATCH, -1) + torch.tensor([[0], [40]])
    return LlamaRotaryEmbedding(config)(torch.zeros(1, dtype=dtype), positions)


def outcome(x: Tensor, rotated: Tensor) -> tuple[Tensor, Tensor]:
    (rotated.float() * torch.linspace(-1, 2, rotated.numel()).view_as(rotated)).sum().backward()
    return rotated.detach(), x.grad


@pytest.mark.parametrize("kind", ["float32", "bfloat16", "autocast", "any angles"])
def test_it_is_transformers_own(kind):
    dtype = torch.bfloat16 if kind in ("bfloat16", "autocast") else torch.float32
    cos, sin = angles(torch.float32 if kind == "autocast" else dtype)
    if kind == "any angles":  # the halves' own, as no model has them
        cos, sin = torch.randn(2, BATCH, LENGTH, DIM)
    values = torch.randn(BATCH, LENGTH, HEADS, DIM).to(dtype)
    one, other = values.clone().requires_grad_(), values.clone().requires_grad_()
    with torch.autocast("cpu", torch.bfloat16, enabled=kind == "autocast"):
        expected = outcome(one, apply_rotary_pos_emb(one, one, cos, sin, unsqueeze_dim=2)[0])
        found = outcome(other, rotate(other, cos, sin))
    assert found[0].dtype == expected[0].dtype
    assert_close(found, expected, atol=0.03 if dtype == torch.bfloat16 else 1e-6, rtol=1e-5)


def test_a_length_is_kept_and_turning_back_gives_what_was_there():
    cos, sin = angles()
    x = torch.randn(BATCH, LENGTH, HEADS, DIM)
    turned = rotate(x, cos, sin)
    assert not torch.allclose(turned, x)
    assert_close(turned.norm(dim=-1), x.norm(dim=-1))
    assert_close(rotate(turned, cos, -sin), x)
