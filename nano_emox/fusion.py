"""The fusion encoder: experts that listen and look at different depths, and a gate that weighs them.

Notation: b rows, c speech clips, t video frames, l layers (one expert each), h hidden width, d the language model's width.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from lightning.pytorch import LightningModule
from torch import Tensor, nn


class FusionOutput(NamedTuple):
    """What the fusion encoder found: tokens (b, n, d), gates (b, l), and the experts' maps (b, l, c, h)."""

    tokens: Tensor
    gates: Tensor
    experts: Tensor


class FusionExpert(nn.Module):
    """One expert: speech asks, vision answers; then a feed-forward network, both with residuals.

    r = CrossAttention(speech, visual, visual) + speech (supplementary, equation 2); r + FFN(r) (equation 3).
    """

    def __init__(self, hidden: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.attention = nn.MultiheadAttention(hidden, heads, dropout=dropout, batch_first=True)
        self.feed_forward = nn.Sequential(
            nn.LayerNorm(hidden), nn.Linear(hidden, hidden), nn.GELU(), nn.Dropout(dropout), nn.Linear(hidden, hidden)
        )

    def forward(self, speech: Tensor, visual: Tensor) -> Tensor:
        """Projected speech (b, c, h) and visual (b, t, h) to (b, c, h)."""
        residual = self.attention(speech, visual, visual, need_weights=False)[0] + speech
        return residual + self.feed_forward(residual)


class Gate(nn.Module):
    """One weight per expert and row, from the time mean of all experts together."""

    def __init__(self, hidden: int, experts: int, dropout: float) -> None:
        super().__init__()
        self.network = nn.Sequential(
            nn.Linear(experts * hidden, hidden), nn.GELU(), nn.Dropout(dropout), nn.Linear(hidden, experts)
        )

    def forward(self, experts: Tensor) -> Tensor:
        """Experts' maps (b, l, c, h) to weights (b, l) that sum to one."""
        return self.network(experts.mean(2).flatten(1)).softmax(-1)


class FusionEncoder(LightningModule):
    """Speech and vision at several depths to a few tokens (paper, section 3.1; supplementary, C.2 and Table 3).

    The linear layers that bring both modalities to one width are shared by the experts.

    Args:
        speech, visual: dimensions of the towers' features.
        language: width of the language model.
        experts: pairs of (speech, visual) layers.
        tokens: how often the one fused vector is given to the language model.
        hidden, heads, dropout: of the experts.
    """

    def __init__(
        self,
        speech: int,
        visual: int,
        language: int,
        *,
        experts: int = 3,
        tokens: int = 1,
        hidden: int = 512,
        heads: int = 8,
        dropout: float = 0.1,
    ) -> None:
        super().__init__()
        self.tokens = tokens
        self.speech_projection = nn.Linear(speech, hidden)
        self.visual_projection = nn.Linear(visual, hidden)
        self.experts = nn.ModuleList(FusionExpert(hidden, heads, dropout) for _ in range(experts))
        self.gate = Gate(hidden, experts, dropout)
        self.projection = nn.Linear(hidden, language)

    def forward(self, speech: Tensor, visual: Tensor) -> FusionOutput:
        """Speech (b, c, l, dim) and visual (b, t, l, dim) to tokens, gates and the experts' maps.

        Raises:
            ValueError: the layers of a modality are not as many as there are experts.
        """
        layers = len(self.experts)
        if speech.shape[2] != layers or visual.shape[2] != layers:
            raise ValueError(
                f"{layers} experts need {layers} layers a modality; got speech {tuple(speech.shape)}"
                f" and visual {tuple(visual.shape)} (batch, time, layers, dim)"
            )
        dtype = self.speech_projection.weight.dtype
        speech = self.speech_projection(speech.to(dtype))  # (b, c, l, h)
        visual = self.visual_projection(visual.to(dtype))  # (b, t, l, h)
        maps = [expert(speech[:, :, i], visual[:, :, i]) for i, expert in enumerate(self.experts)]
        experts = torch.stack(maps, 1)  # (b, l, c, h)
        gates = self.gate(experts)
        fused = torch.einsum("bl,blch->bch", gates.to(experts.dtype), experts).mean(1)  # (b, h)
        tokens = self.projection(fused)[:, None].expand(-1, self.tokens, -1)
        return FusionOutput(tokens, gates, experts)
