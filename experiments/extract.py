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

from callbacks.accounting import AccountingError, added
from callbacks.feature_writer import FeatureWriter
from callbacks.ranks import gather
from data_modules.datasets import load_samples, splits_of
from data_modules.durable import write_atomically
from data_modules.extraction import ClipDataModule, Medium, clips_of
from data_modules.features import FeatureSpace
from data_modules.loading import SkipReport
from data_modules.record import Sample
from experiments.assembly import content_keys, found_datasets, media_inputs, read_unreadable, space_of, unreadable_file
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


def extract(config: ExperimentConfig, verify: bool = False) -> Path:
    """Fill the feature store; returns the path of a small report, which also is the make target.

    Any number of ranks share the work, and each writes its own shards. Damaged shards are dropped first, and what they held is
    extracted again.

    Args:
        verify: compare every shard with its checksum, which reads the whole store; otherwise only sizes are looked at.

    Raises:
        AccountingError: more clips than `data.max_skipped` allows cannot be read.
    """
    require_paths(config, "data.root", "backbones.root")
    missing = SkipReport()
    samples = needed_samples(config)
    clips = clips_of(samples, content_keys(config), missing if config.data.on_bad == "skip" else None)
    towers = load_towers(config.backbones, config.model)
    table = Table("towers", "clips", "new", "without", "unreadable", "clips/s", title="Feature store", title_justify="left")
    report: dict[str, Any] = {}
    problems: list[str] = []
    address = {f"{clip.sample.dataset}/{clip.sample.id}": clip.key for clip in clips}
    known = set(address.values())
    reasons = {key: reason for key, reason in read_unreadable(config).items() if key not in known}
    if missing.skipped:
        report["missing"] = missing.as_dict()["samples"]
        if missing.skipped > config.data.max_skipped * len(samples):
            problems.append(_too_many(config, f"of {len(samples)} samples, {missing.skipped}", missing.reasons))
    for medium in MEDIA:
        group = {name: tower for name, tower in towers.items() if tower.media == medium}
        spaces = {name: space_of(config, tower) for name, tower in group.items()}
        for name, space in spaces.items():
            if dropped := space.repair(thorough=verify):
                console.print(f"{name}: {len(dropped)} damaged shards dropped; their clips are extracted again")
        data = ClipDataModule(
            clips, media_inputs(config), medium=medium, without=_AllOf(spaces), batch_size=16, num_workers=config.data.workers,
            on_bad=config.data.on_bad, timeout=config.data.timeout,
        )  # fmt: skip
        started = time.perf_counter()
        trainer = Trainer(
            accelerator=config.trainer.accelerator, devices=config.trainer.devices, num_nodes=config.trainer.num_nodes,
            logger=False, enable_model_summary=False, enable_checkpointing=False, use_distributed_sampler=False,
            callbacks=[
                FeatureWriter({name: space.write for name, space in spaces.items()}, absent=data.absent),
                ClipProgress(", ".join(group), len(data.clips)),
            ],
        )  # fmt: skip
        if data.clips or trainer.world_size > 1:  # another rank may see other clips undone, while a third process writes
            trainer.predict(TowersOfMedium(group), datamodule=data, return_predictions=False)
        rate = len(data.clips) / max(time.perf_counter() - started, 1e-9)
        ranks = gather((data.skips.as_dict(), len(data.absent)))  # and none goes on before all have written
        counts = added(counts for counts, _ in ranks)
        skipped, absent = counts["samples"], sum(number for _, number in ranks)
        reasons |= {address[name]: reason for reason, names in skipped.items() for name in names}
        report[medium] = {
            "towers": list(group), "clips": len(clips), "new": len(data.clips), "absent": absent, "skipped": skipped
        }  # fmt: skip
        shown = f"{rate:.0f}" if data.clips else "–"
        unreadable = sum(map(len, skipped.values()))
        table.add_row(", ".join(group), str(len(clips)), str(len(data.clips)), str(absent), str(unreadable), shown)
        for space in spaces.values():
            space.refresh()
        undone, given_up = sum(clip.key not in _AllOf(spaces) for clip in clips), sum(counts["skipped"].values())
        if undone != given_up:
            problems.append(f"{medium}: {undone} clips are not in the store, but {given_up} were skipped")
        if given_up > config.data.max_skipped * len(clips):
            problems.append(_too_many(config, f"{medium}: of {len(clips)} clips, {given_up}", skipped))
    target = Path(config.output) / "features.json"
    if trainer.is_global_zero:
        console.print(table)
        write_atomically(unreadable_file(config), json.dumps(reasons))
        write_atomically(target, json.dumps(report, indent=2, ensure_ascii=False))
    if problems:
        raise AccountingError("\n".join(problems))
    return target


def _too_many(config: ExperimentConfig, of_how_many: str, reasons: Mapping[str, Any]) -> str:
    named = [f"{name} ({reason})" for reason, names in sorted(reasons.items()) for name in names]
    return (
        f"{of_how_many} cannot be read, more than data.max_skipped={config.data.max_skipped:g} allows:"
        f" {', '.join(named[:5])}{', ...' if named[5:] else ''}; features.json lists them"
    )


def needed_samples(config: ExperimentConfig) -> list[Sample]:
    """Training and validation samples of all phases, test samples of all benchmarks that are found.

    Raises:
        ConfigError: nothing was found under `data.root`.
    """
    root = config.data.root
    training, _ = found_datasets(config, dict.fromkeys(name for phase in config.phases.values() for name in phase.data))
    benchmarks, _ = found_datasets(config, config.evaluation.benchmarks)
    parts: list[tuple[str, str]] = [
        (name, split) for name in training for split in ("train", "validation") if split in splits_of(name, root)
    ]
    parts += [(name, "test") for name in benchmarks]
    if not parts:
        raise ConfigError(f"data.root: no data set found under {root}; `nano-emox doctor` says what is looked for where")
    return [sample for name, split in parts for sample in load_samples(name, root, split, on_bad=config.data.on_bad)]
