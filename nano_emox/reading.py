"""How a language model reads many rows: packed, what they have in common once, and its last layer where it is wanted."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from transformers import PreTrainedModel

from nano_emox.last_layer import LastLayer
from nano_emox.packing import Packing, pack
from nano_emox.prefixes import GivenPrefix, Ids, KeysValues, PrefixMemory


@dataclass(frozen=True)
class Row:
    """A row of tokens.

    Attributes:
        names: what each token is; tokens are one where they and all before them are equal (see `pack`).
        source: where each token's embedding is.
        prefix: ids of text that comes before, of which only keys and values are needed.
    """

    names: Sequence[Hashable]
    source: Sequence[int]
    prefix: Ids = ()


class Reader:
    """Runs the decoder of a causal language model over rows.

    Rows see their own tokens only, through a mask, so it serves models whose layers all attend to everything before them
    (`fits`), with scaled dot-product or eager attention.
    """

    def __init__(self, model: PreTrainedModel) -> None:
        self.model = model
        self.prefixes = PrefixMemory()
        self.fits = _attends_to_all(model)
        self.layers = layers = list(getattr(model.get_decoder(), "layers", []))
        self.last = LastLayer(layers[-1]) if layers else None
        for layer in layers:
            layer._can_checkpoint_with_cache = True  # the prefix given here never grows
        config = model.config.get_text_config()
        width = config.num_attention_heads * (
            getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
        )
        self.attention = 2 * width / max(1, sum(p.numel() for p in layers[-1].parameters())) if layers else 0.0

    def read(self, rows: Sequence[Row], embeddings: Tensor, visible: Tensor, wanted: tuple[Tensor, Tensor]) -> Tensor:
        """Hidden states of some tokens.

        Args:
            rows: what to read.
            embeddings: (n, width), of all tokens that rows name.
            visible: (n,) bool: which of them other tokens may attend to.
            wanted: row and place in it, each (m,) int64.

        Returns:
            (m, width)
        """
        packing = pack([row.names for row in rows], [row.prefix for row in rows], self.attention)
        device = embeddings.device
        starts = torch.tensor([len(row.prefix) for row in rows])
        source, filled = _sources(rows, packing)
        positions = ((packing.index + starts[packing.row]) * filled).to(device)
        before, mask = self.before(rows, packing.row)
        source = source.to(device)
        seen = packing.attends.to(device) & visible[source][:, None]
        mask = torch.cat([mask.to(device), seen], -1)
        blind = ~mask.any(-1)  # a token that nobody may see, at a row's very beginning
        own = torch.eye(source.shape[1], dtype=torch.bool, device=device)
        mask[..., mask.shape[-1] - source.shape[1] :] |= own & blind[..., None]

        flat = packing.place[wanted[0].cpu(), wanted[1].cpu()].to(device)
        inputs = embeddings.index_select(0, source.flatten()).view(*source.shape, -1)
        hidden = self.decode(inputs, mask[:, None], positions, GivenPrefix(before) if before else None, flat.unique())
        return hidden.flatten(0, 1).index_select(0, flat)

    def decode(
        self, inputs: Tensor, mask: Tensor | None, positions: Tensor | None, cache: Any, wanted: Tensor | None
    ) -> Tensor:
        """The decoder's output (rows, length, width), right at least at `wanted` of the flattened positions.

        Args:
            mask: (rows, 1, length, keys) bool, what each position attends to; or (rows, length), which are no padding.
        """
        if mask is not None and mask.ndim == 4 and self.model.config._attn_implementation == "eager":
            least = torch.finfo(inputs.dtype).min
            mask = torch.zeros(mask.shape, dtype=inputs.dtype, device=mask.device).masked_fill(~mask, least)
        narrow = self.last is not None and wanted is not None and not self.recomputes  # then, wanted is no longer known
        with self.last.only(wanted) if narrow else nullcontext(), self._recomputing():  # type: ignore[union-attr, arg-type]
            out: Any = self.model.get_decoder()(
                inputs_embeds=inputs, attention_mask=mask, position_ids=positions, past_key_values=cache,
                use_cache=cache is not None and not isinstance(cache, GivenPrefix),
            )  # fmt: skip
        hidden: Tensor = out.last_hidden_state
        return hidden

    @property
    def recomputes(self) -> bool:
        """Whether layers are computed again in the backward pass."""
        return torch.is_grad_enabled() and any(getattr(layer, "gradient_checkpointing", False) for layer in self.layers)

    @contextmanager
    def _recomputing(self) -> Iterator[None]:
        """Frozen layers would not be recomputed in eval mode; this flag alone, not that of the dropout inside them."""
        modes = [layer.training for layer in self.layers]
        for layer in self.layers:
            layer.training = layer.training or self.recomputes
        try:
            yield
        finally:
            for layer, mode in zip(self.layers, modes, strict=True):
                layer.training = mode

    def before(self, rows: Sequence[Row], of: Tensor) -> tuple[KeysValues, Tensor]:
        """Keys and values of the rows' prefixes, and (..., prefix tokens) bool: which of them tokens of rows `of` attend to.

        Args:
            of: (...) int64, rows; -1 attends to none.
        """
        prefixes = list(dict.fromkeys(row.prefix for row in rows if row.prefix))
        own = torch.tensor([prefixes.index(row.prefix) if row.prefix else -1 for row in rows])
        of_key = torch.tensor([i for i, prefix in enumerate(prefixes) for _ in prefix], dtype=torch.long)
        mask = (own[of][..., None] == of_key) & (of >= 0)[..., None]
        return (self.prefixes.of(self.model, prefixes) if prefixes else []), mask


def _sources(rows: Sequence[Row], packing: Packing) -> tuple[Tensor, Tensor]:
    """Where each packed token's embedding is (bins, length), zero where a bin is not full, and where it is."""
    table = torch.zeros(packing.place.shape, dtype=torch.long)
    for number, row in enumerate(rows):
        table[number, : len(row.source)] = torch.tensor(row.source, dtype=torch.long)
    filled = packing.row >= 0
    return table[packing.row, packing.index] * filled, filled


def _attends_to_all(model: PreTrainedModel) -> bool:
    config = model.config.get_text_config()
    types = getattr(config, "layer_types", None)
    plain = set(types) == {"full_attention"} if types else not getattr(config, "sliding_window", None)
    rotary = getattr(config, "rope_parameters", None) is not None
    return plain and rotary and model.config._attn_implementation in ("sdpa", "eager")
