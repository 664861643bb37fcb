"""Bootstrap intervals of all scores of a run at once: a score is a function of sums over clips.

So a resample is a row of counts (how often each clip was drawn), and all resamples are one matrix product. Clips are
drawn within a data set; a score over several data sets is the mean of theirs, resample by resample. Corpus-level
Dist-n has no interval: drawing a reply twice adds no n-gram, so its resamples are not centred on it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from data_modules.record import Task
from nano_emox.evaluation.predictions import Prediction
from nano_emox.evaluation.scores import sentiment_of, words_of
from nano_emox.metrics.bootstrap import Interval, interval_of, resample_counts
from nano_emox.metrics.diversity import ngrams
from nano_emox.metrics.empathy import coarse_hit
from nano_emox.metrics.intent import normalise_intent
from nano_emox.metrics.lexicon import Lexicon
from nano_emox.metrics.overlap import rule_clue_overlap, rule_label_overlap
from nano_emox.metrics.sentiment import is_positive

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class SumScore:
    """A score that depends on sums over clips only.

    Args:
        parts: (clips, columns), what each clip adds.
        of: from sums, (resamples, columns), to scores, (resamples,).
    """

    parts: Floats
    of: Callable[[Floats], Floats]

    def value(self) -> float:
        """The score of the clips as they are."""
        return float(self.of(self.parts.sum(axis=0, keepdims=True))[0])


@dataclass(frozen=True)
class Intervals:
    """95 % intervals by score, over all data sets and for each of them."""

    scores: Mapping[str, Interval]
    by_dataset: Mapping[str, Mapping[str, Interval]]


def bootstrap_intervals(
    predictions: Sequence[Prediction], lexicon: Lexicon, *, resamples: int = 1000, level: float = 0.95, seed: int = 0
) -> Intervals:
    """Intervals for the scores of `score_predictions` and `scores_by_dataset`, less corpus-level Dist-n."""
    groups: dict[tuple[str, str], list[Prediction]] = defaultdict(list)
    for prediction in predictions:
        groups[prediction.dataset, prediction.task].append(prediction)
    by_dataset: dict[str, dict[str, Interval]] = defaultdict(dict)
    drawn: dict[str, list[Floats]] = defaultdict(list)
    for position, ((dataset, _), group) in enumerate(sorted(groups.items())):
        counts = resample_counts(len(group), resamples, seed=[seed, position])
        for name, score in {**sum_scores(group, lexicon), **_mean_score("parsed", [p.parsed for p in group])}.items():
            values = score.of(counts @ score.parts)
            by_dataset[dataset][name] = interval_of(values, level)
            drawn[name].append(values)
    sizes = np.array([len(group) for _, group in sorted(groups.items())], dtype=float)
    pooled = {name: np.mean(values, axis=0) for name, values in drawn.items() if name != "parsed"}
    pooled["parsed"] = np.average(drawn["parsed"], axis=0, weights=sizes)  # over all answers, as the score is
    return Intervals({name: interval_of(values, level) for name, values in pooled.items()}, dict(by_dataset))


def sum_scores(group: Sequence[Prediction], lexicon: Lexicon) -> dict[str, SumScore]:
    """The scores of one data set's answers to one task, by their names in `score_predictions`."""
    task = Task(group[0].task)
    if task is Task.MER:
        return _mer(group, lexicon)
    if task is Task.OV_MER:
        return _ov_mer(group, lexicon)
    return {Task.MSA: _msa, Task.MIR: _mir, Task.ERI: _eri, Task.ERG: _erg}[task](group)


def _mer(group: Sequence[Prediction], lexicon: Lexicon) -> dict[str, SumScore]:
    columns = len(lexicon.wheels)
    parts = np.zeros((len(group), 2 * columns))  # hits, then scored clips, of each wheel
    for row, each in enumerate(group):
        gold, said = lexicon.groups([each.gold_label or ""]), lexicon.groups(words_of(each))
        parts[row, :columns] = [bool(right & given) for right, given in zip(gold, said, strict=True)]
        parts[row, columns:] = [bool(right) for right in gold]
    return {"mer.hit_rate": SumScore(parts, lambda sums: _over_wheels(sums[:, :columns], sums[:, columns:]))}


def _ov_mer(group: Sequence[Prediction], lexicon: Lexicon) -> dict[str, SumScore]:
    columns = len(lexicon.wheels)
    parts = np.zeros((len(group), 3 * columns))  # precision, recall, scored clips
    for row, each in enumerate(group):
        gold, said = lexicon.groups(each.gold_words or ()), lexicon.groups(words_of(each))
        for column, (right, given) in enumerate(zip(gold, said, strict=True)):
            if right:
                parts[row, column] = len(right & given) / len(given) if given else 0.0
                parts[row, columns + column] = len(right & given) / len(right)
                parts[row, 2 * columns + column] = 1

    def f_score(sums: Floats) -> Floats:
        precision, recall, count = np.split(sums, 3, axis=1)
        precision, recall = _quotient(precision, count), _quotient(recall, count)
        return _mean_of_defined(_quotient(2 * precision * recall, precision + recall), count > 0)

    return {
        "ov_mer.set_f": SumScore(parts, f_score),
        "ov_mer.precision": SumScore(parts, lambda sums: _over_wheels(sums[:, :columns], sums[:, 2 * columns :])),
        "ov_mer.recall": SumScore(parts, lambda sums: _over_wheels(sums[:, columns : 2 * columns], sums[:, 2 * columns :])),
    }


