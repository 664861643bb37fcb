"""Emotion scores of empathetic response generation: fine accuracy, coarse hit rate, and E3RG's hit.

The released scores project the gold label (anxious becomes sad) but not the prediction, and stop with a KeyError at a
label outside the 36 of the coarse map: `gt_projection="official"` and `coarse_unknown="raise"`, both the default.
`none` and `miss` are the sensible reading: compare what was annotated, and count an unknown label as wrong.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import torch
from torch import Tensor
from torchmetrics import Metric

from nano_emox.metrics.diversity import distinct_n
from nano_emox.metrics.empathy_tables import COARSE_GROUPS, GOLD_PROJECTION
from nano_emox.metrics.parsers import extract_speaker_emotion, without_thoughts

Projection = Literal["official", "none"]
CoarseUnknown = Literal["raise", "miss"]


def project_gold(emotion: str, gt_projection: Projection = "official") -> str:
    """Apply the released projection of a gold label, once; labels outside its table pass.

    >>> project_gold("conflicted"), project_gold("anxious"), project_gold("anxious", "none")
    ('anxious', 'sad', 'anxious')
    """
    return GOLD_PROJECTION.get(emotion, emotion) if gt_projection == "official" else emotion


def coarse_hit(prediction: str | None, gold: str, coarse_unknown: CoarseUnknown = "raise") -> bool:
    """Compare the coarse groups of two labels.

    Raises:
        KeyError: a label is outside the map, with `coarse_unknown="raise"` (released).
    """
    if coarse_unknown == "raise":
        return COARSE_GROUPS[gold] == COARSE_GROUPS[prediction]  # type: ignore[index]
    group = COARSE_GROUPS.get(gold)
    return group is not None and group == COARSE_GROUPS.get(prediction or "")


def e3rg_emotion(answer: str) -> str:
    """Read E3RG's constrained answer: each label in table order replaces the answer that contains it.

    >>> e3rg_emotion("unhappy"), e3rg_emotion("Sad"), e3rg_emotion("sad and happy")
    ('happy', 'neutral', 'happy')
    """
    for label in COARSE_GROUPS:
        if label in answer:
            answer = label
    return answer if answer in COARSE_GROUPS else "neutral"


def e3rg_hit(answer: str, gold: str) -> bool:
    """E3RG's own hit: coarse groups of the read answer and of the unprojected gold; KeyError for a foreign gold."""
    return COARSE_GROUPS[e3rg_emotion(answer)] == COARSE_GROUPS[gold]


def released_report(gold: Mapping[str, str], responses: Mapping[str, str]) -> dict[str, float]:
    """The released AvaMERG report: per cent with two decimals; `gold` is projected already, as the data set gives it.

    Accuracy and hit rate are over names in both; Dist-n is over all responses, also those without gold.

    Raises:
        KeyError: a gold or an extracted label is outside the coarse map.
    """
    emotions = {name: extract_speaker_emotion(response) for name, response in responses.items()}
    replies = [reply for response in responses.values() if (reply := without_thoughts(response))]
    return {
        "Emotion_Accuracy": round(fine_accuracy(gold, emotions) * 100, 2),
        "Hitrate": round(coarse_hit_rate(gold, emotions) * 100, 2),
        "Dist-1": round(distinct_n(replies, 1) * 100, 2),
        "Dist-2": round(distinct_n(replies, 2) * 100, 2),
    }


def fine_accuracy(gold: Mapping[str, str], predictions: Mapping[str, str]) -> float:
    """Share of equal labels over names in both; 0 without any, as released."""
    names = [name for name in gold if name in predictions]
    return sum(gold[name] == predictions[name] for name in names) / len(names) if names else 0.0


def coarse_hit_rate(gold: Mapping[str, str], predictions: Mapping[str, str], coarse_unknown: CoarseUnknown = "raise") -> float:
    """Share of equal coarse groups over names in both; 0 without any, as released."""
    names = [name for name in gold if name in predictions]
    hits = sum(coarse_hit(predictions[name], gold[name], coarse_unknown) for name in names)
    return hits / len(names) if names else 0.0


class EmpathyScores(Metric):
    """Emotion scores of empathetic responses: `emotion_accuracy`, `hit_rate`, `e3rg_hit`, each in [0, 1].

    Args:
        gt_projection: `official` (released) projects the gold label for accuracy and hit rate, `none` does not.
        coarse_unknown: `raise` a KeyError (released), or count a label outside the coarse map as a `miss`.
        casefold: compare labels without case and outer blanks; the released comparison is exact.

    >>> metric = EmpathyScores(gt_projection="none", coarse_unknown="miss")
    >>> metric.update(["anxious", "lonely", None], ["anxious", "sad", "proud"])
    >>> {name: round(score.item(), 4) for name, score in metric.compute().items()}
    {'emotion_accuracy': 0.3333, 'hit_rate': 0.6667, 'e3rg_hit': 0.6667}
    """

    is_differentiable = False
    higher_is_better = True
    full_state_update = False
    plot_lower_bound = 0.0
    plot_upper_bound = 1.0
    hits: Tensor  # (3,): fine, coarse, E3RG
    samples: Tensor

    def __init__(
        self,
        gt_projection: Projection = "official",
        coarse_unknown: CoarseUnknown = "raise",
        casefold: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.gt_projection: Projection = gt_projection
        self.coarse_unknown: CoarseUnknown = coarse_unknown
        self.casefold = casefold
        self.add_state("hits", torch.zeros(3, dtype=torch.int64), dist_reduce_fx="sum")
        self.add_state("samples", torch.tensor(0), dist_reduce_fx="sum")

    def update(self, preds: Sequence[str | None], target: Sequence[str]) -> None:
        """Add responses: predicted and gold emotion of the speaker; None is an unparsed answer, and wrong."""
        for answer, gold in zip(preds, target, strict=True):
            answer, gold = self._clean(answer), self._clean(gold) or ""
            projected = project_gold(gold, self.gt_projection)
            coarse = coarse_hit(answer, projected, self.coarse_unknown)
            known = self.coarse_unknown == "raise" or gold in COARSE_GROUPS
            e3rg = answer is not None and known and e3rg_hit(answer, gold)
            self.hits += torch.tensor([answer == projected, coarse, e3rg], device=self.hits.device)
            self.samples += 1

    def _clean(self, label: str | None) -> str | None:
        return label.strip().casefold() if self.casefold and label is not None else label

    def compute(self) -> dict[str, Tensor]:
        """Return the three scores, float64; NaN without responses."""
        shares = self.hits.double() / self.samples
        return dict(zip(("emotion_accuracy", "hit_rate", "e3rg_hit"), shares, strict=True))

    def plot(self, val: Any = None, ax: Any = None) -> Any:
        """Draw the scores, or several of them, with torchmetrics' own plot."""
        return self._plot(val, ax)
