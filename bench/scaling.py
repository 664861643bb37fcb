"""Cost as work grows: our training step over length, batch, experts and modality tokens; extraction over processes.

Every curve is a list of (work, seconds or clips a second). A step is one of phase 3, where everything trains. Widths are
between those of tiny and of the paper, so that arithmetic, not overhead, is what grows, and a CPU can do it.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import pairwise
from math import log
from pathlib import Path

import torch
from transformers import Qwen2Config

from bench.data import BATCH, extraction_rate
from bench.presets import Preset, Row, preset
from bench.setting import Setting, make_setting
from bench.timing import round_robin
from bench.training import Training
from data_modules.record import Task

PHASE = "phase3"


@dataclass(frozen=True)
class Curve:
    """A cost over an amount of work.

    Attributes:
        points: (work, value), in growing order of work.
        cost: values grow with work and are to grow at most as fast; otherwise they are a rate.
    """

    name: str
    work: str
    value: str
    points: list[tuple[float, float]]
    cost: bool = True

    @property
    def exponent(self) -> float:
        """k of value ~ work^k between the first and the last point: at most 1 where a cost grows linearly or better."""
        return _growth(self._grown[0], self._grown[-1])

    @property
    def steepest(self) -> float:
        """The same between neighbours, where it is largest; one slow round shows here."""
        return max(_growth(*pair) for pair in pairwise(self._grown))

    @property
    def _grown(self) -> list[tuple[float, float]]:
        """Points with some work: from none, nothing grows by a factor."""
        return [point for point in self.points if point[0] > 0]


def _growth(first: tuple[float, float], second: tuple[float, float]) -> float:
    return log(second[1] / first[1]) / log(second[0] / first[0])


def narrow(name: str) -> Preset:
    """The preset that curves are measured at."""
    base = preset("tiny" if name == "quarter" else name)
    if name != "quarter":
        return base
    language = Qwen2Config(
        vocab_size=32768, hidden_size=512, intermediate_size=1536, num_hidden_layers=4, num_attention_heads=8,
        num_key_value_heads=2, tie_word_embeddings=True,
    )  # fmt: skip
    return replace(base, name="narrow", shapes={**base.shapes, "language": language})


def measure(
    name: str, device: torch.device, directory: Path, rounds: int, report: Callable[[str], None], *, brief: bool = False
) -> Iterator[Curve]:
    """All curves; `brief` is two points of the first and of the last."""
    base = narrow(name)

    def step(label: str, sized: Preset, rows: tuple[Row, ...]) -> Callable[[], object]:
        setting = make_setting(replace(sized, rows={PHASE: rows}), device, directory / f"scaling-{label}")
        both = Training(setting, PHASE)
        both.prepare_ours()
        return both.our_step

    def curve(title: str, work: str, steps: Mapping[int, Callable[[], object]]) -> Curve:
        taken = round_robin({str(key): work_ for key, work_ in steps.items()}, rounds)
        # The fastest of the rounds: a curve asks what the work costs, not what else ran on this machine.
        found = Curve(title, work, "seconds a step", [(key, min(taken[str(key)])) for key in steps])
        report(f"{title}: " + ", ".join(f"{key:g}: {value:.3f}" for key, value in found.points))
        return found

    rows = tuple(Row(Task.ERI, tokens, 34) for tokens in (200, 240, 280))
    long = replace(base, model=replace(base.model, max_length=2048))
    lengths = [128, 256] if brief else [128, 256, 512, 1024]
    yield curve("sequence length", "tokens a row", {n: step("length", long, (Row(Task.ERI, n, 34),) * 3) for n in lengths})
    if brief:
        yield extraction(make_setting(base, device, directory / "scaling-extraction"), directory, report, brief=True)
        return
    batches = [2, 4, 8, 16]
    yield curve("batch", "rows a batch", {n: step("batch", base, (Row(Task.ERI, 240, 34),) * n) for n in batches})
    experts = [1, 3, 6, 12]

    def layers(count: int) -> Preset:
        taps = [23 - (i % 12) for i in range(count)]
        return replace(base, model=replace(base.model, visual_layers=taps, speech_layers=taps))

    yield curve("experts", "fusion experts", {n: step(f"experts{n}", layers(n), rows) for n in experts})
    modality = [8, 16, 32, 64]

    def blocks(count: int) -> Preset:
        tokens = {**base.model.tokens, "visual": count, "speech": count}
        return replace(long, model=replace(long.model, tokens=tokens))

    def free(count: int) -> tuple[Row, ...]:  # text stays the same, so a row grows by its modality tokens
        return tuple(replace(row, tokens=row.tokens + 2 * count - 16) for row in rows)

    wide = {n: step(f"tokens{n}", blocks(n), free(n)) for n in modality}
    yield curve("modality tokens", "visual and speech tokens each", wide)
    real = replace(base, clip=preset("quarter").clip)  # small towers and large pictures, as large towers on a GPU would be
    setting = make_setting(real, device, directory / "scaling-extraction")
    yield extraction(setting, directory, report)
    yield extraction(setting, directory, report, towers=False)


def extraction(
    setting: Setting, directory: Path, report: Callable[[str], None], *, towers: bool = True, brief: bool = False
) -> Curve:
    """Clips a second over decoding processes; without towers, decoding alone."""
    counts = [0, 1, 2] if brief else [count for count in (0, 1, 2, 4, 8, 16) if count <= (os.cpu_count() or 1)]
    each = BATCH * (2 if brief else 7)  # clips for every process
    rates = [(float(n), extraction_rate(setting, directory, n, each * max(1, n), towers)) for n in counts]
    name = "extraction" if towers else "decoding"
    report(f"{name}: " + ", ".join(f"{workers:g} workers: {rate:.1f} clips/s" for workers, rate in rates))
    return Curve(name, "decoding processes (0: none of its own)", "clips a second", rates, cost=False)
