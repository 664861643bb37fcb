"""Heterogeneous adapters: a tower's features become a fixed number of tokens of the language model's width.

Both read a variable number of time steps. The Q-Former is transformers' own; with cross-attention in every layer and the
released layer norm epsilon of 1e-12 it gives the numbers of the released BERT copy.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from transformers import Blip2QFormerConfig, Blip2QFormerModel

INITIAL_STD = 0.02


class QFormerAdapter(nn.Module):
    """Visual and speech adapter: frame positions, a Q-Former, a linear layer to the language model (paper, section 3.1).

    Args:
        features: dimension of the tower's features.
        language: width of the language model.
        queries: tokens that come out.
        positions: rows of the position table, the longest input in frames or clips.
        hidden, layers, heads, intermediate, dropout: of the Q-Former.
    """

    def __init__(
        self,
        features: int,
        language: int,
        *,
        queries: int = 32,
        positions: int = 32,
        hidden: int = 768,
        layers: int = 2,
        heads: int = 12,
        intermediate: int = 3072,
        dropout: float = 0.1,
    ) -> None:
        super().__init__()
        config = Blip2QFormerConfig(
            hidden_size=hidden,
            num_hidden_layers=layers,
            num_attention_heads=heads,
            intermediate_size=intermediate,
            hidden_dropout_prob=dropout,
            attention_probs_dropout_prob=dropout,
            encoder_hidden_size=features,
            cross_attention_frequency=1,
            layer_norm_eps=1e-12,
            use_qformer_text_input=False,
        )
        self.positions = nn.Embedding(positions, features)
        self.queries = nn.Parameter(torch.randn(1, queries, hidden) * INITIAL_STD)
        self.qformer = Blip2QFormerModel(config)
        self.projection = nn.Linear(hidden, language)

    def forward(self, features: Tensor) -> Tensor:
        """Features (rows, time, dim) to tokens (rows, queries, language).

        Raises:
            ValueError: more time steps than the position table has rows.
        """
        time, rows = features.shape[1], self.positions.num_embeddings
        if time > rows:
            raise ValueError(f"{time} frames or clips, but the position table has {rows} rows: sample fewer or enlarge it")
        features = features.to(self.positions.weight.dtype) + self.positions.weight[:time]
        queries = self.queries.expand(len(features), -1, -1)
        hidden = self.qformer(query_embeds=queries, encoder_hidden_states=features).last_hidden_state
        return self.projection(hidden)


class FacialAdapter(nn.Module):
    """Facial adapter: learned temporal queries attend over the frames, then two linear layers (paper, section 3.1).

    Args:
        features: dimension of the face tower's features and of the queries.
        language: width of the language model.
        queries: tokens that come out.
        heads: of the attention over frames.
        hidden: width between the two linear layers.
        dropout: between them.
        positions: adds a learned frame position to the keys; the released adapter sees frames as a set and cannot tell an
            onset from an offset.
        frames: rows of that position table.
    """

    def __init__(
        self,
        features: int,
        language: int,
        *,
        queries: int = 4,
        heads: int = 4,
        hidden: int = 768,
        dropout: float = 0.1,
        positions: bool = False,
        frames: int = 32,
    ) -> None:
        super().__init__()
        self.queries = nn.Parameter(torch.randn(queries, features) * INITIAL_STD)
        self.attention = nn.MultiheadAttention(features, heads, batch_first=True)
        self.projection = nn.Sequential(
            nn.Linear(features, hidden), nn.GELU(), nn.Dropout(dropout), nn.Linear(hidden, language)
        )
        self.positions = nn.Embedding(frames, features) if positions else None

    def attend(self, features: Tensor) -> Tensor:
        """Frame features (rows, frames, dim) to (rows, queries, dim).

        Raises:
            ValueError: more frames than the position table has rows.
        """
        features = features.to(self.queries.dtype)
        keys = features
        if self.positions is not None:
            time, rows = features.shape[1], self.positions.num_embeddings
            if time > rows:
                raise ValueError(f"{time} frames, but the position table has {rows} rows: sample fewer or enlarge it")
            keys = features + self.positions.weight[:time]
        queries = self.queries.expand(len(features), -1, -1)
        return self.attention(queries, keys, features, need_weights=False)[0]

    def forward(self, features: Tensor) -> Tensor:
        """Frame features (rows, frames, dim) to tokens (rows, queries, language)."""
        return self.projection(self.attend(features))
