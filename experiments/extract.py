"""`make features`: every frozen tower runs once over every clip that training and the benchmarks use.

Clips that are in the store already are passed over, so an extraction that was cut continues, and a second one does nothing.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lightning.pytorch import LightningModule, Trainer
from rich.table import Table
from torch import nn

from callbacks.feature_writer import FeatureWriter
from data_modules.datasets import DATASETS, load_samples
from data_modules.durable import write_atomically
from data_modules.extraction import ClipDataModule, Medium, clips_of
from data_modules.features import FeatureSpace
from data_modules.record import Sample
from experiments.assembly import content_keys, found_datasets, media_inputs, space_of
from experiments.logs import console
from experiments.progress import ClipProgress
from nano_emox.backbones import load_towers
from nano_emox.config import ConfigError, ExperimentConfig, require_paths
from nano_emox.encoders import FrozenEncoder

MEDIA: tuple[Medium, ...] = ("frames", "clips")


class TowersOfMedium(LightningModule):
    """The towers that take one medium, so that a clip is decoded once for all of them."""

    def __init__(self, towers: Mapping[str, FrozenEncoder]) -> None:
        super().__init__()
        self.towers = nn.ModuleDict(dict(towers))

    def predict_step(self, batch: Any, batch_idx: int = 0) -> dict[str, Any]:
        """`{"key": [...], "features": {"visual.last": Tensor, ...}}` of all towers."""
        features: dict[str, Any] = {}
        for tower in self.towers.values():
            assert isinstance(tower, FrozenEncoder)
            features |= tower.predict_step(batch)["features"]
        return {"key": list(batch["key"]), "features": features}


class _AllOf:
    """Membership in every one of several spaces."""

    def __init__(self, spaces: Mapping[str, FeatureSpace]) -> None:
        self.spaces = spaces

    def __contains__(self, key: str) -> bool:
        return all(key in space for space in self.spaces.values())


def extract(config: ExperimentConfig) -> Path:
    """Fill the feature store; returns the path of a small report, which also is the make target."""
    require_paths(config, "data.root", "backbones.root")
    samples = needed_samples(config)
    clips = clips_of(samples, content_keys(config))
    towers = load_towers(config.backbones, config.model)
    table = Table("towers", "clips", "new", "without", "clips/s", title="Feature store", title_justify="left")
    report = {}
    for medium in MEDIA:
        group = {name: tower for name, tower in towers.items() if tower.media == medium}
        spaces = {name: space_of(config, tower) for name, tower in group.items()}
        data = ClipDataModule(
            clips, media_inputs(config), medium=medium, without=_AllOf(spaces), batch_size=16, num_workers=config.data.workers
        )
        started = time.perf_counter()
        if data.clips:
            trainer = Trainer(
                accelerator=config.trainer.accelerator, devices=config.trainer.devices, logger=False,
                enable_model_summary=False, enable_checkpointing=False, use_distributed_sampler=False,
                callbacks=[FeatureWriter({name: space.write for name, space in spaces.items()}), ClipProgress(", ".join(group), len(data.clips))],
            )  # fmt: skip
            trainer.predict(TowersOfMedium(group), datamodule=data, return_predictions=False)
            for space in spaces.values():
                if data.absent:
                    space.write({key: {} for key in data.absent})
        rate = len(data.clips) / max(time.perf_counter() - started, 1e-9)
        report[medium] = {"towers": list(group), "clips": len(clips), "new": len(data.clips), "absent": len(data.absent)}
        shown = f"{rate:.0f}" if data.clips else "–"
        table.add_row(", ".join(group), str(len(clips)), str(len(data.clips)), str(len(data.absent)), shown)
    console.print(table)
    target = Path(config.output) / "features.json"
    write_atomically(target, json.dumps(report, indent=2))
    return target


def needed_samples(config: ExperimentConfig) -> list[Sample]:
    """Training and validation samples of all phases, test samples of all benchmarks that are found.

    Raises:
        ConfigError: nothing was found under `data.root`.
    """
    root = config.data.root
    training, _ = found_datasets(config, dict.fromkeys(name for phase in config.phases.values() for name in phase.data))
    benchmarks, _ = found_datasets(config, config.evaluation.benchmarks)
    parts: list[tuple[str, str]] = [
        (name, split) for name in training for split in ("train", "validation") if split in DATASETS[name].splits
    ]
    parts += [(name, "test") for name in benchmarks]
    if not parts:
        raise ConfigError(f"data.root: no data set found under {root}; `nano-emox doctor` says what is looked for where")
    return [sample for name, split in parts for sample in load_samples(name, root, split)]
