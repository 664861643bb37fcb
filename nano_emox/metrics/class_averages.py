"""Accuracy, precision, recall and F1 over classes from pairs of labels, as scikit-learn averages them.

Counts first, then numpy in scikit-learn's own order of operations, so that the last bit agrees; no scikit-learn needed.
For class c with TP_c hits, n_c gold and m_c predicted occurrences, 0 where a quotient is undefined:

    P_c = TP_c / m_c     R_c = TP_c / n_c     F1_c = 2 TP_c / (n_c + m_c)     weighted X = sum_c n_c X_c / sum_c n_c
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True)
class ClassAverages:
    """Scores in [0, 1]; NaN where there is no sample. `WAF` is `weighted_f1`, `WP` is `weighted_precision`."""

    accuracy: float
    weighted_f1: float
    weighted_precision: float
    weighted_recall: float
    macro_f1: float
    macro_precision: float
    macro_recall: float
    samples: int

    @classmethod
    def empty(cls) -> ClassAverages:
        """Without samples every score is undefined."""
        return cls(**{field.name: float("nan") for field in fields(cls) if field.name != "samples"}, samples=0)


def averages_of_labels(gold: Sequence[Hashable], predicted: Sequence[Hashable]) -> ClassAverages:
    """Average over all labels that occur in either list; labels are compared exactly.

    >>> averages_of_labels(["Thank", "Joke"], ["Joke", "Joke"]).weighted_precision
    0.25
    """
    labels: list[Any] = sorted({*gold, *predicted})
    position = {label: index for index, label in enumerate(labels)}
    hits, gold_counts, predicted_counts = np.zeros((3, len(labels)), dtype=np.int64)
    for right, given in zip(gold, predicted, strict=True):
        gold_counts[position[right]] += 1
        predicted_counts[position[given]] += 1
        hits[position[right]] += right == given
    return averages_of_counts(hits, gold_counts, predicted_counts)


def averages_of_counts(
    hits: npt.NDArray[np.int64], gold: npt.NDArray[np.int64], predicted: npt.NDArray[np.int64]
) -> ClassAverages:
    """Average over the classes that occur at all; each argument counts one class per entry, (classes,)."""
    occurs = (gold + predicted) > 0
    hits, gold, predicted = hits[occurs], gold[occurs], predicted[occurs]
    samples = int(gold.sum())
    if samples == 0:
        return ClassAverages.empty()
    precision = _quotient(hits, predicted)
    recall = _quotient(hits, gold)
    f1 = _quotient(2 * hits, gold + predicted)
    return ClassAverages(
        accuracy=int(hits.sum()) / samples,
        weighted_f1=_weighted(f1, gold),
        weighted_precision=_weighted(precision, gold),
        weighted_recall=_weighted(recall, gold),
        macro_f1=float(f1.mean()),
        macro_precision=float(precision.mean()),
        macro_recall=float(recall.mean()),
        samples=samples,
    )


def _quotient(numerator: npt.NDArray[np.int64], denominator: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    result = np.zeros(len(numerator), dtype=np.float64)
    return np.divide(numerator, denominator, out=result, where=denominator > 0)


def _weighted(values: npt.NDArray[np.float64], weights: npt.NDArray[np.int64]) -> float:
    return float(np.multiply(values, weights, dtype=np.float64).sum() / weights.sum(dtype=np.float64))
