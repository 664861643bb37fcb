"""The speech branch: any Hugging Face waveform tower with hidden states, clip by clip.

Two things differ from the released code, both on purpose. The waveform is normalised over a sample's own clips, not over
the whole batch, so that a sample's features do not depend on its neighbours (the released inference does the same;
`normalise="batch"` is what released training does). And
since transformers 5 the last hidden state comes without the encoder's final layer norm, which the paper's mean of the last
four layers includes: it is taken from `last_hidden_state`.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from transformers import AutoModel, PreTrainedModel

from nano_emox.encoders.frozen import FrozenEncoder, load_complete, tower_settings

EPSILON = 1e-7  # of the published feature extractor
AXES = {"sample": (1, 2), "clip": (2,), "batch": (0, 1, 2)}  # of clips (batch, C, S): what is normalised together


class SpeechEncoder(FrozenEncoder):
    """Clips to one vector per clip and to one per clip and layer, each a mean over time (paper, section 3.1).

    Args:
        tower: a waveform transformer (HuBERT, wav2vec 2.0, WavLM) that returns `hidden_states`.
        layers: indices of `hidden_states` that the fusion encoder sees.
        last: how many of the last layers are averaged for `last`.
        normalise: zero mean and unit variance over all clips of a `sample`, of each `clip` alone, or of the whole `batch`,
            as released training does (features then depend on what else is in the batch: not for stored features).
        centre: take each clip's own mean off first, which the released data path does as a side effect.
    """

    modality = "speech"
    media = "clips"
    tower: PreTrainedModel

    def __init__(
        self,
        tower: PreTrainedModel,
        *,
        layers: Sequence[int] = (16, 18, 22),
        last: int = 4,
        normalise: str = "sample",
        centre: bool = False,
    ) -> None:
        if normalise not in AXES:
            raise ValueError(f"normalise {normalise!r}; choose {', '.join(AXES)}")
        depth = tower.config.num_hidden_layers
        if any(not 0 <= layer <= depth for layer in layers) or not 1 <= last <= depth:
            raise ValueError(f"speech layers {list(layers)}, last {last}: the tower has hidden states 0 to {depth}")
        settings = {
            "tower": tower_settings(tower.config.to_diff_dict()),
            "layers": list(layers),
            "last": last,
            "normalise": normalise,
        }
        super().__init__(tower, settings | ({"centre": True} if centre else {}))
        self.centre = centre
        self.layers = tuple(layers)
        self.last = last
        self.normalise = normalise

    @classmethod
    def from_pretrained(
        cls,
        directory: str | Path,
        *,
        layers: Sequence[int] = (16, 18, 22),
        dtype: torch.dtype = torch.float32,
        normalise: str = "sample",
        centre: bool = False,
    ) -> SpeechEncoder:
        """Load a tower from a directory in the Hugging Face layout.

        Raises:
            FileNotFoundError: there is no `config.json`.
        """
        directory = Path(directory)
        if not (directory / "config.json").is_file():
            raise FileNotFoundError(f"no config.json in {directory}; expected a speech tower in the Hugging Face layout")
        tower: Any = load_complete(AutoModel, directory, dtype, may_lack=("masked_spec_embed",))  # of training only
        return cls(tower, layers=layers, normalise=normalise, centre=centre)

    @property
    def width(self) -> int:
        return int(self.tower.config.hidden_size)

    @property
    def shortest(self) -> int:
        """Samples that the convolutions need for one output: 400 (25 ms) for HuBERT."""
        kernels, strides = self.tower.config.conv_kernel, self.tower.config.conv_stride
        samples = 1
        for kernel, stride in zip(reversed(kernels), reversed(strides), strict=True):
            samples = (samples - 1) * stride + kernel
        return int(samples)

    def waveform(self, clips: Tensor) -> Tensor:
        """Normalised clips (batch, C, S), with the population variance."""
        axes = AXES[self.normalise]
        clips = clips.float()
        if self.centre:
            clips = clips - clips.mean(2, keepdim=True)
        mean = clips.mean(axes, keepdim=True)
        variance = clips.var(axes, unbiased=False, keepdim=True)
        return (clips - mean) / torch.sqrt(variance + EPSILON)

    def encode(self, media: Tensor) -> dict[str, Tensor]:
        """Clips (batch, C, S) float32 at 16 kHz to `last` (batch, C, dim) and `scales` (batch, C, layers, dim)."""
        if media.ndim != 3 or not media.is_floating_point():
            raise ValueError(f"clips must be float (batch, clips, samples); got {media.dtype} {tuple(media.shape)}")
        if media.shape[-1] < self.shortest:
            raise ValueError(f"clips have {media.shape[-1]} samples; the tower needs {self.shortest}: pad them")
        waves = self.waveform(media).flatten(0, 1).to(self.compute_dtype)
        output = self.tower(waves, output_hidden_states=True)
        hidden = [*output.hidden_states[:-1], output.last_hidden_state]
        last = torch.stack(hidden[-self.last :]).mean(0).mean(1)  # (b * c, dim)
        scales = torch.stack([hidden[layer].mean(1) for layer in self.layers], 1)  # (b * c, layers, dim)
        return {"last": last.unflatten(0, media.shape[:2]), "scales": scales.unflatten(0, media.shape[:2])}