def _msa(group: Sequence[Prediction]) -> dict[str, SumScore]:
    kept = [each if each.gold_score else None for each in group]  # a score of 0 is not scored, but it is drawn
    gold = [None if each is None else str((each.gold_score or 0) > 0) for each in kept]
    said = [
        "" if each is None else str(is_positive(sentiment_of(each), each.gold_score or 0, "normalised", "wrong"))
        for each in kept
    ]
    return {"msa.waf": _class_scores(gold, said)["waf"]}


def _mir(group: Sequence[Prediction]) -> dict[str, SumScore]:
    gold = [normalise_intent(each.gold_label, "normalised") for each in group]
    said = [normalise_intent(each.label, "normalised") or "" for each in group]
    return {f"mir.{name}": score for name, score in _class_scores(gold, said).items()}


def _eri(group: Sequence[Prediction]) -> dict[str, SumScore]:
    label, clue = [], []
    for each in group:
        answer = each.description if each.parsed else None
        words = each.words if each.parsed and each.gold_words else None
        label.append(rule_label_overlap(words or answer, each.gold_words or each.gold_description or ""))
        clue.append(rule_clue_overlap(answer, each.gold_description or ""))
    return _mean_score("eri.rule_label_overlap", label) | _mean_score("eri.rule_clue_overlap", clue)


def _erg(group: Sequence[Prediction]) -> dict[str, SumScore]:
    said = [each.emotion.strip().casefold() if each.emotion is not None else None for each in group]
    gold = [(each.gold_emotion or "").strip().casefold() for each in group]
    scores = _mean_score("erg.emotion_accuracy", [left == right for left, right in zip(said, gold, strict=True)])
    scores |= _mean_score("erg.hit_rate", [coarse_hit(left, right, "miss") for left, right in zip(said, gold, strict=True)])
    for size in (1, 2):
        grams = [ngrams(each.reply or "", size) for each in group]
        scores |= _mean_score(f"erg.dist_{size}", [len(set(each)) / len(each) if each else 0.0 for each in grams])
    return scores


def _mean_score(name: str, values: Sequence[float]) -> dict[str, SumScore]:
    parts = np.stack([np.asarray(values, dtype=float), np.ones(len(values))], axis=1)
    return {name: SumScore(parts, lambda sums: sums[:, 0] / sums[:, 1])}


def _class_scores(gold: Sequence[str | None], said: Sequence[str]) -> dict[str, SumScore]:
    """Accuracy, WAF and weighted precision; a gold of None adds nothing."""
    classes = {label: index for index, label in enumerate(sorted({label for label in gold if label is not None}))}
    size = len(classes)
    parts = np.zeros((len(gold), 3 * size))  # hits, gold and predicted clips of each class
    for row, (right, given) in enumerate(zip(gold, said, strict=True)):
        if right is None:
            continue
        parts[row, classes[right]] = right == given
        parts[row, size + classes[right]] = 1
        if given in classes:
            parts[row, 2 * size + classes[given]] = 1

    def weighted(values: Floats, counts: Floats) -> Floats:
        return _quotient((values * counts).sum(axis=1), counts.sum(axis=1), np.nan)

    def thirds(sums: Floats) -> tuple[Floats, Floats, Floats]:
        return sums[:, :size], sums[:, size : 2 * size], sums[:, 2 * size :]

    def waf(sums: Floats) -> Floats:
        hits, right, given = thirds(sums)
        return weighted(_quotient(2 * hits, right + given), right)

    def precision(sums: Floats) -> Floats:
        hits, right, given = thirds(sums)
        return weighted(_quotient(hits, given), right)

    def accuracy(sums: Floats) -> Floats:
        hits, right, _ = thirds(sums)
        return _quotient(hits.sum(axis=1), right.sum(axis=1), np.nan)

    named = {"waf": waf, "accuracy": accuracy, "weighted_precision": precision}
    return {name: SumScore(parts, score) for name, score in named.items()}


def _over_wheels(totals: Floats, counts: Floats) -> Floats:
    return _mean_of_defined(_quotient(totals, counts), counts > 0)


def _mean_of_defined(values: Floats, defined: npt.NDArray[np.bool_]) -> Floats:
    return _quotient((values * defined).sum(axis=1), defined.sum(axis=1).astype(float), np.nan)


def _quotient(numerator: Floats, denominator: Floats, otherwise: float = 0.0) -> Floats:
    return np.divide(numerator, denominator, out=np.full_like(numerator, otherwise), where=denominator > 0)
