"""From the command line's preset and overrides to a configuration. Light: commands that build no model use it too."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from nano_emox.config import ConfigError, ExperimentConfig, load

HERE = Path(__file__).parent


def read_config(preset: str, overrides: Sequence[str] = ()) -> ExperimentConfig:
    """The paper's recipe, a preset by name or by file, and overrides.

    Raises:
        ConfigError: no such preset, or a key or value that the schema does not know.
    """
    file = Path(preset) if preset.endswith((".yaml", ".yml")) else HERE / "presets" / f"{preset}.yaml"
    if not file.is_file():
        known = sorted(path.stem for path in (HERE / "presets").glob("*.yaml"))
        raise ConfigError(f"--preset: no preset {preset!r}; there are {', '.join(known)}, or give a YAML file")
    return load([HERE / "p2e.yaml", file], overrides)
