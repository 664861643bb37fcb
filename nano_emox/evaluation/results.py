"""`results.json`: everything that a run has to say about itself, in one file that is whole or absent."""

from __future__ import annotations

import json
import math
import subprocess
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from data_modules.durable import write_atomically

PACKAGES = ("nano-emox", "torch", "lightning", "transformers", "peft", "torchmetrics", "numpy")


def write_results(
    path: Path,
    *,
    scores: Mapping[str, Mapping[str, float]],
    ablation: Mapping[str, Mapping[str, float]],
    chance: Mapping[str, float],
    seed: int,
    lexicon: str,
    synthetic: bool,
    config: Mapping[str, Any],
    extra: Mapping[str, Any] | None = None,
) -> Path:
    """Write the results atomically and return their path.

    Args:
        path: of `results.json`.
        scores: by phase (`phase1`, `phase2`, `phase3`), each as `score_predictions` gives them.
        ablation: by modality subset (`text`, `speech`, `face`, `visual`, `no_fusion`, `all`).
        chance: as `chance_levels` gives them.
        seed: of the run.
        lexicon: name of the lexicon that the wheel scores are computed with.
        synthetic: whether the numbers come from the synthetic world.
        config: the whole configuration, as plain values.
        extra: further entries, such as scores by data set.

    Raises:
        ValueError: a score lies outside [0, 1].
    """
    _check_range({**{f"scores.{name}": each for name, each in scores.items()}, "chance": chance})
    _check_range({f"ablation.{name}": each for name, each in ablation.items()})
    results = {
        **(extra or {}),
        "scores": scores,
        "ablation": ablation,
        "chance": chance,
        "seed": seed,
        "versions": package_versions(),
        "lexicon": lexicon,
        "synthetic": synthetic,
        "git": git_state(path.resolve().parent),
        "config": config,
    }
    text = json.dumps(_without_nan(results), indent=1, ensure_ascii=False, allow_nan=False, default=str)
    return write_atomically(path, text + "\n")


def package_versions() -> dict[str, str | None]:
    """Return the installed version of each package that can change a score; None where it is not installed."""
    versions: dict[str, str | None] = {}
    for package in PACKAGES:
        try:
            versions[package] = version(package)
        except PackageNotFoundError:
            versions[package] = None
    return versions


def git_state(folder: Path) -> dict[str, Any] | None:
    """Return `commit` and `dirty` of the repository around a folder, or around this file; None outside of one."""
    for start in (folder, Path(__file__).parent):
        try:
            commit = _git(start, "rev-parse", "HEAD")
            return {"commit": commit, "dirty": bool(_git(start, "status", "--porcelain", "--untracked-files=no"))}
        except (OSError, subprocess.SubprocessError):
            continue
    return None


def _git(folder: Path, *arguments: str) -> str:
    done = subprocess.run(["git", "-C", str(folder), *arguments], capture_output=True, text=True, check=True, timeout=10)
    return done.stdout.strip()


def _check_range(groups: Mapping[str, Mapping[str, float]]) -> None:
    for group, scores in groups.items():
        for name, score in scores.items():
            if not math.isnan(score) and not 0 <= score <= 1:
                raise ValueError(f"{group}[{name!r}] = {score}: every score lies in [0, 1], per cent only in tables")


def _without_nan(value: Any) -> Any:
    """Replace NaN by null: JSON has no NaN, and null says undefined."""
    if isinstance(value, Mapping):
        return {str(key): _without_nan(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [_without_nan(each) for each in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
