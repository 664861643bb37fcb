"""Emotion-wheel scores: hit rate (MER) and set-level precision, recall and F (OV-MER, which papers call "WAF").

Per wheel w, with A_i the groups of the gold labels and B_i those of the predicted words of clip i; clips without a
mappable gold label are skipped, so N differs by wheel:

    hit_w = mean_i |A_i & B_i|     P_w = mean_i |A_i & B_i| / |B_i|     R_w = mean_i |A_i & B_i| / |A_i|
    F_w = 2 P_w R_w / (P_w + R_w): F of the means, not the mean of F;   a score is the mean over the wheels

These functions equal the released code bit by bit; the metric classes are in hit_rate.py.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from nano_emox.metrics.lexicon import Lexicon
from nano_emox.metrics.parsers import Parser, parse_open_set

Labels = str | Sequence[str] | None
NanPolicy = Literal["strict", "zero"]
Missing = Literal["raise", "wrong"]
HitMultilabel = Literal["count", "any"]
GroupSets = tuple[frozenset[str], ...]


@dataclass(frozen=True)
class WheelHits:
    """Hit rate of one wheel. `penalised` divides a hit by the number of predicted candidate groups (never reported)."""

    samples: int
    hit_rate: float
    penalised: float


@dataclass(frozen=True)
class WheelSets:
    """Set-level scores of one wheel."""

    samples: int
    precision: float
    recall: float
    f: float


def label_groups(labels: Any, lexicon: Lexicon, level: str = "level1", parser: Parser = "nano") -> GroupSets:
    """Map a label string or list to its groups, one set for each column of the level."""
    items = list(labels) if isinstance(labels, tuple) else parse_open_set(labels, parser)
    return lexicon.groups(items, level)


def wheel_hit_rates(
    gold: Mapping[str, Labels],
    predictions: Mapping[str, Labels],
    lexicon: Lexicon,
    level: str = "level1",
    *,
    parser: Parser = "nano",
    hit_multilabel: HitMultilabel = "count",
    missing_prediction: Missing = "raise",
) -> dict[str, WheelHits]:
    """Score names to predictions wheel by wheel.

    Args:
        gold: one label string for each name.
        predictions: emotion words for each name; names without gold are ignored.
        lexicon: the wheels.
        level: `level1` is the published one.
        parser: how label strings are split.
        hit_multilabel: `count` (released) counts every hit group of a multi-label gold, `any` counts a clip once.
        missing_prediction: `raise` KeyError (released), or count as `wrong`.
    """
    columns = lexicon.columns(level)
    hits: list[list[int]] = [[] for _ in columns]
    penalised: list[list[float]] = [[] for _ in columns]
    # the released code looks raw gold strings up as candidates, neither lower-cased nor split
    raw = [groups for label in gold.values() if isinstance(label, str) and (groups := lexicon.tables[level].get(label))]
    candidates = [{groups[column] for groups in raw} - {None} for column in range(len(columns))]
    for name, labels in gold.items():
        expected = label_groups(labels, lexicon, level, parser)
        if not any(expected):
            continue  # before the look-up: an unmappable clip needs no prediction here, as released
        answered = label_groups(_answer(predictions, name, missing_prediction), lexicon, level, parser)
        for column, (right, given) in enumerate(zip(expected, answered, strict=True)):
            if not right:
                continue
            hit = len(right & given)
            allowed = len(given & candidates[column])
            hits[column].append(hit if hit_multilabel == "count" else min(hit, 1))
            penalised[column].append(hit / allowed if allowed else 0)
    return {
        wheel: WheelHits(len(hits[column]), _mean(hits[column]), _mean(penalised[column]))
        for column, wheel in enumerate(columns)
    }


def wheel_set_scores(
    gold: Mapping[str, Labels],
    predictions: Mapping[str, Labels],
    lexicon: Lexicon,
    level: str = "level1",
    *,
    parser: Parser = "nano",
    nan_policy: NanPolicy = "strict",
    missing_prediction: Missing = "raise",
) -> dict[str, WheelSets]:
    """Score label sets wheel by wheel; the arguments are those of `wheel_hit_rates`.

    Args:
        nan_policy: F where P + R = 0 is NaN (`strict`, released) or 0 (`zero`).
    """
    columns = lexicon.columns(level)
    precisions: list[list[float]] = [[] for _ in columns]
    recalls: list[list[float]] = [[] for _ in columns]
    for name, labels in gold.items():
        expected = label_groups(labels, lexicon, level, parser)
        answered = label_groups(_answer(predictions, name, missing_prediction), lexicon, level, parser)
        for column, (right, given) in enumerate(zip(expected, answered, strict=True)):
            if right:
                precisions[column].append(len(right & given) / len(given) if given else 0)
                recalls[column].append(len(right & given) / len(right))
    scores = {}
    for column, wheel in enumerate(columns):
        precision, recall = _mean(precisions[column]), _mean(recalls[column])
        scores[wheel] = WheelSets(len(recalls[column]), precision, recall, f_of(precision, recall, nan_policy))
    return scores


def f_of(precision: float, recall: float, nan_policy: NanPolicy = "strict") -> float:
    """Harmonic mean; 0/0 is NaN, or 0 with `nan_policy="zero"` (NaN in an input stays NaN)."""
    if precision + recall == 0:
        return float("nan") if nan_policy == "strict" else 0.0
    return 2 * (precision * recall) / (precision + recall)


def mean_over_wheels(values: Iterable[float], nan_policy: NanPolicy = "strict") -> float:
    """Average over wheels. A wheel without any mappable gold is NaN: it makes the mean NaN, or (`zero`) is left out."""
    kept = [value for value in values if nan_policy == "strict" or value == value]
    return _mean(kept)


def hits_any_wheel(gold: Labels, prediction: Labels, lexicon: Lexicon) -> bool:
    """Tell whether the groups meet in at least one wheel; an empty list, or `neutral`, stands for neutral."""
    sides = []
    for labels in (gold, prediction):
        items = parse_open_set(labels)
        extra = {"neutral"} if not items or "neutral" in items else set()
        sides.append([groups | extra for groups in lexicon.groups(items)])
    return any(left & right for left, right in zip(*sides, strict=True))


def _answer(predictions: Mapping[str, Labels], name: str, missing_prediction: Missing) -> Labels:
    answer = predictions[name] if missing_prediction == "raise" else predictions.get(name)
    return () if answer is None else answer


def _mean(values: Sequence[float]) -> float:
    return float(np.mean(values)) if len(values) else float("nan")
