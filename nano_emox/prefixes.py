"""Keys and values of what prompts begin with, computed once while the language model is frozen.

A prefix is always computed alone, so its keys and values are a function of its ids and the weights, bit for bit, whatever
batch asks for it first: a run that was resumed reads the same numbers as one that was not.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable, Sequence
from typing import Any

import torch
from peft.tuners.tuners_utils import BaseTunerLayer
from torch import Tensor
from transformers import Cache, DynamicCache, PreTrainedModel

TOKENS = 8192  # that are kept; 28 KiB each in bfloat16 for Qwen2.5-1.5B, 230 MiB together
Ids = tuple[int, ...]
KeysValues = list[tuple[Tensor, Tensor]]  # per layer, each (1, heads, tokens, head dim)


class GivenPrefix(Cache):
    """Keys and values that every row stands after. It never grows, so a layer may be computed a second time for gradients."""

    def __init__(self, layers: KeysValues) -> None:
        super().__init__(layers=[])
        self.given = layers

    def update(
        self, key_states: Tensor, value_states: Tensor, layer_idx: int, *args: Any, **kwargs: Any
    ) -> tuple[Tensor, Tensor]:
        """A layer's keys and values (rows, heads, new, head dim), the prefix before them."""
        keys, values = (part.expand(len(key_states), -1, -1, -1) for part in self.given[layer_idx])
        return torch.cat([keys, key_states], 2), torch.cat([values, value_states], 2)

    def get_seq_length(self, layer_idx: int = 0) -> int:
        """Tokens of the prefix."""
        return self.given[layer_idx][0].shape[2]


class PrefixMemory:
    """Keys and values by prefix, the least recently used one forgotten first; all of them once a weight changes.

    Args:
        tokens: how many may be kept.
    """

    def __init__(self, tokens: int = TOKENS) -> None:
        self.tokens = tokens
        self._kept: OrderedDict[Ids, KeysValues] = OrderedDict()
        self._weights: Hashable = None

    def of(self, model: PreTrainedModel, prefixes: Sequence[Ids]) -> KeysValues:
        """The prefixes side by side, per layer (1, heads, tokens of all prefixes, head dim); without gradients."""
        if not prefixes:
            return []
        weights = _state(model)
        if weights != self._weights:
            self._kept.clear()
            self._weights = weights
        found = [self._one(model, prefix) for prefix in prefixes]
        while sum(map(len, self._kept)) > self.tokens and len(self._kept) > 1:
            self._kept.popitem(last=False)
        if len(found) == 1:
            return found[0]
        return [
            (torch.cat([k for k, _ in layer], 2), torch.cat([v for _, v in layer], 2)) for layer in zip(*found, strict=True)
        ]

    def clear(self) -> None:
        """Forget all."""
        self._kept.clear()

    def _one(self, model: PreTrainedModel, prefix: Ids) -> KeysValues:
        if prefix not in self._kept:
            # Ordinary tensors also during validation: what inference mode makes cannot take part in training later.
            with torch.inference_mode(False), torch.no_grad():
                cache = DynamicCache(config=model.config)
                ids = torch.tensor([prefix], device=model.device)
                model.get_decoder()(input_ids=ids, past_key_values=cache, use_cache=True)
            layers: Any = cache.layers
            self._kept[prefix] = [(layer.keys, layer.values) for layer in layers]
        self._kept.move_to_end(prefix)
        return self._kept[prefix]


def _state(model: PreTrainedModel) -> Hashable:
    """What keys and values depend on besides the ids; cheap, since it looks at no weight."""
    kind = model.device.type
    autocast = torch.get_autocast_dtype(kind) if torch.is_autocast_enabled(kind) else None
    found: list[Hashable] = [autocast, model.training]
    for module in model.modules():
        if isinstance(module, BaseTunerLayer):
            found.append((module.disable_adapters, tuple(module.active_adapters), module.merged))
        found += [(p.data_ptr(), -1 if p.is_inference() else p._version) for p in module.parameters(recurse=False)]
    return tuple(found)
