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
from nano_emox.packing import pack
from nano_emox.prefixes import GivenPrefix, Ids, KeysValues, PrefixMemory
from nano_emox.row_attention import ROWS, RowBlocks


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

    Packed rows attend by `row_attention`, so it serves models whose layers all attend to everything before them, with
    scaled dot-product attention (`fits`).
    """

    def __init__(self, model: PreTrainedModel) -> None:
        self.model = model
        self.prefixes = PrefixMemory()
        self.layers = layers = list(getattr(model.get_decoder(), "layers", []))
        self.last = LastLayer(layers[-1]) if layers else None
        for layer in layers:
            layer._can_checkpoint_with_cache = True  # the prefix given here never grows
        if _attends_to_all(model) and model.config._attn_implementation == "sdpa":
            model.set_attn_implementation(ROWS)

    @property
    def fits(self) -> bool:
        """Whether this model's rows can be packed."""
        return bool(self.model.config._attn_implementation == ROWS)

    def read(
        self, rows: Sequence[Row], embeddings: Tensor, visible: Tensor, wanted: tuple[Tensor, Tensor]
    ) -> tuple[Tensor, Tensor]:
        """Hidden states of some tokens.

        Args:
            rows: what to read.
            embeddings: (n, width), of all tokens that rows name.
            visible: (n,) bool: which of them other tokens may attend to.
            wanted: row and place in it, each (m,) int64.

        Returns:
            Hidden states (n, width), each once, and which of them is whose, (m,): rows may have tokens in common.
        """
        wanted = (wanted[0].cpu(), wanted[1].cpu())
        packing = pack([row.names for row in rows], [row.prefix for row in rows], None if self.recomputes else wanted)
        device = embeddings.device
        source = _sources(rows, packing.place, len(packing.row)).to(device)
        starts = torch.tensor([len(row.prefix) for row in rows])
        positions = (packing.index + starts[packing.row]).to(device)
        before = self.prefixes.of(self.model, _prefixes(rows))
        places, which = packing.place[wanted].unique(return_inverse=True)
        places = places.to(device)
        hidden = self.decode(
            embeddings.index_select(0, source)[None], torch.ones(1, 1, 1, 1, dtype=torch.bool, device=device), positions[None],
            GivenPrefix(before) if before else None, places, rows=RowBlocks.of(packing, visible[source]),
        )  # fmt: skip
        return hidden[0].index_select(0, places), which.to(device)

    def decode(
        self,
        inputs: Tensor,
        mask: Tensor | None,
        positions: Tensor | None,
        cache: Any,
        wanted: Tensor | None,
        rows: RowBlocks | None = None,
    ) -> Tensor:
        """The decoder's output (rows, length, width), right at least at `wanted` of the flattened positions.

        Args:
            mask: (rows, 1, length, keys) bool, what each position attends to; or (rows, length), which are no padding.
            rows: in place of a mask, that of a packed sequence.
        """
        narrow = self.last is not None and wanted is not None and not self.recomputes  # then, wanted is no longer known
        with self.last.only(wanted) if narrow else nullcontext(), self._recomputing():  # type: ignore[union-attr, arg-type]
            out: Any = self.model.get_decoder()(
                inputs_embeds=inputs, attention_mask=mask, position_ids=positions, past_key_values=cache,
                use_cache=cache is not None and not isinstance(cache, GivenPrefix), **({"rows": rows} if rows else {}),
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

    def before(self, rows: Sequence[Row]) -> tuple[KeysValues, Tensor]:
        """Keys and values of the rows' prefixes, and (rows, prefix tokens) bool: which of them a row attends to."""
        prefixes = _prefixes(rows)
        own = torch.tensor([prefixes.index(row.prefix) if row.prefix else -1 for row in rows])
        of_key = torch.tensor([i for i, prefix in enumerate(prefixes) for _ in prefix], dtype=torch.long)
        return self.prefixes.of(self.model, prefixes), own[:, None] == of_key


def _prefixes(rows: Sequence[Row]) -> list[Ids]:
    return list(dict.fromkeys(row.prefix for row in rows if row.prefix))


def _sources(rows: Sequence[Row], place: Tensor, length: int) -> Tensor:
    """Where the embedding of each packed token is, (length,)."""
    source = torch.empty(length, dtype=torch.long)
    for places, row in zip(place, rows, strict=True):
        source[places[: len(row.source)]] = torch.tensor(row.source, dtype=torch.long)
    return source


def _attends_to_all(model: PreTrainedModel) -> bool:
    config = model.config.get_text_config()
    types = getattr(config, "layer_types", None)
    plain = set(types) == {"full_attention"} if types else not getattr(config, "sliding_window", None)
    rotary = getattr(config, "rope_parameters", None) is not None
    more = any(getattr(config, name, None) for name in ("attn_logit_softcapping", "attention_sinks", "sinks"))
    return bool(plain and rotary and not more)
