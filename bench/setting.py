"""Everything that both paths share: weights, prompts, clips, samples, and a feature store filled by the same towers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from bench.clips import write_clips
from bench.presets import Preset, Row
from bench.samples import make_samples, make_tokenizer
from callbacks.curriculum import Phase, train_only
from data_modules.features import ContentKeys, FeatureStore
from data_modules.inputs import MediaInputs, StoredFeatures
from data_modules.record import Item, Sample, Task
from nano_emox.backbones import build_shapes
from nano_emox.fused import fuse
from nano_emox.lora import bypass_idle_lora
from nano_emox.model import NanoEmoX
from nano_emox.prompts import PromptTokenizer

CLIPS = 8


@dataclass
class Setting:
    """A model with towers and what it is asked about.

    Attributes:
        model: both paths run this one; what differs between them is switched per step.
        media: decodes a clip, as the towers see it.
        stored: reads the features of a clip.
    """

    preset: Preset
    device: torch.device
    model: NanoEmoX
    prompts: PromptTokenizer
    clips: list[Path]
    media: MediaInputs
    stored: StoredFeatures

    def rows(self, phase: str, times: int = 1) -> list[tuple[Sample, Task]]:
        """The samples of a batch of a phase, `times` as many."""
        rows: tuple[Row, ...] = self.preset.rows[phase] * times
        return make_samples(rows, self.clips, self.prompts, self.preset.phases[phase].modalities)

    def online(self, rows: Sequence[tuple[Sample, Task]]) -> list[Item]:
        """Decoded media: what the reference's loader hands to a step."""
        return [Item(sample, task, 0, self.media(sample)) for sample, task in rows]

    def from_store(self, rows: Sequence[tuple[Sample, Task]], modalities: Sequence[str]) -> list[Item]:
        """Features by memory map: what ours hands to a step."""
        needed = {"visual": {"visual", "fusion"}, "speech": {"speech", "fusion"}, "face": {"face"}}
        spaces = {name: space for name, space in self.stored.spaces.items() if needed[name] & set(modalities)}
        inputs = StoredFeatures(spaces, self.stored.keys)
        return [Item(sample, task, 0, inputs(sample)) for sample, task in rows]

    def own_decoder(self) -> None:
        """Modules as ours has them, after the reference's turn: fused, and LoRA out where it adds nothing."""
        fuse(self.model)
        bypass_idle_lora(self.model.language)

    def begin(self, phase: str) -> Any:
        """Freeze as a phase does and return our optimizer for it."""
        settings = self.preset.phases[phase]
        train_only(self.model, settings.trainable)
        self.model.phase = Phase(phase, phase, tuple(settings.trainable), 1, 10_000, settings.optim)
        configured: Any = self.model.configure_optimizers()
        return configured["optimizer"]


def make_setting(preset: Preset, device: torch.device, directory: Path, seed: int = 0) -> Setting:
    """Build the model, write the clips, run the towers over them once."""
    torch.manual_seed(seed)
    model = build_shapes(preset.shapes, preset.model, preset.dtype).to(device)
    sizes = preset.model
    media = MediaInputs(sizes.frames, sizes.frame_size, sizes.clips, sizes.clip_seconds)
    clips = write_clips(directory / f"clips-{preset.clip}", CLIPS, preset.clip)
    store = FeatureStore(directory / "features")
    keys = ContentKeys()
    spaces = {name: store.space(name, f"{preset.name} {seed} {tower.settings}") for name, tower in model.encoders.items()}
    setting = Setting(
        preset, device, model, PromptTokenizer(make_tokenizer(), sizes.tokens), clips, media, StoredFeatures(spaces, keys)
    )
    samples = [sample for sample, _ in make_samples([Row(Task.MER, 0, 0)] * CLIPS, clips, setting.prompts, ())]
    for sample in samples:
        decoded = media(sample)
        for name, tower in model.encoders.items():
            features = tower(decoded[tower.media][None].to(device))
            records = {f"{name}.{key}": value[0].cpu() for key, value in features.items()}
            spaces[name].write({keys(sample.media): records})
    return setting
