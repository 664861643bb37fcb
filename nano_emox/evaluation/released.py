"""Scores by the released protocol: the metrics' strict defaults, which the numbers of the paper's tables follow.

Only what comes after the answer is the same: the released pipeline samples its answers and lets an LLM extract the
labels, ours decodes greedily and reads them by rule.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from data_modules.record import Task
from nano_emox.evaluation.predictions import Prediction
from nano_emox.evaluation.scores import sentiment_of, words_of
from nano_emox.metrics.diversity import distinct_n
from nano_emox.metrics.empathy import EmpathyScores
from nano_emox.metrics.hit_rate import EmotionWheelHitRate, EmotionWheelSetScore
from nano_emox.metrics.intent import intent_scores
from nano_emox.metrics.lexicon import Lexicon
from nano_emox.metrics.sentiment import sentiment_scores

Outcome = float | str
"""A score in [0, 1], or why the released code gives none."""


def released_scores(predictions: Sequence[Prediction], lexicon: Lexicon) -> dict[str, dict[str, Outcome]]:
    """By data set, the headline scores as the released code computes them; a text where it would stop with an error."""
    groups: dict[tuple[str, str], list[Prediction]] = defaultdict(list)
    for prediction in predictions:
        groups[prediction.dataset, prediction.task].append(prediction)
    result: dict[str, dict[str, Outcome]] = {}
    for (dataset, task), group in sorted(groups.items()):
        try:
            result.setdefault(dataset, {}).update(_score(Task(task), group, lexicon))
        except (KeyError, IndexError) as error:
            result.setdefault(dataset, {})[_HEADLINES[Task(task)]] = f"the released code stops: {type(error).__name__} {error}"
    return result


_HEADLINES = {Task.ERG: "erg.emotion_accuracy", Task.MSA: "msa.waf"}


def _score(task: Task, group: Sequence[Prediction], lexicon: Lexicon) -> dict[str, Outcome]:
    match task:
        case Task.MER:
            hit_rate = EmotionWheelHitRate(lexicon)
            hit_rate.update([words_of(each) for each in group], [(each.gold_label or "",) for each in group])
            return {"mer.hit_rate": hit_rate.compute().item()}
        case Task.OV_MER:
            sets = EmotionWheelSetScore(lexicon)
            sets.update([words_of(each) for each in group], [each.gold_words or () for each in group])
            return {f"ov_mer.{_SETS[name]}": score.item() for name, score in sets.compute().items()}
        case Task.MSA:
            gold = {each.id: each.gold_score or 0.0 for each in group}
            return {"msa.waf": sentiment_scores(gold, {each.id: sentiment_of(each) for each in group}).weighted_f1}
        case Task.MIR:
            labels = {each.id: each.gold_label or "" for each in group}
            scores = intent_scores(labels, {each.id: each.label or each.text for each in group})
            return {
                "mir.waf": scores.weighted_f1,
                "mir.accuracy": scores.accuracy,
                "mir.weighted_precision": scores.weighted_precision,
            }
        case Task.ERG:
            empathy = EmpathyScores()
            empathy.update([each.emotion or "unknown" for each in group], [each.gold_emotion or "" for each in group])
            replies = [each.reply for each in group if each.reply]
            return {
                **{f"erg.{name}": score.item() for name, score in empathy.compute().items() if name != "e3rg_hit"},
                "erg.dist_1": distinct_n(replies, 1),
                "erg.dist_2": distinct_n(replies, 2),
            }
        case _:
            return {}  # ERI is judged by a language model


_SETS = {"f": "set_f", "precision": "precision", "recall": "recall"}
