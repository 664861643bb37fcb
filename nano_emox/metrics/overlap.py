"""Clue and label overlap of emotion reasoning (ERI): a judge's scores, and a rule that needs no judge.

Published numbers are means of an LLM judge's 1 to 10 (gpt-3.5-turbo-0125); scores of different judges do not compare.
`rule_*` are ours: word overlap in [0, 1], cheap and deterministic, comparable with nothing published.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor
from torchmetrics import Metric

from nano_emox.metrics.exact_sums import fixed_point, halves, mean
from nano_emox.metrics.lexicon import Lexicon, load_lexicon
from nano_emox.metrics.parsers import parse_judge_score

JudgeFailure = Literal["zero", "missing"]

_WORD = re.compile(r"[^\W\d_]+(?:[-'’][^\W\d_]+)*")
_NEGATIONS = frozenset(str.split("not no never without isn't doesn't don't neither nor hardly"))
_STOP_WORDS = frozenset(
    str.split(
        """
    a about after all also an and any are as at be because been before being but by can could did do does during each
    for from further had has have having he her here him his how i if in into is it its itself may me might more most
    my of off on once only or other our out over own same she should so some such than that the their them then there
    these they this those through to too under until up very was we were what when where which while who whom why will
    with would you your seems seem appears appear suggests suggest shows show person man woman speaker character video
    audio clip emotion emotional state feels feeling feel
    """
    )
)
_SUFFIXES = ("ing", "ed", "ly", "es", "s")


def judge_score(reply: str | None, judge_failure: JudgeFailure = "zero") -> float | None:
    """Read a judge's reply. A reply without a number is 0 (`zero`, released) or None (`missing`).

    Raises:
        ValueError: the first number is ill-formed, as in the released code.
    """
    score = parse_judge_score(reply)
    return 0.0 if score is None and judge_failure == "zero" else score


def overlap_means(scores: Mapping[str, Sequence[tuple[str, float]]]) -> dict[str, float]:
    """Average by model what is given by clip, as (model, score) pairs; plain means, models in order of appearance."""
    by_model: dict[str, list[float]] = {}
    for pairs in scores.values():
        for model, score in pairs:
            by_model.setdefault(model, []).append(score)
    return {model: float(np.mean(values)) for model, values in by_model.items()}


def content_words(text: str) -> frozenset[str]:
    """Return the words that carry content: no stop words, lower case, common English endings cut off."""
    return frozenset(_stem(word) for word in map(str.lower, _WORD.findall(text)) if word not in _STOP_WORDS)


def _stem(word: str) -> str:
    for suffix in _SUFFIXES:
        if word.endswith(suffix) and len(word) - len(suffix) >= 4:
            return word[: -len(suffix)]
    return word


def emotion_words(text: str, lexicon: str | Lexicon = "builtin") -> list[str]:
    """Return the lexicon's words and two-word phrases that a text asserts; a word right after a negation is left out.

    >>> emotion_words("She is not happy; she sounds worried.")
    ['worried']
    """
    known = load_lexicon(lexicon).tables["level1"]
    words = [word.lower() for word in _WORD.findall(text)]
    found = []
    for position, word in enumerate(words):
        if _NEGATIONS & set(words[max(0, position - 2) : position]):
            continue
        phrase = " ".join(words[position : position + 2])
        found += [candidate for candidate in (phrase, word) if candidate in known][:1]
    return found


def rule_clue_overlap(prediction: str | None, gold: str) -> float:
    """F1 of the content words of two descriptions, in [0, 1]; an empty side is 0.

    >>> rule_clue_overlap("The brows are lowered.", "Lowered brows, tight lips")
    0.6666666666666666
    """
    return _f1(content_words(prediction or ""), content_words(gold))


def rule_label_overlap(
    prediction: str | Iterable[str] | None, gold: str | Iterable[str], lexicon: str | Lexicon = "builtin"
) -> float:
    """F1 of the emotion groups that two descriptions name, mean over the wheels, in [0, 1]; an empty side is 0.

    Args:
        prediction: a description, or its emotion words; None is an unparsed answer.
        gold: a description, or its emotion words where the data set has them.
        lexicon: the wheels; the built-in one is meant, since the released tables list everyday words too.
    """
    wheels = load_lexicon(lexicon)
    sides = [emotion_words(side, wheels) if isinstance(side, str) else list(side or ()) for side in (prediction, gold)]
    columns = [pair for pair in zip(*map(wheels.groups, sides), strict=True) if pair[1]]
    return float(np.mean([_f1(left, right) for left, right in columns])) if columns else 0.0


def _f1(left: frozenset[str], right: frozenset[str]) -> float:
    return 2 * len(left & right) / (len(left) + len(right)) if left and right else 0.0


class OverlapJudge(Metric):
    """Means of a judge's clue and label scores, of their average (EMER Avg.), and the share of failed calls.

    The metric does not call a judge: it adds up what one said, whichever it was (a judge, or the rule). Failed calls
    (None) are left out of the means and reported as `failed`; the released code silently makes them 0.

    >>> metric = OverlapJudge()
    >>> metric.update([8.0, None], [6.0, 4.0])
    >>> {name: score.item() for name, score in metric.compute().items()}
    {'clue': 8.0, 'label': 5.0, 'average': 6.5, 'failed': 0.25}
    """

    is_differentiable = False
    higher_is_better = True
    full_state_update = False
    sums: Tensor  # (2, 2): clue and label; halves
    counts: Tensor  # (2,)
    failures: Tensor

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.add_state("sums", torch.zeros(2, 2, dtype=torch.int64), dist_reduce_fx="sum")
        self.add_state("counts", torch.zeros(2, dtype=torch.int64), dist_reduce_fx="sum")
        self.add_state("failures", torch.tensor(0), dist_reduce_fx="sum")

    def update(self, clue: Sequence[float | None], label: Sequence[float | None]) -> None:
        """Add scores of clips, in [0, 16] (a judge's are at most 10); None is a failed call."""
        for row, scores in enumerate((clue, label)):
            given = [score for score in scores if score is not None]
            if any(not 0 <= score <= 16 for score in given):
                raise ValueError(f"a judge's scores lie in [0, 10], got {sorted(given)[0]} to {sorted(given)[-1]}")
            self.sums[row] += halves(sum(map(fixed_point, given))).to(self.sums.device)
            self.counts[row] += len(given)
            self.failures += len(scores) - len(given)

    def compute(self) -> dict[str, Tensor]:
        """Return `clue`, `label`, `average` on the judge's scale and `failed` in [0, 1], float64."""
        clue, label = (mean(total, count) for total, count in zip(self.sums, self.counts, strict=True))
        calls = int(self.counts.sum() + self.failures)
        failed = int(self.failures) / calls if calls else float("nan")
        scores = {"clue": clue, "label": label, "average": (clue + label) / 2, "failed": failed}
        return {name: torch.tensor(score, dtype=torch.float64) for name, score in scores.items()}

    def plot(self, val: Any = None, ax: Any = None) -> Any:
        """Draw the scores, or several of them, with torchmetrics' own plot."""
        return self._plot(val, ax)
