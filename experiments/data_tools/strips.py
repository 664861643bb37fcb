"""Frames for the page of a check, for those who asked for them: people can be recognised in it."""

from __future__ import annotations

import io
from pathlib import Path

import torch
from PIL import Image

from data_modules.datasets import read_annotation
from data_modules.inputs import MediaInputs
from data_modules.media import MediaError


def strips_of(name: str, root: Path, layout: str, count: int, frames: int = 4, size: int = 128) -> list[tuple[str, bytes]]:
    """(id, JPEG of frames side by side) of `count` clips, evenly over the data set; those without a picture are left out."""
    samples = read_annotation(name, root, "all", layout=layout).samples
    read = MediaInputs(frames=frames, size=size, modalities=("visual",))
    strips = []
    for sample in samples[:: max(len(samples) // count, 1)]:
        try:
            pictures = read.read_frames(sample)
        except MediaError:
            continue
        buffer = io.BytesIO()
        Image.fromarray(torch.cat(list(pictures), dim=2).permute(1, 2, 0).contiguous().numpy()).save(buffer, "JPEG", quality=82)
        strips.append((sample.id, buffer.getvalue()))
        if len(strips) == count:
            break
    return strips
