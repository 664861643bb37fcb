"""Round-robin timing: every path once a round, in turning order; ratios of medians with the rounds' range."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from statistics import median

import torch

Work = Callable[[], object]


@dataclass(frozen=True)
class Ratio:
    """The reference's cost over ours: of the medians, and the range over rounds.

    Attributes:
        reference, ours: medians, in `unit`.
        note: what is special about this line.
    """

    name: str
    ratio: float
    low: float
    high: float
    reference: float
    ours: float
    unit: str = "s"
    note: str = ""


def synchronize() -> None:
    """Wait for the GPU, if there is one."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()


def now() -> float:
    """Seconds on a clock of this process, once the GPU has done what it was given."""
    synchronize()
    return time.perf_counter()


def seconds(work: Work) -> float:
    """How long one call takes."""
    started = now()
    work()
    return now() - started


def round_robin(paths: Mapping[str, Work], rounds: int, *, warm_up: bool = True) -> dict[str, list[float]]:
    """Seconds of each path, round by round; every second round goes through them backwards."""
    if warm_up:
        for work in paths.values():
            work()
    taken: dict[str, list[float]] = {name: [] for name in paths}
    for number in range(rounds):
        for name in list(paths)[:: -1 if number % 2 else 1]:
            taken[name].append(seconds(paths[name]))
    return taken


def ratio(
    name: str, reference: list[float], ours: list[float], *, shares: tuple[int, int] = (1, 1), unit: str = "s", note: str = ""
) -> Ratio:
    """Compare two columns of `round_robin`.

    Args:
        shares: samples that the reference and ours worked through in one call; costs are per sample.
    """
    each = [r / shares[0] / (o / shares[1]) for r, o in zip(reference, ours, strict=True)]
    theirs, own = median(reference) / shares[0], median(ours) / shares[1]
    return Ratio(name, theirs / own, min(each), max(each), theirs, own, unit, note)
