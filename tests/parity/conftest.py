"""Fixtures made by running the released code. They are found by their `kind`, in PARITY_DIR (default ../shared/parity).

A test with an argument `released_<kind>` runs once for every fixture of that kind.
"""

from __future__ import annotations

import json
import os
import zlib
from functools import cached_property
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.testing import assert_close

from nano_emox.checkpoints import released_name

KINDS = (
    "fusion", "qformer", "facial", "encoder_clip", "encoder_hubert", "audio_clips", "splice", "e2e", "checkpoint_map",
    "facexformer_keys",
)  # fmt: skip
WHERE = Path(os.environ.get("PARITY_DIR", Path(__file__).parents[3] / "shared" / "parity"))
BLOCKS = {"multi": "fusion", "audio": "speech", "face": "face", "frame": "visual"}  # released name of a block -> ours


class Released:
    """One fixture: its description, its tensors in float32, and the released parameters under our names."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.described = json.loads(path.read_text())
        self.config = self.described.get("config", {})

    @cached_property
    def tensors(self) -> dict[str, Tensor]:
        stored = load_file(self.path.with_suffix(".safetensors"))
        tensors = {k: v.float() if v.is_floating_point() else v for k, v in stored.items()}
        if recipe := self.described.get("recipe"):
            tensors |= {f"param.{entry[0]}": made(recipe["salt"], entry) for entry in recipe["params"]}
            tensors |= {entry[0]: made(recipe["salt"], entry) for entry in recipe["inputs"]}
        return tensors

    def under(self, prefix: str) -> dict[str, Tensor]:
        return {k.removeprefix(prefix): v for k, v in self.tensors.items() if k.startswith(prefix)}

    def load(self, module: nn.Module, ours: str) -> None:
        """Fill a part of our model through the import table; `ours` is its name in the whole model, with a dot."""
        parameters = self.under("param.")
        module.load_state_dict({name: parameters[str(released_name(ours + name))] for name in module.state_dict()})
        module.eval()

    def close(self, actual: Tensor, name: str) -> None:
        tolerance = self.described["tolerance"]
        assert_close(actual.detach(), self.tensors[name], atol=tolerance["atol"], rtol=tolerance["rtol"])


def made(salt: str, entry: list) -> Tensor:
    """A tensor of which only the recipe is stored: 64-bit integer hashing, exact on every machine."""
    name, shape, offset, scale = entry
    index = np.arange(int(np.prod(shape)), dtype=np.uint64)
    with np.errstate(over="ignore"):
        z = (np.uint64(zlib.crc32((salt + name).encode())) << np.uint64(32)) + index + np.uint64(1)
        z = z + np.uint64(0x9E3779B97F4A7C15)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        z = z ^ (z >> np.uint64(31))
    unit = (z >> np.uint64(40)).astype(np.float64) / 2**23 - 1
    return torch.from_numpy((offset + scale * unit).astype(np.float32)).reshape(shape)


def found() -> dict[str, list[Path]]:
    """Fixtures by kind."""
    by_kind: dict[str, list[Path]] = {}
    for path in sorted(WHERE.glob("*.json")):
        by_kind.setdefault(json.loads(path.read_text()).get("kind", ""), []).append(path)
    return by_kind


FOUND = found()


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    for kind in KINDS:
        if (name := f"released_{kind}") in metafunc.fixturenames:
            reason = f"no fixture of kind {kind!r} in {WHERE}; set PARITY_DIR"
            absent = pytest.param(None, marks=pytest.mark.skip(reason=reason), id="absent")
            present = [pytest.param(Released(path), id=path.stem) for path in FOUND.get(kind, [])]
            metafunc.parametrize(name, present or [absent])


@pytest.fixture(scope="session")
def blocks() -> dict[str, str]:
    return BLOCKS
