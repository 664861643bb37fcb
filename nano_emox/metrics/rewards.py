"""Per-answer rewards from the wheels, as the released GRPO runner computes them (for training, not for reports).

Unlike the corpus scores, P + R = 0 is 0 here, and two unmappable answers agree perfectly.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from nano_emox.metrics.lexicon import Lexicon


def wheel_f1_reward(prediction: Sequence[str], gold: Sequence[str], lexicon: Lexicon) -> float:
    """Mean over the wheels of the F1 of the level-1 groups; 0 if a list is empty."""
    return _mean_over_wheels(prediction, gold, lexicon, _f1)


def wheel_jaccard_reward(prediction: Sequence[str], gold: Sequence[str], lexicon: Lexicon) -> float:
    """Mean over the wheels of the Jaccard similarity of the level-1 groups; 0 if a list is empty."""
    return _mean_over_wheels(prediction, gold, lexicon, lambda left, right: len(left & right) / len(left | right))


def length_penalty(prediction: Sequence[str], gold: Sequence[str]) -> float:
    """1 while the prediction is not longer than the gold list, then log(gold + 1) / log(predicted + 1)."""
    if len(prediction) <= len(gold):
        return 1.0
    return math.log(len(gold) + 1) / max(math.log(len(prediction) + 1), 1e-12)


def _f1(left: frozenset[str], right: frozenset[str]) -> float:
    hits = len(left & right)
    precision, recall = hits / len(left), hits / len(right)
    return 2 * precision * recall / (precision + recall) if hits else 0.0


def _mean_over_wheels(
    prediction: Sequence[str],
    gold: Sequence[str],
    lexicon: Lexicon,
    similarity: Callable[[frozenset[str], frozenset[str]], float],
) -> float:
    if not prediction or not gold:
        return 0.0
    scores = []
    for left, right in zip(lexicon.groups(prediction), lexicon.groups(gold), strict=True):
        if left and right:
            scores.append(similarity(left, right))
        else:
            scores.append(0.0 if left or right else 1.0)
    return sum(scores) / len(scores)
