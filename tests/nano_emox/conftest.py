"""Tiny backbones on disk, and batches as the collator makes them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from data_modules.record import Item, Media, Sample, Task
from nano_emox import tiny
from nano_emox.batch import Batch
from nano_emox.config import BackboneConfig, FaceConfig, FusionConfig, ModelConfig, QFormerConfig
from nano_emox.prompts import SLOT_IDS

TOKENS = {"visual": 8, "speech": 8, "face": 4, "fusion": 1}
LINES = ["The emotion of the speaker is happy.", "[Recognition] Please select the label.", "她很高兴。"] * 20


def make_model_config() -> ModelConfig:
    return ModelConfig(
        frame_size=64, clips=4, clip_seconds=1.0, tokens=dict(TOKENS), qformer=QFormerConfig(96, 2, 4, 192, 0.05),
        face=FaceConfig(4, 128, 0.05, True), fusion=FusionConfig(96, 4, 0.05),
    )  # fmt: skip


@pytest.fixture(scope="session")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with the four tiny backbones, in the layouts of the published checkpoints."""
    root = tmp_path_factory.mktemp("weights")
    tiny.save_tiny(root, seed=0, lines=LINES, vocabulary=400)
    return root


@pytest.fixture(scope="session")
def backbones(weights: Path) -> BackboneConfig:
    return BackboneConfig(root=str(weights), preset="tiny", dtype="float32")


@pytest.fixture(scope="session")
def config() -> ModelConfig:
    return make_model_config()


def _media(rows: int, seed: int = 0, frames: int = 2, clips: int = 2, samples: int = 1600) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return {
        "frames": torch.randint(0, 256, (rows, frames, 3, 64, 64), generator=generator, dtype=torch.uint8),
        "clips": torch.randn(rows, clips, samples, generator=generator),
    }


def _make_batch(
    has: list[set[str]], features: dict[str, torch.Tensor], *, generate: bool = False, text: int = 5, answer: int = 4
) -> Batch:
    """Rows of random text with the blocks that `has` names; row i has i more words than row 0."""
    generator = torch.Generator().manual_seed(1)
    prompts, targets = [], []
    for row, names in enumerate(has):
        prompt = torch.randint(3, 300, (text + row,), generator=generator).tolist()
        for name, slot in SLOT_IDS.items():
            if name in names:
                prompt += [slot] * TOKENS[name]
        prompts.append(prompt + torch.randint(3, 300, (2,), generator=generator).tolist())
        targets.append([] if generate else torch.randint(3, 300, (answer + row,), generator=generator).tolist())
    length = max(len(p) + len(t) for p, t in zip(prompts, targets, strict=True))
    ids = torch.zeros(len(has), length, dtype=torch.long)
    labels, mask = torch.full_like(ids, -100), torch.zeros_like(ids, dtype=torch.bool)
    for row, (prompt, target) in enumerate(zip(prompts, targets, strict=True)):
        size = len(prompt) + len(target)
        start = length - size if generate else 0
        ids[row, start : start + size] = torch.tensor(prompt + target)
        labels[row, start + len(prompt) : start + size] = torch.tensor(target, dtype=torch.long)
        mask[row, start : start + size] = True
    slots = {name: torch.tensor([name in names for names in has]) for name in SLOT_IDS}
    tasks = (Task.MER, Task.MIR, Task.OV_MER)
    items = tuple(
        Item(Sample(f"clip{row}", "toy", "train", (tasks[row % 3],), Media(video=Path("v.mp4"))), tasks[row % 3], row, {})
        for row in range(len(has))
    )
    return Batch(ids, mask, labels, features, slots, items)


@pytest.fixture(scope="session")
def media() -> Callable[..., dict[str, torch.Tensor]]:
    """Random frames and clips for some rows."""
    return _media


@pytest.fixture(scope="session")
def make_batch() -> Callable[..., Batch]:
    """A batch of random text with the blocks that are asked for."""
    return _make_batch
