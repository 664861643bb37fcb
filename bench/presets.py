"""Sizes to measure at: `tiny`, `quarter` (a quarter of the layers at true widths and vocabulary) and `paper`, random weights.

The rows of a training batch have the token counts of the released runs; phase 3 is a modelled mix (docs/performance.md).
"""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass, field, replace
from typing import Any

import torch

from data_modules.record import Task
from experiments.assembly import configure
from nano_emox.backbones import PAPER, TINY
from nano_emox.config import ModelConfig, PhaseConfig
from nano_emox.encoders.facial import STAGES


@dataclass(frozen=True)
class Row:
    """One row of a batch: what is asked, its tokens in all, and those that the loss is taken at.

    A closed label is as long as it is, so `supervised` of MER and MIR is what is aimed at, not what is reached.
    """

    task: Task
    tokens: int
    supervised: int


ROWS: dict[str, tuple[Row, ...]] = {
    "phase1_speech": (Row(Task.MER, 118, 9),) * 3,
    "phase1_visual": (Row(Task.MER, 133, 9),) * 3,
    "phase2": (Row(Task.MIR, 252, 4),) * 3,
    # A modelled mix with a mean of 360 tokens, 91 supervised: a label, a description, an empathetic reply.
    "phase3": (Row(Task.MER, 250, 9), Row(Task.ERI, 235, 34), Row(Task.ERG, 595, 230)),
}


@dataclass(frozen=True)
class ClipSize:
    """Of the media files: picture in pixels, length in seconds."""

    width: int
    height: int
    seconds: float
    rate: int = 25

    def __str__(self) -> str:
        return f"{self.width}x{self.height}-{self.seconds}s"


@dataclass(frozen=True)
class Preset:
    """What is measured.

    Attributes:
        shapes: towers and language model, in the form of `backbones.PAPER`.
        rows: of one training batch, by phase.
        clip: media files that are decoded.
        answers: clips of a benchmark that the reference answers in one round, and that ours answers.
        own_batch: how many times the samples of a batch ours takes where it chooses its own batch size.
        rounds: of each measurement, unless the command line says otherwise.
    """

    name: str
    model: ModelConfig
    shapes: Mapping[str, Any]
    dtype: torch.dtype
    rows: Mapping[str, tuple[Row, ...]]
    clip: ClipSize
    answers: tuple[int, int]
    own_batch: int = 4
    rounds: int = 5
    phases: Mapping[str, PhaseConfig] = field(default_factory=lambda: configure("paper").phases)


def preset(name: str) -> Preset:
    """`tiny`, `quarter` or `paper`; `smoke` is the smallest that still runs everything, for tests.

    Raises:
        ValueError: another name.
    """
    real = ClipSize(640, 360, 6.0)
    if name == "paper":
        return Preset(name, ModelConfig(), PAPER, torch.bfloat16, ROWS, real, (4, 64))
    if name == "quarter":
        model = ModelConfig(visual_layers=[3, 4, 5], speech_layers=[4, 4, 5])
        return Preset(name, model, _quarter(), torch.float32, ROWS, real, (1, 8), rounds=2)
    if name in ("tiny", "smoke"):
        model = configure("tiny").model
        rows = {phase: tuple(replace(row, tokens=min(row.tokens, 500)) for row in rows) for phase, rows in ROWS.items()}
        answers = (500, 500) if name == "tiny" else (2, 4)
        return Preset(name, model, TINY, torch.float32, rows, ClipSize(160, 120, 2.0), answers)
    raise ValueError(f"--preset {name!r}; choose tiny, quarter or paper")


def _quarter() -> dict[str, Any]:
    shapes = deepcopy(PAPER)
    for tower in ("visual", "speech"):
        shapes[tower].num_hidden_layers //= 4
    language = shapes["language"]
    language.num_hidden_layers //= 4
    language.layer_types = language.layer_types[: language.num_hidden_layers]
    shapes["face"] = {"depths": (1,) * (len(STAGES) - 2) + (3, 1)}  # 6 of 24 blocks; all four stages are tapped
    return shapes
