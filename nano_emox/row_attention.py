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

from nano_emox.packing import Packing

ROWS = "nano_emox_rows"


@dataclass(frozen=True)
class RowBlocks:
    """The blocks of a `Packing` on a device, with what may not be seen taken out.

    Attributes:
        blocks: queries (n * q,) and keys (n * k,), flattened, and sees (n, q, k).
        answers: (length,) int64.
    """

    blocks: tuple[tuple[Tensor, Tensor, Tensor], ...]
    answers: Tensor
    _biases: dict[tuple[torch.dtype, int], list[Tensor]] = field(default_factory=dict)

    @classmethod
    def of(cls, packing: Packing, visible: Tensor) -> RowBlocks:
        """Args: visible: (length,) bool, which of the packed tokens others may attend to; a token always sees itself."""
        device = visible.device
        seen = torch.cat([visible.new_ones(packing.given), visible])
        blocks = []
        for block in packing.blocks:
            queries, keys, sees = (part.to(device) for part in (block.queries, block.keys, block.sees))
            itself = keys[:, None] == queries[..., None] + packing.given
            blocks.append((queries.flatten(), keys.flatten(), sees & (seen[keys][:, None] | itself)))
        return cls(tuple(blocks), packing.answers.to(device))

    def biases(self, dtype: torch.dtype, repeats: int) -> list[Tensor]:
        """Per block (n, 1, repeats * q, k): zero where a query sees a key, else minus infinity; one for all layers."""
        known = self._biases.get((dtype, repeats))
        if known is None:
            known = [
                torch.zeros(sees.shape, dtype=dtype, device=sees.device)
                .masked_fill(~sees, -torch.inf)
                .repeat(1, repeats, 1)[:, None]
                for _, _, sees in self.blocks
            ]
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
    flat = query[0].transpose(0, 1), key[0].transpose(0, 1), value[0].transpose(0, 1)
    outputs = []
    kind = query.device.type
    dtype = torch.get_autocast_dtype(kind) if torch.is_autocast_enabled(kind) else query.dtype  # else a copy in every layer
    for (queries, keys, sees), bias in zip(rows.blocks, rows.biases(dtype, repeats), strict=True):
        count, size, width = sees.shape
        asked = flat[0].index_select(0, queries).view(count, size, groups, repeats, dim)
        asked = asked.permute(0, 2, 3, 1, 4).reshape(count, groups, repeats * size, dim)
        held, told = (part.index_select(0, keys).view(count, width, groups, dim).transpose(1, 2) for part in flat[1:])
        out = nn.functional.scaled_dot_product_attention(asked, held, told, bias, dropout, scale=scaling)
        out = out.view(count, groups, repeats, size, dim).permute(0, 3, 1, 2, 4)
        outputs.append(out.reshape(count * size, heads, dim))
    return torch.cat(outputs).index_select(0, rows.answers)[None], None


AttentionInterface.register(ROWS, attend)
AttentionMaskInterface.register(ROWS, sdpa_mask)
