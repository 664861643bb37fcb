"""Percentile bootstrap: how far a score would move if the benchmark had drawn other clips of the same kind."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt


class Interval(NamedTuple):
    """A confidence interval; NaN where the score is undefined in every resample."""

    low: float
    high: float


def bootstrap_interval(
    score: Callable[[npt.NDArray[np.int64]], float],
    samples: int,
    *,
    resamples: int = 1000,
    level: float = 0.95,
    seed: int = 0,
    groups: Sequence[int] | None = None,
) -> Interval:
    """Resample clips with replacement and return the central interval of the scores.

    Args:
        score: score of the clips at the given positions, an int64 array of shape (samples,).
        samples: number of clips.
        resamples: number of draws.
        level: coverage, in (0, 1).
        seed: of the numpy generator.
        groups: person or dialogue of each clip; whole groups are drawn then, since their clips are not independent.

    >>> hits = np.array([1.0, 1.0, 0.0, 1.0])
    >>> bootstrap_interval(lambda chosen: hits[chosen].mean(), 4, resamples=200)
    Interval(low=0.25, high=1.0)
    """
    generator = np.random.default_rng(seed)
    members = [np.array([position]) for position in range(samples)]
    if groups is not None:
        keys = np.asarray(groups)
        members = [np.flatnonzero(keys == key) for key in np.unique(keys)]
    scores = []
    for _ in range(resamples):
        drawn = generator.integers(len(members), size=len(members))
        scores.append(score(np.concatenate([members[index] for index in drawn])))
    edges = np.nanquantile(scores, [(1 - level) / 2, (1 + level) / 2])
    return Interval(float(edges[0]), float(edges[1]))
