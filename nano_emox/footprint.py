"""What a training step holds in memory, part by part, without a weight: the model lies on the meta device.

Weights, gradients and optimizer state are counted. What the backward pass needs is measured: the parts run on torch's fake
tensors, which have shapes and no values, while autograd says which of them it would keep; attention is then the fused one.
Rows are packed with nothing in common, so the figure is an upper bound where rows are packed (sdpa; padded rows need more).
The way of computing is that of a GPU, which keeps more than a CPU; kernels and fragmentation come on top (`RESERVE`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode

from nano_emox.config import ModelConfig
from nano_emox.cross_entropy import LOGITS
from nano_emox.model import NanoEmoX
from nano_emox.packing import pack
from nano_emox.row_attention import RowBlocks

RESERVE = 1.5e9  # bytes: CUDA context, workspaces of kernels, fragmentation


@dataclass(frozen=True)
class Footprint:
    """Bytes of one training step.

    Attributes:
        rows: of the batch; `tokens` of a row, `supervised` of them with a loss.
        activations: what the backward pass needs, of all rows.
        loss: logits of one chunk with their slope, and hidden states at supervised positions.
    """

    rows: int
    tokens: int
    supervised: int
    weights: int
    gradients: int
    optimizer: int
    activations: int
    loss: int

    @property
    def total(self) -> int:
        """All of it, without `RESERVE`."""
        return self.weights + self.gradients + self.optimizer + self.activations + self.loss

    def largest_batch(self, memory: float) -> int:
        """Rows that fit into so many bytes, `RESERVE` left free: all but the activations stays as it is."""
        free = memory - RESERVE - (self.total - self.activations)
        return max(0, int(free // (self.activations / self.rows)))


def footprint(
    model: NanoEmoX,
    config: ModelConfig,
    *,
    rows: int,
    tokens: int,
    supervised: int,
    dtype: torch.dtype,
    autocast: torch.dtype,
    device: str = "cuda",
) -> Footprint:
    """Measure a step of the phase that the model is frozen for.

    Args:
        model: on the meta device, with `requires_grad` as the phase has it; it is `autocast` afterwards.
        rows, tokens, supervised: of the batch, of a row.
        dtype: of frozen weights; what trains is float32.
        autocast: what activations are computed in.
        device: kind of device whose way of computing is measured; none need be there.
    """
    trainable = sum(p.numel() for p in model.parameters() if p.requires_grad)
    frozen = {id(p): p.numel() for p in model.parameters() if not p.requires_grad}
    language = {id(p) for name, p in model.named_parameters() if name.startswith("language.") and "lora_" not in name}
    weights = 4 * trainable + sum(size * (dtype.itemsize if key in language else 4) for key, size in frozen.items())
    head = model.language.head
    chunk = min(LOGITS, rows * supervised * head.weight.shape[0])
    return Footprint(
        rows, tokens, supervised, weights, 4 * trainable, 8 * trainable,
        activations=_activations(model, config, rows, tokens, autocast, device),
        loss=chunk * (4 + autocast.itemsize) + 2 * rows * supervised * head.weight.shape[1] * autocast.itemsize,
    )  # fmt: skip


def cache_bytes(model: NanoEmoX, rows: int, tokens: int, dtype: torch.dtype) -> int:
    """Keys and values of `rows` answers of `tokens` tokens, prompt included."""
    config = model.language.model.config.get_text_config()
    head = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    return int(2 * config.num_hidden_layers * config.num_key_value_heads * head * rows * tokens * dtype.itemsize)


def _activations(model: NanoEmoX, config: ModelConfig, rows: int, tokens: int, dtype: torch.dtype, device: str) -> int:
    """Bytes that autograd keeps of the adapters, the fusion encoder and the language model."""

    trains = {name: any(p.requires_grad for p in part.parameters()) for name, part in model.named_children()}
    model.to(dtype)
    packing = pack([[(row, place) for place in range(tokens)] for row in range(rows)])
    with FakeTensorMode(allow_non_fake_inputs=True):
        model.to_empty(device=device)
        blocks = RowBlocks.of(packing, torch.ones(rows * tokens, dtype=torch.bool, device=device))

        def fake(*shape: int, grad: bool = False) -> Tensor:
            return torch.empty(*shape, dtype=dtype, device=device, requires_grad=grad)

        kept = 0
        heard, seen = model.speech_adapter.positions.embedding_dim, model.visual_adapter.positions.embedding_dim
        parts: dict[str, tuple[tuple[int, ...], ...]] = {
            "visual_adapter": ((config.frames, seen),),
            "speech_adapter": ((config.clips, heard),),
            "facial_adapter": ((config.frames, int(model.facial_adapter.queries.shape[-1])),),
            "fusion": ((config.clips, len(config.visual_layers), heard), (config.frames, len(config.visual_layers), seen)),
        }
        for name, shapes in parts.items():
            if trains[name]:
                part: Any = getattr(model, name)
                kept += saved_bytes(model, partial(part, *(fake(rows, *shape) for shape in shapes)))
        embedded = fake(1, rows * tokens, model.language.width, grad=True)
        decoder: Any = model.language.model.get_decoder()

        def decode() -> object:
            mask = torch.ones(1, 1, 1, 1, dtype=torch.bool, device=device)
            return decoder(
                inputs_embeds=embedded, attention_mask=mask, position_ids=packing.index[None].to(device), use_cache=False, rows=blocks
            )  # fmt: skip

        layers = saved_bytes(model, decode)
        if config.gradient_checkpointing:  # a layer's input each, and one layer at work
            depth = len(decoder.layers)
            layers = depth * embedded.numel() * dtype.itemsize + layers // depth
    return kept + layers


def saved_bytes(model: nn.Module, work: Callable[[], object]) -> int:
    """Bytes of all tensors that autograd keeps for the backward pass of `work`, each storage once, parameters left out."""
    own = {tensor.untyped_storage()._cdata for tensor in (*model.parameters(), *model.buffers())}
    found: dict[int, int] = {}
    alive: list[Tensor] = []  # a storage's address may be given again once it is free

    def pack(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage._cdata not in own and storage._cdata not in found:
            found[storage._cdata] = storage.nbytes()
            alive.append(tensor)
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        result = work()
    del result
    return sum(found.values())
