"""Brief pre-training of the tiny towers: they learn to see and hear the attributes that the synthetic world is drawn from.

Every feature that a tower exports (its `last`, and each of its `scales`) has a linear head of its own, so that what the
adapters and the fusion experts receive later is linearly readable. Rendering runs in worker processes; batch i is the same
whatever the number of workers.
"""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.utilities.types import OptimizerLRScheduler
from torch import Tensor, nn
from torch.optim import AdamW, Muon
from torch.optim.lr_scheduler import LambdaLR
from torch.utils.data import DataLoader, Dataset

from data_modules.synthetic.latents import FACE_ATTRIBUTES, SCENE_ATTRIBUTES, VOICE_ATTRIBUTES
from data_modules.synthetic.streams import face_batch, voice_batch
from nano_emox import tiny
from nano_emox.config import OptimConfig
from nano_emox.encoders import FacialEncoder, FrozenEncoder, SpeechEncoder, VisualEncoder
from nano_emox.optimisation import schedule

COARSE_FACE = ("mouth_curve", "eye_open", "brow_lower", "mouth_open")  # what the scene tower learns of the face
ATTRIBUTES = {"visual": SCENE_ATTRIBUTES + COARSE_FACE, "speech": VOICE_ATTRIBUTES, "face": FACE_ATTRIBUTES}
MATRIX_RATE, WEIGHT_DECAY = 0.02, 0.01  # Muon needs half of the steps that AdamW needs here
SHALLOW_DEPTH = 3  # layers of the 24 that learn alone first; the others then start close to the identity
SHALLOW_SHARE = 0.92  # of the steps

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class TowerReport:
    """How well a tower's features tell the attributes, on samples it has not seen.

    Attributes:
        modality: `visual`, `speech` or `face`.
        scores: R2 per feature (`last`, `scales.0`, ...) and attribute; 1 is perfect, 0 is the mean.
        seconds: wall time of the fit.
        steps: optimizer steps.
    """

    modality: str
    scores: dict[str, dict[str, float]]
    seconds: float
    steps: int

    def mean(self, feature: str = "last") -> float:
        """Mean R2 over attributes."""
        return float(np.mean(list(self.scores[feature].values())))


class Rendered(Dataset[tuple[Tensor, Tensor]]):
    """Batch `i` of an endless stream: media as a tower takes them, and attributes (size, n). Equal for equal seeds."""

    def __init__(self, modality: str, batches: int, size: int, seed: int) -> None:
        self.modality, self.batches, self.size, self.seed = modality, batches, size, seed

    def __len__(self) -> int:
        return self.batches

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        rng = np.random.default_rng(np.random.SeedSequence([self.seed, index]))
        if self.modality == "speech":
            waves, voices = voice_batch(rng, self.size, 1.0)
            return torch.from_numpy(waves)[:, None], torch.from_numpy(voices)  # (n, 1, S)
        frames, faces, scenes = face_batch(rng, self.size, tiny.PIXELS)
        if self.modality == "visual":
            coarse = faces[:, [FACE_ATTRIBUTES.index(name) for name in COARSE_FACE]]
            faces = np.concatenate([scenes, coarse], 1)
        return torch.from_numpy(frames)[:, None], torch.from_numpy(faces)  # (n, 1, 3, H, W)


