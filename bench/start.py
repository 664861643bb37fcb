"""How soon a run starts: what it needs of its towers, and its first step."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import redirect_stderr
from functools import partial
from pathlib import Path

from bench.epoch import our_epoch, reference_epoch, run_of, tiny_weights
from bench.timing import Ratio, ratio, round_robin
from experiments.assembly import configure
from experiments.extract import extract
from nano_emox.backbones import TOWERS, load_towers
from nano_emox.fingerprints import TowerFingerprints


def measure(directory: Path, rounds: int) -> Iterator[Ratio]:
    """`start.towers`: the tiny towers loaded, or their fingerprints remembered, which is all that a run from the store needs.

    `start.first_step`: from a configuration to the end of a phase of one step; ours validates and writes a checkpoint too.
    """
    config = configure("tiny", [f"backbones.root={tiny_weights(directory)}"])
    memory = directory / "fingerprints.json"

    def loaded() -> object:
        return load_towers(config.backbones, config.model)

    def remembered() -> object:
        return TowerFingerprints(memory).of(config.backbones, config.model, TOWERS)

    taken = round_robin({"reference": loaded, "ours": remembered}, rounds)
    note = "the tiny towers: loaded, or their fingerprints remembered"
    yield ratio("start.towers", taken["reference"], taken["ours"], note=note)

    with redirect_stderr(io.StringIO()):
        first = run_of(directory, "phase3", steps=1)
        extract(first)
        taken = round_robin(
            {"reference": partial(reference_epoch, first, "phase3", 3), "ours": partial(our_epoch, first)}, rounds
        )  # fmt: skip
    note = "tiny preset, phase 3, after imports: model, data, one step; ours with validation and checkpoint"
    yield ratio("start.first_step", taken["reference"], taken["ours"], note=note)
