"""Fingerprints of towers whose files have not changed, without loading the towers.

A run from the feature store needs a tower's fingerprint and nothing else of it; hashing 1.2 GB of weights, and reading them
first, is most of the time to its first step. What was computed once is remembered under everything that decides it: each
file's place, size and modification time, the configuration, this package's encoder code and the libraries' versions.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Collection
from importlib.metadata import version
from pathlib import Path

from data_modules.durable import write_atomically
from nano_emox.backbones import load_towers
from nano_emox.config import BackboneConfig, ModelConfig
from nano_emox.hub import locate

_CODE = Path(__file__).parent / "encoders"
_SETTINGS = {
    "visual": ("visual_layers", "visual_resize"),
    "speech": ("speech_layers", "speech_normalise", "clip_mean"),
    "face": ("face_pixels",),
}  # of ModelConfig, as `load_towers` passes them on


class TowerFingerprints:
    """`FrozenEncoder.fingerprint` by modality, with a memory.

    Args:
        memory: a JSON file; losing it costs time only.
    """

    def __init__(self, memory: Path) -> None:
        self.memory = memory
        self._known: dict[str, str] = {}
        if memory.is_file():
            with contextlib.suppress(json.JSONDecodeError):
                self._known = dict(json.loads(memory.read_text(encoding="utf-8")))

    def of(self, config: BackboneConfig, model: ModelConfig, modalities: Collection[str]) -> dict[str, str]:
        """The fingerprints of these towers; those that are not known are loaded, and remembered.

        Raises:
            FileNotFoundError: see `locate`.
        """
        where = locate(config, modalities)
        states = {name: _state(name, Path(path), config, model) for name, path in where.items()}
        unknown = [name for name, state in states.items() if state not in self._known]
        if unknown:
            for name, tower in load_towers(config, model, unknown).items():
                self._known[states[name]] = tower.fingerprint()
            write_atomically(self.memory, json.dumps(self._known, indent=1))
        return {name: self._known[state] for name, state in states.items()}


def _state(modality: str, directory: Path, config: BackboneConfig, model: ModelConfig) -> str:
    """32 hex digits of everything that a tower's fingerprint depends on."""
    files = [
        (str(file.relative_to(directory)), file.stat().st_size, file.stat().st_mtime_ns)
        for file in sorted(directory.rglob("*"))
        if file.is_file()
    ]
    settings = {name: getattr(model, name) for name in _SETTINGS[modality]}
    code = [hashlib.sha256(file.read_bytes()).hexdigest() for file in sorted(_CODE.glob("*.py"))]
    versions = [version(name) for name in ("torch", "torchvision", "transformers")]
    what = [modality, str(directory.absolute()), files, settings, config.dtype, code, versions]
    return hashlib.sha256(json.dumps(what).encode()).hexdigest()[:32]
