"""Scores of predictions, all in [0, 1], by task and data set; unparsed answers count as wrong and are never dropped.

These are the headline numbers of a run of ours, with the sensible one of the options where the released behaviour is
odd (an unparsed answer must not be right, a 0/0 is 0, labels are compared without case). The released protocols
themselves are in `nano_emox.metrics`. A score over several data sets is their plain mean.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal, TypeVar

import numpy as np
from torch import Tensor

from data_modules.record import Task
from nano_emox.evaluation.predictions import Prediction
from nano_emox.metrics.class_averages import averages_of_labels
from nano_emox.metrics.diversity import DistinctN
from nano_emox.metrics.empathy import EmpathyScores
from nano_emox.metrics.hit_rate import EmotionWheelHitRate, EmotionWheelSetScore
from nano_emox.metrics.intent import normalise_intent
from nano_emox.metrics.lexicon import Lexicon, load_lexicon, valence_of
from nano_emox.metrics.overlap import rule_clue_overlap, rule_label_overlap
from nano_emox.metrics.sentiment import SentimentWAF

Scores = dict[str, float]
Value = TypeVar("Value")
POLARITIES = ("positive", "negative", "neutral")


def score_predictions(predictions: Sequence[Prediction], lexicon: str | Path | Lexicon = "builtin") -> Scores:
    """Score predictions of any tasks: the mean over data sets of `scores_by_dataset`, and `parsed` over all answers.

    Returns:
        `mer.hit_rate`, `msa.waf`, `mir.waf`, `mir.accuracy`, `mir.weighted_precision`, `ov_mer.set_f`,
        `ov_mer.precision`, `ov_mer.recall`, `eri.rule_label_overlap`, `eri.rule_clue_overlap`, `erg.emotion_accuracy`,
        `erg.hit_rate`, `erg.dist_1`, `erg.dist_2` (sentence means), `erg.corpus_dist_1`, `erg.corpus_dist_2` and
        `parsed`; only those whose task occurs.
    """
    by_name: dict[str, list[float]] = defaultdict(list)
    for scores in scores_by_dataset(predictions, lexicon).values():
        for name, score in scores.items():
            by_name[name].append(score)
    means = {name: float(np.mean(values)) for name, values in by_name.items() if name != "parsed"}
    parsed = [prediction.parsed for prediction in predictions]
    return means | ({"parsed": float(np.mean(parsed))} if parsed else {})


def scores_by_dataset(predictions: Sequence[Prediction], lexicon: str | Path | Lexicon = "builtin") -> dict[str, Scores]:
    """Score each data set on its own; the names are those of `score_predictions`."""
    wheels = load_lexicon(lexicon)
    groups: dict[tuple[str, str], list[Prediction]] = defaultdict(list)
    for prediction in predictions:
        groups[prediction.dataset, prediction.task].append(prediction)
    result: dict[str, Scores] = {}
    for (dataset, task), group in sorted(groups.items()):
        result.setdefault(dataset, {}).update(_SCORERS[Task(task)](group, wheels))
    for dataset, scores in result.items():
        scores["parsed"] = float(np.mean([each.parsed for each in predictions if each.dataset == dataset]))
    return result


def chance_levels(
    predictions: Sequence[Prediction],
    lexicon: str | Path | Lexicon = "builtin",
    *,
    rule: Literal["draw", "majority"] = "draw",
    draws: int = 50,
    seed: int = 0,
) -> Scores:
    """Score an answerer that has seen the labels of the data set but not the clip.

    Args:
        predictions: the same predictions that are scored; only their gold is used.
        lexicon: the same lexicon.
        rule: `draw` gives each clip the gold answer of a clip of the same data set and task, drawn with replacement,
            and averages the score over `draws` seeded repetitions; `majority` gives every clip the most frequent gold
            answer (the first of equals in alphabetical order).
        draws: repetitions of `draw`.
        seed: of the draws.

    Returns:
        the same names as `score_predictions`, without `parsed` and the diversity of replies.
    """
    generator = np.random.default_rng(seed)
    answered = [_answer_with(prediction, prediction) for prediction in predictions]
    positions: dict[tuple[str, str], list[int]] = defaultdict(list)
    for position, prediction in enumerate(predictions):
        positions[prediction.dataset, prediction.task].append(position)

    runs = []
    for _ in range(draws if rule == "draw" else 1):
        guesses = list(answered)
        for members in positions.values():
            if rule == "draw":
                sources = generator.choice(members, size=len(members))
            else:
                sources = np.full(len(members), _most_frequent(predictions, members))
            for member, source in zip(members, sources, strict=True):
                guesses[member] = _answer_with(predictions[member], predictions[int(source)])
        runs.append(score_predictions(guesses, lexicon))
    names = [name for name in (runs[0] if runs else ()) if name != "parsed" and "dist_" not in name]
    return {name: float(np.mean([run[name] for run in runs])) for name in names}


def sentiment_of(prediction: Prediction) -> str | None:
    """Return the answered polarity: stated, or the valence of the answered words; None where nothing was parsed."""
    if prediction.sentiment is not None or not prediction.parsed:
        return prediction.sentiment
    if prediction.label in POLARITIES:
        return prediction.label
    return valence_of(words_of(prediction))


def _answer_with(prediction: Prediction, source: Prediction) -> Prediction:
    """Answer one clip with the gold of another."""
    score = source.gold_score
    return replace(
        prediction,
        parsed=True,
        label=source.gold_label,
        words=source.gold_words,
        sentiment=None if score is None else "positive" if score > 0 else "negative" if score < 0 else "neutral",
        emotion=source.gold_emotion,
        reply=source.gold_reply,
        description=source.gold_description,
    )


def _most_frequent(predictions: Sequence[Prediction], members: Sequence[int]) -> int:
    def gold(position: int) -> str:
        each = predictions[position]
        polarity = None if each.gold_score is None else each.gold_score > 0
        by_task: Mapping[str, object] = {
            Task.MSA: polarity,
            Task.OV_MER: each.gold_words,
            Task.ERI: each.gold_words,
            Task.ERG: each.gold_emotion,
        }
        return str(by_task.get(each.task, each.gold_label))

    counts = Counter(map(gold, members))
    return min(members, key=lambda position: (-counts[gold(position)], gold(position)))


def words_of(prediction: Prediction) -> tuple[str, ...]:
    """Return the emotion words of an answer: its list, or its one label."""
    if prediction.words:
        return prediction.words
    return (prediction.label,) if prediction.label else ()


def _gold(prediction: Prediction, name: str, value: Value | None) -> Value:
    if value is None:
        raise ValueError(f"{prediction.dataset}/{prediction.id}: task {prediction.task} cannot be scored without {name}")
    return value


def _mer(group: Sequence[Prediction], lexicon: Lexicon) -> Scores:
    metric = EmotionWheelHitRate(lexicon, nan_policy="zero", hit_multilabel="any")
    metric.update([words_of(each) for each in group], [(_gold(each, "gold_label", each.gold_label),) for each in group])
    return {"mer.hit_rate": _number(metric.compute())}


def _msa(group: Sequence[Prediction], _: Lexicon) -> Scores:
    metric = SentimentWAF(match="normalised", unparsed="wrong")
    metric.update([sentiment_of(each) for each in group], [_gold(each, "gold_score", each.gold_score) for each in group])
    return {"msa.waf": _number(metric.compute())}


def _mir(group: Sequence[Prediction], _: Lexicon) -> Scores:
    gold = [normalise_intent(_gold(each, "gold_label", each.gold_label), "normalised") for each in group]
    scores = averages_of_labels(gold, [normalise_intent(each.label, "normalised") or "" for each in group])
    return {
        "mir.waf": scores.weighted_f1,
        "mir.accuracy": scores.accuracy,
        "mir.weighted_precision": scores.weighted_precision,
    }


def _ov_mer(group: Sequence[Prediction], lexicon: Lexicon) -> Scores:
    metric = EmotionWheelSetScore(lexicon, nan_policy="zero")
    metric.update([words_of(each) for each in group], [_gold(each, "gold_words", each.gold_words) for each in group])
    scores = metric.compute()
    return {
        "ov_mer.set_f": _number(scores["f"]),
        "ov_mer.precision": _number(scores["precision"]),
        "ov_mer.recall": _number(scores["recall"]),
    }


def _eri(group: Sequence[Prediction], _: Lexicon) -> Scores:
    # the rule always reads descriptions with the built-in lexicon: the released tables list everyday words as well
    label, clue = [], []
    for each in group:
        gold = _gold(each, "gold_description", each.gold_description)
        answer = each.description if each.parsed else None
        words = each.words if each.parsed and each.gold_words else None  # words against words, or text against text
        label.append(rule_label_overlap(words or answer, each.gold_words or gold))
        clue.append(rule_clue_overlap(answer, gold))
    return {"eri.rule_label_overlap": float(np.mean(label)), "eri.rule_clue_overlap": float(np.mean(clue))}


def _erg(group: Sequence[Prediction], _: Lexicon) -> Scores:
    emotions = EmpathyScores(gt_projection="none", coarse_unknown="miss", casefold=True)
    emotions.update([each.emotion for each in group], [_gold(each, "gold_emotion", each.gold_emotion) for each in group])
    scores = emotions.compute()
    result = {"erg.emotion_accuracy": _number(scores["emotion_accuracy"]), "erg.hit_rate": _number(scores["hit_rate"])}
    for prefix, metric in (("", DistinctN(2, empty="zero")), ("corpus_", DistinctN(2, "corpus"))):
        metric.update([each.reply for each in group])
        result |= {f"erg.{prefix}{name}": _number(score) for name, score in metric.compute().items()}
    return result


def _number(score: Tensor) -> float:
    return score.item()


_SCORERS: Mapping[Task, Callable[[Sequence[Prediction], Lexicon], Scores]] = {
    Task.MSA: _msa,
    Task.MER: _mer,
    Task.OV_MER: _ov_mer,
    Task.ERI: _eri,
    Task.MIR: _mir,
    Task.ERG: _erg,
}
