"""Percentile bootstrap: how far a score would move if the benchmark had drawn other clips of the same kind."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from copy import deepcopy
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from torchmetrics import Metric


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
    return interval_of(np.array(scores, dtype=float), level)


def metric_intervals(
    metric: Metric, *columns: Sequence[Any], resamples: int = 500, level: float = 0.95, seed: int = 0
) -> dict[str, Interval]:
    """Intervals of any metric of this package, by updating a copy of it with resampled clips; slow but general.

    Args:
        metric: its options are used, its state is not.
        columns: what `update` takes, one entry a clip.
        resamples: number of draws.
        level: coverage, in (0, 1).
        seed: of the numpy generator.

    Returns:
        an interval for each score that `compute` returns; `score` where it returns one tensor.

    >>> from nano_emox.metrics import SentimentWAF
    >>> metric_intervals(SentimentWAF(), ["positive"] * 3 + ["negative"] * 3, [1, 1, 1, -1, -1, 1])["score"].high
    1.0
    """
    generator = np.random.default_rng(seed)
    size = len(columns[0])
    drawn: dict[str, list[float]] = {}
    for _ in range(resamples):
        chosen = generator.integers(size, size=size)
        copy = deepcopy(metric)
        copy.reset()
        copy.update(*([column[index] for index in chosen] for column in columns))
        scores = copy.compute()
        for name, score in (scores if isinstance(scores, dict) else {"score": scores}).items():
            drawn.setdefault(name, []).append(float(score))
    return {name: interval_of(np.array(values), level) for name, values in drawn.items()}


def resample_counts(samples: int, resamples: int = 1000, *, seed: int | Sequence[int] = 0) -> npt.NDArray[np.float64]:
    """How often each clip is drawn in each resample, (resamples, samples): for scores that are functions of sums.

    >>> resample_counts(4, 2).sum(axis=1)
    array([4., 4.])
    """
    draws = np.random.default_rng(seed).integers(samples, size=(resamples, samples))
    counts = np.zeros((resamples, samples))
    np.add.at(counts, (np.arange(resamples)[:, None], draws), 1.0)
    return counts


def interval_of(scores: npt.NDArray[np.float64], level: float = 0.95) -> Interval:
    """The central interval of resampled scores; undefined ones are left out, NaN where all are."""
    if np.isnan(scores).all():
        return Interval(float("nan"), float("nan"))
    edges = np.nanquantile(scores, [(1 - level) / 2, (1 + level) / 2])
    return Interval(float(edges[0]), float(edges[1]))
