"""What a run's numbers depend on, and what may change under a run that is continued.

A run is continued only if nothing decisive has changed: every key of the configuration is decisive but those named here,
each with the reason why another value gives the same samples in the same order and the same arithmetic.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from nano_emox.config import ExperimentConfig, to_dict
from nano_emox.hub import SOURCES, locate

MAY_CHANGE: dict[str, str] = {
    "preset": "a label",
    "run": "which phases are trained is compared phase by phase",
    "output": "checkpoints hold no paths: a run may be moved",
    "cache": "features are addressed by content, wherever they lie",
    "data.root": "the samples themselves are compared, wherever they lie",
    "data.synthetic": "as above",
    "data.clips": "as above",
    "data.workers": "a batch depends on its epoch and position, not on who reads it",
    "data.timeout": "when a hanging worker is an error, not what it reads",
    "data.on_bad": "a run that went on under `error` has skipped nothing; under `skip`, it left out what is unreadable anyway",
    "data.max_skipped": "whether the run goes on, not how",
    "backbones.root": "the checkpoints themselves are compared, wherever they lie",
    "backbones.preset": "as above",
    "backbones.allow_download": "as above",
    "backbones.tower_steps": "as above",
    "backbones.language_steps": "as above",
    "trainer.devices": "the number of processes is compared instead",
    "trainer.num_nodes": "as above",
    "trainer.log_every_n_steps": "what is written down, not what is computed",
    "trainer.checkpoint_every_n_steps": "as above",
    "trainer.threads": "order and draws stay; sums on a CPU may differ in their last bit",
    "model.max_new_tokens": "of answers, not of training",
    "phases.*.evaluate_with": "of answers, not of training",
    "phases.*.init_from": "the weights themselves are compared",
    "wandb.*": "what is written down, not what is computed",
    "evaluation.*": "of answers, not of training",
}


def settings_of(config: ExperimentConfig, phases: Sequence[str]) -> dict[str, str]:
    """The decisive settings of a run of `phases`, as text by dotted key."""
    plain = to_dict(config)
    plain["phases"] = {name: plain["phases"][name] for name in phases}
    values = {key: json.dumps(value) for key, value in _leaves(plain, "")}
    kept = {key: value for key, value in values.items() if not any(fnmatchcase(key, free) for free in MAY_CHANGE)}
    return kept | {"phases": ", ".join(phases)}


def backbones_of(config: ExperimentConfig) -> dict[str, str]:
    """A digest of each frozen checkpoint: of the sizes of its files, and of three pieces of each."""
    return {f"backbones.{name} (content)": _digest(path) for name, path in sorted(locate(config.backbones, SOURCES).items())}


def digest_of_file(path: Path) -> str:
    """SHA-256 of a file, the first 16 hex digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:16]


def _digest(directory: Path, piece: int = 1 << 20) -> str:
    digest = hashlib.sha256()
    for path in sorted(p for p in directory.rglob("*") if p.suffix in (".safetensors", ".bin", ".pt", ".pth")):
        size = path.stat().st_size
        digest.update(f"{path.name} {size}".encode())
        with path.open("rb") as file:
            for start in (0, size // 2, max(0, size - piece)):
                file.seek(start)
                digest.update(file.read(piece))
    return digest.hexdigest()[:16]


def _leaves(node: Mapping[str, Any], prefix: str) -> Iterator[tuple[str, Any]]:
    for name, value in node.items():
        if isinstance(value, Mapping) and value:
            yield from _leaves(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value
