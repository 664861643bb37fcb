"""Greedy answers to many prompts at once: what prompts begin with is read once, and a row that has ended leaves the batch."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import torch
from torch import Tensor
from transformers import DynamicCache

from nano_emox.prefixes import KeysValues
from nano_emox.reading import Reader


def greedy(
    reader: Reader,
    embedded: Tensor,
    attends: Tensor,
    positions: Tensor,
    before: KeysValues,
    *,
    ends: Collection[int],
    pad_id: int,
    max_new_tokens: int,
    streamer: Any = None,
) -> Tensor:
    """The most probable token, again and again.

    Args:
        reader: of the language model.
        embedded: (batch, length, width), prompts after their prefixes, padded on the left.
        attends: (batch, prefix tokens + length) bool: which of them a row may attend to; the last is never padding.
        positions: (batch,) place of each row's last token in its whole prompt.
        before: keys and values of the prefixes, per layer (1, heads, prefix tokens, head dim); empty without any.
        ends: tokens that end an answer.
        pad_id: fills a row after its end.
        streamer: has `put` and `end`, and receives tokens as they come; for one row.

    Returns:
        (batch, new tokens) int64, as many as the longest answer has.
    """
    batch, length = embedded.shape[:2]
    device = embedded.device
    given = before[0][0].shape[2] if before else 0
    cache = (
        DynamicCache(_expanded(before, batch), config=reader.model.config)
        if before
        else DynamicCache(config=reader.model.config)
    )
    steps = torch.arange(length, device=device)
    mask = attends[:, None, :].expand(-1, length, -1).clone()
    mask[..., given:] &= steps[:, None] >= steps
    mask[..., given:] |= torch.eye(length, dtype=torch.bool, device=device)  # padding sees itself, and nobody sees it
    where = (positions[:, None] - (length - 1) + steps).clamp(min=0)
    last = (torch.arange(batch, device=device) + 1) * length - 1
    hidden = reader.decode(embedded, mask[:, None], where, cache, last)[:, -1]

    embeddings, head = reader.model.get_input_embeddings(), reader.model.get_output_embeddings()
    stops = torch.tensor(sorted(ends), device=device)
    answers = torch.full((batch, max_new_tokens), pad_id, device=device)
    going = torch.arange(batch, device=device)
    said = 0
    for step in range(max_new_tokens):
        token = head(hidden).argmax(-1)
        answers[going, step] = token
        said = step + 1
        if streamer is not None:
            streamer.put(token.cpu())
        stays = (~torch.isin(token, stops)).nonzero()[:, 0]
        if not len(stays) or said == max_new_tokens:
            break
        if len(stays) < len(token):
            cache.batch_select_indices(stays)
            going, token, attends, positions = going[stays], token[stays], attends[stays], positions[stays]
        positions = positions + 1
        attends = torch.cat([attends, attends.new_ones(len(attends), 1)], 1)
        hidden = reader.decode(embeddings(token)[:, None], attends[:, None, None], positions[:, None], cache, None)[:, -1]
    if streamer is not None:
        streamer.end()
    return answers[:, :said]


def _expanded(before: KeysValues, batch: int) -> KeysValues:
    return [(keys.expand(batch, -1, -1, -1), values.expand(batch, -1, -1, -1)) for keys, values in before]
