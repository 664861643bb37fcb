"""The face branch: FaceXFormer's encoder, a Swin transformer whose four stages are fused by an MLP (supplementary, C.1).

- Parameter names are those of the published file, so that it loads without renaming. Its sizes, depths, heads and window
  are read off the tensors' shapes: a tiny tower in the same layout needs no other description.
- Resizing, the 1x1 convolution and pooling are linear, so the maps are pooled first: the same numbers without a
  convolution over 3,136 positions.
- Stochastic depth is really off. In the released code it stays active, at inference too, and two passes over one clip differ.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torchvision.models.swin_transformer import SwinTransformer
from torchvision.transforms.v2 import InterpolationMode
from torchvision.transforms.v2 import functional as transforms

from nano_emox.encoders.frozen import FrozenEncoder

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)
STAGES = (1, 3, 5, 7)  # children of Swin's `features` that are a stage's blocks, before patch merging
ENTRY = "state_dict_backbone"  # of the published file
UNNEEDED = ("pe_layer", "face_decoder")  # its tensors of the task decoder; all others must be ours
FILES = ("model.pt", "ckpts/model.pt")  # where it lies in a directory; the second is the hub's place


class FaceNetwork(nn.Module):
    """Swin and the fusion of its four stages, (n, 3, H, W) float to (n, width).

    Args:
        embed: channels of the first stage; each further one has twice as many.
        depths, heads: per stage.
        window: of the shifted windows, in patches.
        patch: in pixels.
        width: of the fused feature.
    """

    def __init__(
        self,
        embed: int = 128,
        depths: Sequence[int] = (2, 2, 18, 2),
        heads: Sequence[int] = (4, 8, 16, 32),
        window: int = 7,
        patch: int = 4,
        width: int = 256,
    ) -> None:
        super().__init__()
        self.shape = {
            "embed": embed, "depths": list(depths), "heads": list(heads), "window": window, "patch": patch, "width": width
        }  # fmt: skip
        swin = SwinTransformer(
            [patch, patch], embed, list(depths), list(heads), [window, window], stochastic_depth_prob=0.0, num_classes=1
        )
        self.backbone: Any = nn.Sequential(swin.features, swin.norm, swin.permute, swin.avgpool, swin.flatten)
        channels = [embed * 2**stage for stage in range(4)]
        self.linear_c = nn.ModuleList(nn.ModuleDict({"proj": nn.Linear(c, width)}) for c in channels)
        self.linear_fuse = nn.Conv2d(4 * width, width, 1, bias=False)

    def maps(self, pixels: Tensor) -> list[Tensor]:
        """The outputs of the four stages, each (n, H_i, W_i, channels_i)."""
        maps = []
        for index, stage in enumerate(self.backbone[0]):
            pixels = stage(pixels)
            if index in STAGES:
                maps.append(pixels)
        return maps

    def fuse(self, maps: Sequence[Tensor]) -> Tensor:
        """Four maps (n, H_i, W_i, channels_i) to (n, width): equation 1 of the supplementary, then the mean over positions."""
        size = maps[0].shape[1:3]
        pooled = []
        for linear, tapped in zip(self.linear_c, maps, strict=True):
            projected = linear["proj"](tapped).movedim(-1, 1)  # type: ignore[index]
            if projected.shape[-2:] != size:
                projected = nn.functional.interpolate(projected, size=size, mode="bilinear", align_corners=False)
            pooled.append(projected.mean((2, 3)))
        joined = torch.cat(pooled[::-1], 1)  # the coarsest first, as published
        return self.linear_fuse(joined[..., None, None]).flatten(1)

    def forward(self, pixels: Tensor) -> Tensor:
        return self.fuse(self.maps(pixels))

    @classmethod
    def from_state(cls, state: Mapping[str, Tensor], where: str) -> FaceNetwork:
        """Build the network that these tensors fit and load them; every parameter must be found.

        Raises:
            ValueError: tensors are missing or of another shape; the message names `where` and them.
        """
        needed = {k: v for k, v in state.items() if k.split(".")[0] not in UNNEEDED}
        try:
            patches = needed["backbone.0.0.0.weight"]
            tables = [needed[f"backbone.0.{stage}.0.attn.relative_position_bias_table"] for stage in STAGES]
            fuse = needed["linear_fuse.weight"]
        except KeyError as error:
            raise ValueError(f"{where}: no tensor {error} under {ENTRY!r}; expected FaceXFormer's layout") from None
        depths = []
        for stage in STAGES:
            blocks = {int(m[1]) for k in needed if (m := re.match(rf"backbone\.0\.{stage}\.(\d+)\.", k))}
            depths.append(len(blocks))
        window = (int(tables[0].shape[0] ** 0.5) + 1) // 2
        network = cls(patches.shape[0], depths, [table.shape[1] for table in tables], window, patches.shape[-1], fuse.shape[0])
        own = network.state_dict()
        wrong = sorted(
            k for k in own.keys() | needed.keys() if k not in own or k not in needed or own[k].shape != needed[k].shape
        )
        if wrong:
            raise ValueError(f"{where}: {len(wrong)} tensors are missing, unknown or of another shape, e.g. {wrong[:4]}")
        network.load_state_dict(needed)
        return network


class FacialEncoder(FrozenEncoder):
    """Frames to one facial vector per frame (paper, section 3.1; supplementary, C.1).

    Args:
        tower: the network.
        size: height and width in pixels that frames are resized to.
        pixels: `imagenet` scales to [0, 1] and normalises, as FaceXFormer was trained; `released` feeds raw 0..255, as
            the released Nano-EmoX does.
    """

    modality = "face"
    media = "frames"
    tower: FaceNetwork

    def __init__(self, tower: FaceNetwork, *, size: int = 224, pixels: str = "imagenet") -> None:
        if pixels not in ("imagenet", "released"):
            raise ValueError(f"pixels {pixels!r}; choose imagenet or released")
        super().__init__(tower, {"tower": tower.shape, "size": size, "pixels": pixels})
        self.size = size
        self.scaling = pixels

    @classmethod
    def from_pretrained(
        cls, directory: str | Path, *, dtype: torch.dtype = torch.float32, pixels: str = "imagenet"
    ) -> FacialEncoder:
        """Load `model.pt` in FaceXFormer's published layout; an optional `config.json` beside it gives `image_size` (224).

        Raises:
            FileNotFoundError: there is no `model.pt`.
            ValueError: the file is not in the published layout.
        """
        path = published_file(directory)
        content = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
        if ENTRY not in content:
            raise ValueError(f"{path}: no entry {ENTRY!r}, only {sorted(content)[:5]}; expected FaceXFormer's layout")
        tower = FaceNetwork.from_state(content[ENTRY], str(path)).to(dtype)
        described = Path(directory) / "config.json"
        size = json.loads(described.read_text(encoding="utf-8"))["image_size"] if described.is_file() else 224
        return cls(tower, size=int(size), pixels=pixels)

    @property
    def width(self) -> int:
        return int(self.tower.linear_fuse.out_channels)

    def preprocess(self, frames: Tensor) -> Tensor:
        """uint8 RGB (n, 3, H, W) to float (n, 3, size, size); the aspect ratio is not kept, as in the released code."""
        if frames.dtype != torch.uint8 or frames.ndim != 4 or frames.shape[1] != 3:
            raise ValueError(f"frames must be uint8 (frames, 3, height, width); got {frames.dtype} {tuple(frames.shape)}")
        if frames.shape[-2:] != (self.size, self.size):
            frames = transforms.resize(frames, [self.size, self.size], InterpolationMode.BICUBIC, antialias=True)
        if self.scaling == "released":
            return frames.float()
        return transforms.normalize(frames.float() / 255, list(IMAGENET_MEAN), list(IMAGENET_STD))

    def encode(self, media: Tensor) -> dict[str, Tensor]:
        """Frames (batch, T, 3, H, W) uint8 to `last` (batch, T, width)."""
        if media.ndim != 5:
            raise ValueError(f"frames must be (batch, frames, 3, height, width); got {tuple(media.shape)}")
        pixels = self.preprocess(media.flatten(0, 1)).to(self.compute_dtype)
        return {"last": self.tower(pixels).unflatten(0, media.shape[:2])}


def published_file(directory: str | Path) -> Path:
    """FaceXFormer's checkpoint in a directory.

    Raises:
        FileNotFoundError: there is none.
    """
    for name in FILES:
        if (Path(directory) / name).is_file():
            return Path(directory) / name
    raise FileNotFoundError(f"no {FILES[0]} in {directory}; expected FaceXFormer's published checkpoint")