class AttributeRegression(LightningModule):
    """A tower and a linear head on every feature that it exports; the loss is the mean squared error of all heads.

    Args:
        encoder: the tower; it is thawed here and frozen again by `finish`.
        steps: length of the training.
        rate: AdamW's learning rate.
    """

    def __init__(self, encoder: FrozenEncoder, steps: int, rate: float) -> None:
        super().__init__()
        self.encoder = encoder
        self.encoder.tower.requires_grad_(True)
        self.steps, self.rate = steps, rate
        self.automatic_optimization = False  # two optimizers
        layers = len(getattr(encoder, "layers", ()))
        self.features = ["last", *(f"scales.{i}" for i in range(layers))]
        self.attributes = ATTRIBUTES[encoder.modality]
        self.heads = nn.ModuleList(nn.Linear(encoder.width, len(self.attributes)) for _ in self.features)

    def forward(self, media: Tensor) -> Tensor:
        """Media (n, 1, ...) to attributes as every head sees them, (features, n, attributes)."""
        encoded = self.encoder.encode(media)
        exported = [encoded["last"], *(encoded["scales"].unbind(2) if "scales" in encoded else ())]
        return torch.stack([head(value.mean(1)) for head, value in zip(self.heads, exported, strict=True)])

    def shallow(self, media: Tensor, depth: int) -> Tensor:
        """The same from the first `depth` layers only, whose output all heads read: a sixth of the work."""
        tower: Any = self.encoder.tower
        if isinstance(self.encoder, VisualEncoder):
            hidden = tower.pre_layrnorm(tower.embeddings(self.encoder.pixels(media.flatten(0, 1))))
        else:
            assert isinstance(self.encoder, SpeechEncoder)
            waves = self.encoder.waveform(media).flatten(0, 1)
            hidden = tower.feature_projection(tower.feature_extractor(waves).transpose(1, 2))
            hidden = hidden + tower.encoder.pos_conv_embed(hidden)
        for layer in tower.encoder.layers[:depth]:
            hidden = layer(hidden, attention_mask=None)
        pooled = hidden[:, 0] if self.encoder.modality == "visual" else hidden.mean(1)
        return torch.stack([head(pooled) for head in self.heads])

    def training_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> Tensor:
        media, attributes = batch
        shallow = self.encoder.modality != "face" and batch_idx < SHALLOW_SHARE * self.steps
        predicted = self.shallow(media, SHALLOW_DEPTH) if shallow else self(media)
        loss = (predicted - attributes).square().mean()
        optimizers, schedulers = self.optimizers(), self.lr_schedulers()
        assert isinstance(optimizers, list)
        assert isinstance(schedulers, list)
        for optimizer in optimizers:
            optimizer.zero_grad()
        self.manual_backward(loss)
        nn.utils.clip_grad_norm_(self.parameters(), 1.0)
        for optimizer, scheduler in zip(optimizers, schedulers, strict=True):
            optimizer.step()
            scheduler.step()
        self.log("pretraining/loss", loss, prog_bar=True)
        return loss

    def configure_optimizers(self) -> OptimizerLRScheduler:
        """Muon for the matrices of the tower, AdamW for the rest; warm-up and cosine decay over both."""
        inside = dict(self.encoder.tower.named_parameters())
        matrices = [p for name, p in inside.items() if p.ndim == 2 and "position" not in name]
        known = {id(p) for p in matrices}
        optimizers = [
            Muon(matrices, lr=MATRIX_RATE, momentum=0.95, weight_decay=WEIGHT_DECAY),
            AdamW([p for p in self.parameters() if id(p) not in known], lr=self.rate, betas=(0.9, 0.95), weight_decay=0.0),
        ]
        optim = OptimConfig(lr=1.0, min_lr=0.02, warmup_lr=0.05, warmup_steps=max(1, self.steps // 15))
        return optimizers, [LambdaLR(optimizer, schedule(optim, self.steps)) for optimizer in optimizers]

    @torch.no_grad()
    def scores(self, media: Tensor, attributes: Tensor) -> dict[str, dict[str, float]]:
        """R2 per feature and attribute."""
        predicted = torch.cat([self(part) for part in media.split(64)], 1)
        errors = (predicted - attributes).square().mean(1) / attributes.var(0, unbiased=False)
        return {
            feature: {name: round(1 - float(error), 3) for name, error in zip(self.attributes, row, strict=True)}
            for feature, row in zip(self.features, errors, strict=True)
        }

    def finish(self) -> FrozenEncoder:
        """The tower, frozen again."""
        self.encoder.tower.requires_grad_(False)
        return self.encoder.eval()


def new_encoder(modality: str, seed: int) -> FrozenEncoder:
    """A tiny tower with random weights."""
    if modality == "visual":
        return VisualEncoder(tiny.new_visual(seed), size=tiny.PIXELS)
    if modality == "speech":
        return SpeechEncoder(tiny.new_speech(seed))
    return FacialEncoder(tiny.new_face(seed), size=tiny.PIXELS)


@torch.no_grad()
def whiten(encoder: FrozenEncoder, media: Tensor) -> None:
    """Start the patch embedding from the principal components of the patches of `media`, at equal variance.

    Raw patches are mostly brightness; the curve of a mouth is a small part of them. Whitened, both are equally visible.
    """
    tower: Any = encoder.tower
    if isinstance(encoder, VisualEncoder):
        embedding, pixels = tower.embeddings.patch_embedding, encoder.pixels(media.flatten(0, 1))
    elif isinstance(encoder, FacialEncoder):
        embedding, pixels = tower.backbone[0][0][0], encoder.preprocess(media.flatten(0, 1))
    else:
        return
    patches = nn.functional.unfold(pixels, embedding.kernel_size, stride=embedding.stride).movedim(1, -1).flatten(0, 1)
    mean = patches.mean(0)
    values, vectors = torch.linalg.eigh(torch.cov((patches - mean).T))
    values, vectors = values.flip(0)[: embedding.out_channels], vectors.flip(1)[:, : embedding.out_channels]
    weight = (vectors / (values + 1e-3 * values[0]).sqrt()).T
    embedding.weight.copy_(weight.view_as(embedding.weight))
    if embedding.bias is not None:
        embedding.bias.copy_(-weight @ mean)


WRITERS: dict[str, Any] = {"visual": tiny.write_visual, "speech": tiny.write_speech, "face": tiny.write_face}
# AdamW's learning rate, batch size, and how many times the asked steps: the scene tower needs more of them, and its are cheap.
SETTINGS = {"visual": (3e-3, 48, 1.5), "speech": (3e-3, 32, 1.0), "face": (4e-3, 64, 1.0)}


def pretrain_tower(
    modality: str, steps: int, seed: int, *, workers: int = 1, held_out: int = 256, **trainer: Any
) -> tuple[FrozenEncoder, TowerReport]:
    """Make and train one tiny tower.

    Args:
        modality: `visual`, `speech` or `face`.
        steps: optimizer steps, times the modality's factor in `SETTINGS`; 400 take about 40 s on a free core.
        seed: of weights, material and order.
        workers: processes that render.
        held_out: samples that the report is computed on, never trained on.
        trainer: further arguments of Lightning's Trainer.
    """
    rate, size, factor = SETTINGS[modality]
    steps = max(1, round(steps * factor))
    encoder = new_encoder(modality, seed)
    whiten(encoder, Rendered(modality, 1, held_out, seed + 2_000_003)[0][0])
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        module = AttributeRegression(encoder, steps, rate)
    loader = DataLoader(Rendered(modality, steps, size, seed), batch_size=None, num_workers=workers)
    options: dict[str, Any] = {
        "logger": False,
        "enable_progress_bar": False,
        "enable_model_summary": False,
        "accelerator": "cpu",
    }
    started = time.perf_counter()
    Trainer(**{
        **options, "devices": 1, "max_epochs": 1, "enable_checkpointing": False, **trainer
    }).fit(module, loader)  # fmt: skip
    seconds = time.perf_counter() - started
    unseen = Rendered(modality, 1, held_out, seed + 1_000_003)[0]
    report = TowerReport(modality, module.cpu().scores(*unseen), round(seconds, 1), steps)
    log.info("%s tower: mean R2 %.2f after %d steps in %.0f s", modality, report.mean(), steps, seconds)
    return module.finish(), report


def pretrain_towers(root: str | Path, steps: int, seed: int, **options: Any) -> list[TowerReport]:
    """Make, train and write the three tiny towers under `root`, in the layouts of the published checkpoints.

    `options` are those of `pretrain_tower`.
    """
    reports = []
    for offset, modality in enumerate(ATTRIBUTES):
        encoder, report = pretrain_tower(modality, steps, seed + offset, **options)
        WRITERS[modality](encoder.tower, root)
        reports.append(report)
    return reports
