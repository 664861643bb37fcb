"""How soon a run starts: the towers' fingerprints, which a run from the store needs before its first batch."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from bench.epoch import tiny_weights
from bench.timing import Ratio, ratio, round_robin
from experiments.assembly import configure
from nano_emox.backbones import TOWERS, load_towers
from nano_emox.fingerprints import TowerFingerprints


def measure(directory: Path, rounds: int) -> Iterator[Ratio]:
    """`start.towers`: the tiny towers loaded and hashed, or remembered. The paper's are 400 times as large."""
    config = configure("tiny", [f"backbones.root={tiny_weights(directory)}"])
    memory = directory / "fingerprints.json"

    def loaded() -> object:
        return {name: tower.fingerprint() for name, tower in load_towers(config.backbones, config.model).items()}

    def remembered() -> object:
        return TowerFingerprints(memory).of(config.backbones, config.model, TOWERS)

    taken = round_robin({"reference": loaded, "ours": remembered}, rounds)
    note = "fingerprints of the tiny towers: loaded and hashed, or remembered"
    yield ratio("start.towers", taken["reference"], taken["ours"], note=note)
