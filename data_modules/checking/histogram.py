"""Durations as a histogram whose bins are round numbers of seconds."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

_STEPS = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0)


@dataclass(frozen=True, slots=True)
class Histogram:
    """Numbers of clips by duration.

    Attributes:
        step: width of a bin, in seconds; bin `i` begins at `i * step`; the last one has no end where there are 20.
        counts: clips in each bin.
        shortest, median, longest, total: in seconds; 0 where there is no clip.
    """

    step: float = 1.0
    counts: tuple[int, ...] = ()
    shortest: float = 0.0
    median: float = 0.0
    longest: float = 0.0
    total: float = 0.0


def bin_width(seconds: Sequence[float], bins: int = 20) -> float:
    """A round number of seconds for which `bins` bins reach to where all but the longest hundredth of the clips end."""
    ordered = sorted(seconds)
    reach = ordered[math.ceil(0.99 * len(ordered)) - 1] if ordered else 0.0
    return next((step for step in _STEPS if reach / step < bins), _STEPS[-1])


def histogram(seconds: Sequence[float], step: float, bins: int = 20) -> Histogram:
    """At most `bins` bins of `step` seconds; what is longer than all of them is in the last."""
    if not seconds:
        return Histogram(step)
    ordered = sorted(seconds)
    counts = [0] * min(bins, int(ordered[-1] / step) + 1)
    for value in ordered:
        counts[min(int(value / step), len(counts) - 1)] += 1
    middle = (ordered[(len(ordered) - 1) // 2] + ordered[len(ordered) // 2]) / 2
    return Histogram(step, tuple(counts), ordered[0], round(middle, 3), ordered[-1], round(sum(ordered), 3))
