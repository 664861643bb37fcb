"""Emotion-wheel hit rate (MER) and set score (OV-MER) as torchmetrics; the formulas are in wheel_scores.py.

State is counts and order-free sums, so any number of ranks gives the one-process result to the last bit; it can differ
from the released code, which averages floats in the order of the clips, in that last bit.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torchmetrics import Metric

from nano_emox.metrics.exact_sums import fixed_point, halves, mean
from nano_emox.metrics.lexicon import Lexicon, load_lexicon
from nano_emox.metrics.parsers import Parser
from nano_emox.metrics.wheel_scores import HitMultilabel, Labels, NanPolicy, f_of, label_groups, mean_over_wheels
from nano_emox.metrics.wheels import Edition


class _WheelMetric(Metric):
    """What both wheel metrics share: the lexicon and one count of scored clips for each wheel."""

    is_differentiable = False
    higher_is_better = True
    full_state_update = False
    plot_lower_bound = 0.0
    plot_upper_bound = 1.0
    samples: Tensor

    def __init__(
        self,
        lexicon: str | Path | Lexicon = "builtin",
        level: str = "level1",
        *,
        edition: Edition = "strict",
        parser: Parser = "nano",
        nan_policy: NanPolicy = "strict",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.lexicon = load_lexicon(lexicon, edition)
        self.level = level
        self.parser: Parser = parser
        self.nan_policy: NanPolicy = nan_policy
        self.columns = self.lexicon.columns(level)
        self.add_state("samples", torch.zeros(len(self.columns), dtype=torch.int64), dist_reduce_fx="sum")

    def count(self, preds: Sequence[Labels], target: Sequence[Labels]) -> Counter[tuple[int, int, int, int]]:
        """Count (column, hits, gold groups, predicted groups) over clips with mappable gold; None is an empty list."""
        counts: Counter[tuple[int, int, int, int]] = Counter()
        for given, right in zip(preds, target, strict=True):
            expected = label_groups(right, self.lexicon, self.level, self.parser)
            answered = label_groups(() if given is None else given, self.lexicon, self.level, self.parser)
            for column, (gold, prediction) in enumerate(zip(expected, answered, strict=True)):
                if gold:
                    counts[column, len(gold & prediction), len(gold), len(prediction)] += 1
        return counts

    def plot(self, val: Any = None, ax: Any = None) -> Any:
        """Draw the score, or several of them, with torchmetrics' own plot."""
        return self._plot(val, ax)


class EmotionWheelHitRate(_WheelMetric):
    """Emotion-wheel hit rate (MER-UniBench), in [0, 1] for one gold label each; precision is not asked for.

    Args:
        lexicon: `builtin`, or a directory in the released format.
        level: `level1` (published) or `level2`.
        edition: `strict` or `corrected` reading of a released directory.
        parser: how label strings are split.
        nan_policy: `strict` gives NaN if a wheel has no mappable gold; `zero` leaves such wheels out.
        hit_multilabel: `count` (released; can exceed 1 with several gold labels) or `any`.

    >>> metric = EmotionWheelHitRate()
    >>> metric.update([["glad"], ["calm"], None], ["happy", "angry", "sad"])
    >>> round(metric.compute().item(), 4)
    0.3333
    """

    hits: Tensor

    def __init__(self, *args: Any, hit_multilabel: HitMultilabel = "count", **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.hit_multilabel = hit_multilabel
        self.add_state("hits", torch.zeros(len(self.columns), dtype=torch.int64), dist_reduce_fx="sum")

    def update(self, preds: Sequence[Labels], target: Sequence[Labels]) -> None:
        """Add clips: predicted words and gold labels, each a list or a label string."""
        for (column, hits, _, _), count in self.count(preds, target).items():
            self.hits[column] += count * (hits if self.hit_multilabel == "count" else min(hits, 1))
            self.samples[column] += count

    def compute(self) -> Tensor:
        """Return the mean over the wheels, float64."""
        return torch.tensor(mean_over_wheels(self.by_wheel().values(), self.nan_policy), dtype=torch.float64)

    def by_wheel(self) -> dict[str, float]:
        """The hit rate of each wheel (of this process); NaN where no gold label is on the wheel."""
        pairs = zip(self.columns, self.hits, self.samples, strict=True)
        return {wheel: int(hits) / int(count) if count else float("nan") for wheel, hits, count in pairs}


class EmotionWheelSetScore(_WheelMetric):
    """Emotion-wheel set scores (OV-MERD): `f`, `precision`, `recall`, each a mean over the wheels, in [0, 1].

    The arguments are those of `EmotionWheelHitRate`, less `hit_multilabel`. With `nan_policy="strict"` F is NaN as
    soon as one wheel has P + R = 0, as released.

    >>> metric = EmotionWheelSetScore()
    >>> metric.update([["glad", "scared"]], [["happy"]])
    >>> {name: round(score.item(), 4) for name, score in metric.compute().items()}
    {'f': 0.6667, 'precision': 0.5, 'recall': 1.0}
    """

    precision_sums: Tensor
    recall_sums: Tensor

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name in ("precision_sums", "recall_sums"):
            self.add_state(name, torch.zeros(len(self.columns), 2, dtype=torch.int64), dist_reduce_fx="sum")

    def update(self, preds: Sequence[Labels], target: Sequence[Labels]) -> None:
        """Add clips: predicted words and gold words, each a list or a label string."""
        for (column, hits, gold, predicted), count in self.count(preds, target).items():
            self.samples[column] += count
            if hits:
                for sums, size in ((self.precision_sums, predicted), (self.recall_sums, gold)):
                    sums[column] += halves(count * fixed_point(Fraction(hits, size))).to(sums.device)

    def compute(self) -> dict[str, Tensor]:
        """Return `f`, `precision` and `recall`, float64."""
        wheels = self.by_wheel().values()
        means = {name: [scores[name] for scores in wheels] for name in ("f", "precision", "recall")}
        return {
            name: torch.tensor(mean_over_wheels(values, self.nan_policy), dtype=torch.float64) for name, values in means.items()
        }

    def by_wheel(self) -> dict[str, dict[str, float]]:
        """`f`, `precision` and `recall` of each wheel (of this process)."""
        scores = {}
        for wheel, right, found, count in zip(self.columns, self.precision_sums, self.recall_sums, self.samples, strict=True):
            precision, recall = mean(right, count), mean(found, count)
            scores[wheel] = {"f": f_of(precision, recall, self.nan_policy), "precision": precision, "recall": recall}
        return scores
