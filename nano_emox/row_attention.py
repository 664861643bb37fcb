"""Attention of packed rows: block by block, each query with the keys that it sees.

It is the attention function of the language model, registered with transformers under `ROWS`; without packed rows it is
transformers' own scaled dot-product attention.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from transformers import AttentionInterface, AttentionMaskInterface
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import sdpa_mask

from nano_emox.packing import Attention, Packing

ROWS = "nano_emox_rows"


@dataclass(frozen=True)
class RowBlocks:
    """The blocks of a `Packing` on a device, with what may not be seen taken out.

    Attributes:
        queries, keys: (n,) and (m,) int64, of all blocks, one after the other.
        sees: per block (pieces, q, k) bool.
        answers: (length,) int64.
        last: of the last layer.
    """

    queries: Tensor
    keys: Tensor
    sees: tuple[Tensor, ...]
    answers: Tensor
    last: RowBlocks | None = None
    _biases: dict[tuple[torch.dtype, int], list[Tensor]] = field(default_factory=dict, compare=False, repr=False)

    @classmethod
    def of(cls, packing: Packing, visible: Tensor) -> RowBlocks:
        """Args: visible: (length,) bool, which of the packed tokens others may attend to; a token always sees itself."""
        seen = torch.cat([visible.new_ones(packing.given), visible])
        last = None if packing.last is None else cls._of(packing.last, packing.given, seen, None)
        return cls._of(packing.attention, packing.given, seen, last)

    @classmethod
    def _of(cls, attention: Attention, given: int, seen: Tensor, last: RowBlocks | None) -> RowBlocks:
        asked, held, masks = [], [], []
        for block in attention.blocks:
            queries, keys, sees = (part.to(seen.device) for part in (block.queries, block.keys, block.sees))
            itself = keys[:, None] == queries[..., None] + given
            asked.append(queries.flatten())
            held.append(keys.flatten())
            masks.append(sees & (seen[keys][:, None] | itself))
        return cls(torch.cat(asked), torch.cat(held), tuple(masks), attention.answers.to(seen.device), last)

    def biases(self, dtype: torch.dtype, repeats: int) -> list[Tensor]:
        """Per block (pieces, 1, repeats * q, k): zero where a query sees a key, else minus infinity; one for all layers."""
        known = self._biases.get((dtype, repeats))
        if known is None:
            zero, never = (torch.tensor(value, dtype=dtype, device=self.queries.device) for value in (0.0, -torch.inf))
            known = [torch.where(sees, zero, never).repeat(1, repeats, 1)[:, None] for sees in self.sees]
            self._biases[dtype, repeats] = known
        return known


def attend(
    module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    dropout: float = 0.0,
    scaling: float | None = None,
    rows: RowBlocks | None = None,
    **options: Any,
) -> tuple[Tensor, Tensor | None]:
    """As transformers calls it, for query (batch, heads, length, dim); returns (batch, length, heads, dim).

    Args:
        rows: of a packed sequence, which is then the only row of the batch; keys and values are those of the given prefixes
            and of the sequence.
    """
    if rows is None:
        return sdpa_attention_forward(module, query, key, value, attention_mask, dropout=dropout, scaling=scaling, **options)
    _, heads, _, dim = query.shape
    groups = key.shape[1]
    repeats = heads // groups  # queries that share a key are more queries of that key: nothing is repeated
    kind = query.device.type
    dtype = torch.get_autocast_dtype(kind) if torch.is_autocast_enabled(kind) else query.dtype  # else a copy in every layer
    sizes = [sees.shape for sees in rows.sees]
    # Fetched for all blocks at once: gradients are then added up once, not as often as there are blocks.
    asked = query.squeeze(0).transpose(0, 1).index_select(0, rows.queries).split([count * size for count, size, _ in sizes])
    held, told = (
        part.squeeze(0).transpose(0, 1).index_select(0, rows.keys).split([count * width for count, _, width in sizes])
        for part in (key, value)
    )
    outputs = []
    for shape, *parts, bias in zip(sizes, asked, held, told, rows.biases(dtype, repeats), strict=True):
        count, size, width = shape
        asks = parts[0].view(count, size, groups, repeats, dim).permute(0, 2, 3, 1, 4)
        keys, values = (part.view(count, width, groups, dim).transpose(1, 2) for part in parts[1:])
        out = nn.functional.scaled_dot_product_attention(
            asks.reshape(count, groups, repeats * size, dim), keys, values, bias, dropout, scale=scaling
        )
        out = out.view(count, groups, repeats, size, dim).permute(0, 3, 1, 2, 4)
        outputs.append(out.reshape(count * size, heads, dim))
    return torch.cat(outputs).index_select(0, rows.answers)[None], None


AttentionInterface.register(ROWS, attend)
AttentionMaskInterface.register(ROWS, sdpa_mask)
