"""Multimodal sentiment analysis: weighted F1 of positive against the rest, on clips whose gold score is not 0.

Released behaviour (strict): only the exact string `positive` is positive; `neutral`, `Positive`, an empty or an
unparsable answer all count as negative, so they are right on negative clips. `unparsed="wrong"` closes that door.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import torch
from torch import Tensor
from torchmetrics import Metric

from nano_emox.metrics.class_averages import ClassAverages, averages_of_counts, averages_of_labels

Match = Literal["exact", "normalised"]
Unparsed = Literal["negative", "wrong"]


def is_positive(answer: str | None, gold: float, match: Match = "exact", unparsed: Unparsed = "negative") -> bool:
    """Reduce an answer to positive or not; None is an unparsed answer, which `wrong` puts opposite to gold."""
    if answer is None:
        return unparsed == "wrong" and not gold > 0
    if match == "normalised":
        answer = answer.strip().strip(".!").lower()
    return answer == "positive"


def sentiment_scores(
    gold: Mapping[str, float],
    predictions: Mapping[str, str | None],
    *,
    match: Match = "exact",
    unparsed: Unparsed = "negative",
) -> ClassAverages:
    """Score names to sentiment words; `weighted_f1` is the published WAF, `accuracy` is secondary.

    Raises:
        KeyError: a name of `gold` has no prediction.
        IndexError: there is no gold at all, as in the released code.
    """
    if not gold:
        raise IndexError("sentiment WAF: no gold scores")
    signs = [score > 0 for score in gold.values() if score != 0]
    answers = [is_positive(predictions[name], score, match, unparsed) for name, score in gold.items() if score != 0]
    if not signs:
        raise IndexError("sentiment WAF: every gold score is 0, so no clip is left to score")
    return averages_of_labels(signs, answers)


class SentimentWAF(Metric):
    """Weighted F1 of the sign of sentiment (MOSI, MOSEI, SIMS), in [0, 1]; clips with a gold score of 0 are dropped.

    Args:
        match: `exact` (released) or `normalised` comparison with "positive".
        unparsed: an answer of None counts as `negative` (released) or is always `wrong`.

    >>> metric = SentimentWAF()
    >>> metric.update(["positive", "neutral", "negative"], [1.5, -0.5, 0.0])
    >>> metric.compute().item()
    1.0
    """

    is_differentiable = False
    higher_is_better = True
    full_state_update = False
    plot_lower_bound = 0.0
    plot_upper_bound = 1.0
    confusion: Tensor  # (2, 2): gold not positive, gold positive; by the same for the answer

    def __init__(self, match: Match = "exact", unparsed: Unparsed = "negative", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.match: Match = match
        self.unparsed: Unparsed = unparsed
        self.add_state("confusion", torch.zeros(2, 2, dtype=torch.int64), dist_reduce_fx="sum")

    def update(self, preds: Sequence[str | None], target: Sequence[float]) -> None:
        """Add clips: sentiment words and gold scores."""
        for answer, gold in zip(preds, target, strict=True):
            if gold != 0:
                self.confusion[int(gold > 0), int(is_positive(answer, gold, self.match, self.unparsed))] += 1

    def compute(self) -> Tensor:
        """Return the weighted F1, float64; NaN without any scored clip."""
        table = self.confusion.cpu().numpy()
        scores = averages_of_counts(table.diagonal(), table.sum(axis=1), table.sum(axis=0))
        return torch.tensor(scores.weighted_f1, dtype=torch.float64)

    def plot(self, val: Any = None, ax: Any = None) -> Any:
        """Draw the score, or several of them, with torchmetrics' own plot."""
        return self._plot(val, ax)
