"""Multimodal intent recognition: accuracy, weighted F1 (WAF), weighted precision (WP), macro scores, open intents.

Strict means as released: labels are compared as raw strings (`arrange` is not `Arrange`), and clips without a
prediction leave the denominator silently. A predicted string outside the label set can only cost recall.
MIntRec 1.0 itself reports macro scores; WAF and WP are the protocol of MIntRec2.0.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor
from torchmetrics import Metric

from nano_emox.metrics.class_averages import ClassAverages, averages_of_counts, averages_of_labels

IntentMatch = Literal["exact", "normalised"]
MissingIntent = Literal["drop", "wrong"]


def normalise_intent(label: str | None, match: IntentMatch = "exact") -> str | None:
    """Return the label as it is compared: itself, or without case and outer blanks and full stop."""
    if label is None or match == "exact":
        return label
    return " ".join(label.casefold().strip().strip(".").split())


def intent_scores(
    gold: Mapping[str, str],
    predictions: Mapping[str, str],
    *,
    intent_match: IntentMatch = "exact",
    missing_prediction: MissingIntent = "drop",
    intent_mapping: Mapping[str, str] | None = None,
) -> ClassAverages:
    """Score names to intents. Without any common name every score is NaN (the released report prints 0).

    Args:
        gold: intent for each name.
        predictions: intent for each name; names without gold are ignored.
        intent_match: `exact` (released) or `normalised`.
        missing_prediction: `drop` (released) or count as `wrong`.
        intent_mapping: renames predictions, and only predictions.
    """
    renames = intent_mapping or {}
    names = [name for name in gold if missing_prediction == "wrong" or name in predictions]
    answers = [renames.get(predictions.get(name, ""), predictions.get(name, "")) for name in names]
    return averages_of_labels(
        [normalise_intent(gold[name], intent_match) for name in names],
        [normalise_intent(answer, intent_match) for answer in answers],
    )


def in_scope_scores(gold: Sequence[int], predictions: Sequence[int], out_of_scope: int) -> ClassAverages:
    """MIntRec2.0's in-scope evaluation: drop the clips whose gold is the out-of-scope class."""
    kept = [(right, given) for right, given in zip(gold, predictions, strict=True) if right != out_of_scope]
    return averages_of_labels([right for right, _ in kept], [given for _, given in kept])


def open_intent_scores(gold: Sequence[int], predictions: Sequence[int]) -> dict[str, float]:
    """MIntRec2.0's open-intent scores: the last occurring class is taken as the open one; F rounded to 4 decimals.

    Returns:
        `oid_acc`, `f1-known`, `f1-open`, `oid_f1`, the names of MIntRec2.0. As there, F is computed from precision and
        recall, so it can differ from `averages_of_labels` in the last bit.
    """
    labels = sorted({*gold, *predictions})
    right, given = np.asarray(gold), np.asarray(predictions)
    fs = []
    for label in labels:
        hits = np.sum((right == label) & (given == label))
        recall = hits / np.sum(right == label) if np.any(right == label) else 0
        precision = hits / np.sum(given == label) if np.any(given == label) else 0
        fs.append(2 * recall * precision / (recall + precision) if recall + precision else 0)
    return {
        "oid_acc": int(np.sum(right == given)) / len(right),
        "f1-known": float(np.mean(fs[:-1]).round(4)),
        "f1-open": float(round(fs[-1], 4)),
        "oid_f1": float(np.mean(fs).round(4)),
    }


class IntentScores(Metric):
    """Intent scores over a fixed label set: accuracy, WAF, weighted precision, and macro scores, each in [0, 1].

    Args:
        labels: the label set; a gold label outside it is an error, a predicted one outside it is wrong.
        out_of_scope: label of the set whose clips are left out (in-scope evaluation), if any.
        intent_match: `exact` (released) or `normalised`.

    Macro scores are means over the labels that occur, without the foreign ones (scikit-learn would make each distinct
    foreign string a class of its own; `intent_scores` does).

    >>> metric = IntentScores(["Joke", "Thank"])
    >>> metric.update(["Joke", "joke", None], ["Joke", "Thank", "Thank"])
    >>> {name: round(score.item(), 4) for name, score in metric.compute().items()}
    {'accuracy': 0.3333, 'waf': 0.3333, 'weighted_precision': 0.3333, 'macro_f1': 0.5, 'macro_precision': 0.5, 'macro_recall': 0.5}
    """

    is_differentiable = False
    higher_is_better = True
    full_state_update = False
    plot_lower_bound = 0.0
    plot_upper_bound = 1.0
    confusion: Tensor  # (labels, labels + 1); the last column counts answers outside the label set

    def __init__(
        self,
        labels: Sequence[str],
        out_of_scope: str | None = None,
        intent_match: IntentMatch = "exact",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.intent_match: IntentMatch = intent_match
        self.labels = tuple(sorted({str(normalise_intent(label, intent_match)) for label in labels}))
        if len(self.labels) != len(labels):
            raise ValueError(f"labels must be distinct under intent_match={intent_match!r}, got {list(labels)}")
        self.out_of_scope = normalise_intent(out_of_scope, intent_match)
        self.position = {label: index for index, label in enumerate(self.labels)}
        if self.out_of_scope is not None and self.out_of_scope not in self.position:
            raise ValueError(f"out_of_scope={out_of_scope!r} is none of {list(labels)}")
        size = len(self.labels)
        self.add_state("confusion", torch.zeros(size, size + 1, dtype=torch.int64), dist_reduce_fx="sum")

    def update(self, preds: Sequence[str | None], target: Sequence[str]) -> None:
        """Add clips: predicted and gold labels; None is an unparsed answer, and wrong."""
        for answer, gold in zip(preds, target, strict=True):
            row = self.position.get(str(normalise_intent(gold, self.intent_match)))
            if row is None:
                raise ValueError(f"gold label {gold!r} is none of {list(self.labels)}")
            column = self.position.get(normalise_intent(answer, self.intent_match) or "", len(self.labels))
            if self.labels[row] != self.out_of_scope:
                self.confusion[row, column] += 1

    def compute(self) -> dict[str, Tensor]:
        """Return `accuracy`, `waf`, `weighted_precision`, `macro_f1`, `macro_precision` and `macro_recall`, float64."""
        table = self.confusion.cpu().numpy()
        known = table[:, :-1]
        scores = averages_of_counts(known.diagonal(), table.sum(axis=1), known.sum(axis=0))
        named = {
            "accuracy": scores.accuracy,
            "waf": scores.weighted_f1,
            "weighted_precision": scores.weighted_precision,
            "macro_f1": scores.macro_f1,
            "macro_precision": scores.macro_precision,
            "macro_recall": scores.macro_recall,
        }
        return {name: torch.tensor(score, dtype=torch.float64) for name, score in named.items()}

    def plot(self, val: Any = None, ax: Any = None) -> Any:
        """Draw the scores, or several of them, with torchmetrics' own plot."""
        return self._plot(val, ax)


def released_report(scores: ClassAverages) -> dict[str, float]:
    """Round to the released report: per cent with two decimals, 0 where there was nothing to score."""
    named = {
        "Intent_Accuracy": scores.accuracy,
        "Weighted_F1": scores.weighted_f1,
        "Weighted_Precision": scores.weighted_precision,
    }
    return {name: round(value * 100, 2) if scores.samples else 0.0 for name, value in named.items()}
