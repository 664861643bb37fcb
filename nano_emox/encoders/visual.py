"""The scene branch: any Hugging Face vision tower with hidden states, frame by frame.

The whole frame is seen, without a face crop. Preprocessing works on uint8 tensors instead of PIL images: at the tower's
own size, which is the usual case, only the normalisation acts and the numbers are those of the PIL processor; at other
sizes they differ by at most one grey level, and `resize="pil"` takes even that away.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torchvision.transforms.v2 import InterpolationMode
from torchvision.transforms.v2 import functional as transforms
from transformers import AutoConfig, AutoModel, CLIPVisionModel, PreTrainedModel

from nano_emox.encoders.frozen import FrozenEncoder, load_complete, tower_settings

CLIP_MEAN = (0.48145466, 0.4578275, 0.40821073)
CLIP_STD = (0.26862954, 0.26130258, 0.27577711)


class VisualEncoder(FrozenEncoder):
    """Frames to one vector per frame and to one per frame and layer (paper, section 3.1; supplementary, Table 3).

    Args:
        tower: a vision transformer that returns `hidden_states`.
        layers: indices of `hidden_states` that the fusion encoder sees; 0 is the embeddings.
        size: height and width in pixels that the tower takes.
        mean, std: of the normalisation, for pixels in [0, 1].
        pooling: `cls` takes the first token; `mean` is for towers without a class token.
        resize: of frames that have not the tower's size: `tensor`, or `pil` for the exact grey levels of the PIL processor.
    """

    modality = "visual"
    media = "frames"
    tower: PreTrainedModel

    def __init__(
        self,
        tower: PreTrainedModel,
        *,
        layers: Sequence[int] = (12, 16, 22),
        size: int = 224,
        mean: Sequence[float] = CLIP_MEAN,
        std: Sequence[float] = CLIP_STD,
        pooling: str = "cls",
        resize: str = "tensor",
    ) -> None:
        if pooling not in ("cls", "mean"):
            raise ValueError(f"pooling {pooling!r}; choose cls or mean")
        if resize not in ("tensor", "pil"):
            raise ValueError(f"resize {resize!r}; choose tensor or pil")
        depth = tower.config.num_hidden_layers
        if any(not 0 <= layer <= depth for layer in layers):
            raise ValueError(f"visual layers {list(layers)}: the tower has hidden states 0 to {depth}")
        settings = {
            "tower": tower_settings(tower.config.to_diff_dict()),
            "layers": list(layers),
            "size": size,
            "mean": list(mean),
            "std": list(std),
            "pooling": pooling,
        }
        super().__init__(tower, settings | ({"resize": resize} if resize != "tensor" else {}))
        self.layers = tuple(layers)
        self.size = size
        self.resize = resize
        self.pooling = pooling
        self.mean, self.std = list(mean), list(std)

    @classmethod
    def from_pretrained(
        cls,
        directory: str | Path,
        *,
        layers: Sequence[int] = (12, 16, 22),
        dtype: torch.dtype = torch.float32,
        pooling: str = "cls",
        resize: str = "tensor",
    ) -> VisualEncoder:
        """Load a tower and its `preprocessor_config.json` from a directory in the Hugging Face layout.

        Raises:
            FileNotFoundError: naming the file that the directory lacks.
        """
        directory = Path(directory)
        for name in ("config.json", "preprocessor_config.json"):
            if not (directory / name).is_file():
                raise FileNotFoundError(f"no {name} in {directory}; expected a vision tower in the Hugging Face layout")
        if AutoConfig.from_pretrained(directory).model_type in ("clip", "clip_vision_model"):
            tower: Any = load_complete(CLIPVisionModel, directory, dtype)  # leaves the text tower out
        else:
            whole: Any = load_complete(AutoModel, directory, dtype)
            tower = getattr(whole, "vision_model", whole)
        processor = json.loads((directory / "preprocessor_config.json").read_text(encoding="utf-8"))
        size = processor.get("crop_size", processor["size"])
        if isinstance(size, dict):
            size = size.get("height", size.get("shortest_edge"))
        return cls(
            tower, layers=layers, size=int(size), mean=processor["image_mean"], std=processor["image_std"], pooling=pooling,
            resize=resize,
        )  # fmt: skip

    @property
    def width(self) -> int:
        return int(self.tower.config.hidden_size)

    def pixels(self, frames: Tensor) -> Tensor:
        """uint8 RGB (n, 3, H, W) to normalised float (n, 3, size, size): shorter side bicubic, centre crop."""
        if frames.dtype != torch.uint8 or frames.ndim != 4 or frames.shape[1] != 3:
            raise ValueError(f"frames must be uint8 (frames, 3, height, width); got {frames.dtype} {tuple(frames.shape)}")
        if frames.shape[-2:] != (self.size, self.size):
            if self.resize == "pil":
                frames = torch.stack([_resize_with_pil(frame, self.size) for frame in frames.cpu()]).to(frames.device)
            else:
                frames = transforms.resize(frames, [self.size], InterpolationMode.BICUBIC, antialias=True)
            top, left = ((side - self.size) // 2 for side in frames.shape[-2:])  # CLIP's processor rounds down
            frames = frames[..., top : top + self.size, left : left + self.size]
        return transforms.normalize(frames.float() / 255, self.mean, self.std)

    def encode(self, media: Tensor) -> dict[str, Tensor]:
        """Frames (batch, T, 3, H, W) uint8 to `last` (batch, T, dim) and `scales` (batch, T, layers, dim)."""
        if media.ndim != 5:
            raise ValueError(f"frames must be (batch, frames, 3, height, width); got {tuple(media.shape)}")
        pixels = self.pixels(media.flatten(0, 1)).to(self.compute_dtype)
        hidden = self.tower(pixel_values=pixels, output_hidden_states=True).hidden_states
        last = self._pool(hidden[-2])
        scales = torch.stack([self._pool(hidden[layer]) for layer in self.layers], 1)  # (b * t, layers, dim)
        return {"last": last.unflatten(0, media.shape[:2]), "scales": scales.unflatten(0, media.shape[:2])}

    def _pool(self, hidden: Tensor) -> Tensor:
        return hidden[:, 0] if self.pooling == "cls" else hidden.mean(1)


def _resize_with_pil(frame: Tensor, size: int) -> Tensor:
    """uint8 (3, H, W): the shorter side to `size`, the longer one rounded down."""
    height, width = frame.shape[-2:]
    short = min(height, width)
    target = (width * size // short, height * size // short)
    picture = Image.fromarray(frame.permute(1, 2, 0).numpy()).resize(target, Image.Resampling.BICUBIC)
    return torch.from_numpy(np.array(picture)).permute(2, 0, 1)
