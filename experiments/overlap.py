"""Training clips that are in a benchmark as well: told and written down before training starts."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

from lightning.pytorch.utilities import rank_zero_only

from data_modules.datasets import card_of, read_annotation
from data_modules.durable import write_atomically
from data_modules.record import Sample
from data_modules.splits import Overlap, overlap
from experiments.logs import console
from nano_emox.config import ExperimentConfig


def find_overlap(config: ExperimentConfig, train: Mapping[str, Sequence[Sample]]) -> list[Overlap]:
    """By name, with the test split of every benchmark that lies under `data.root`; `<output>/overlap.json` has all ids."""
    root = Path(config.data.root)
    benchmarks: dict[str, list[Sample]] = {}
    not_compared: dict[str, str] = {}
    for name in config.evaluation.benchmarks:
        if card_of(name).layout_in(root) is None:
            continue
        try:
            benchmarks[name] = read_annotation(name, root, "test").samples
        except (OSError, ValueError) as error:  # evaluation will say so; training need not wait for it
            not_compared[name] = str(error)
    found = overlap(train, benchmarks)
    _tell(config, found, not_compared)
    return found


@rank_zero_only
def _tell(config: ExperimentConfig, found: Sequence[Overlap], not_compared: Mapping[str, str]) -> None:
    for each in found:
        console.print(f"[yellow]overlap:[/] {each}", soft_wrap=True)
    for name, reason in not_compared.items():
        console.print(f"[yellow]overlap:[/] {name} was not compared with the training sets: {reason}", soft_wrap=True)
    if found:
        done = "left out of training" if config.data.overlap == "remove" else "data.overlap=remove leaves them out of training"
        console.print(f"  {done}; {config.output}/overlap.json lists them", soft_wrap=True)
    report = {"setting": config.data.overlap, "found": [asdict(each) for each in found], "not_compared": dict(not_compared)}
    target, text = Path(config.output) / "overlap.json", json.dumps(report, indent=2, ensure_ascii=False)
    if not target.exists() or target.read_text(encoding="utf-8") != text:  # a refused run leaves everything as it was
        write_atomically(target, text)
