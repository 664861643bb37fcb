"""The answers that are furthest from their gold, for a reader to look at."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from data_modules.record import Task
from nano_emox.evaluation.intervals import sum_scores
from nano_emox.evaluation.predictions import Prediction
from nano_emox.evaluation.scores import sentiment_of, words_of
from nano_emox.metrics.builtin_lexicon import builtin_valences
from nano_emox.metrics.lexicon import Lexicon, load_lexicon
from nano_emox.tasks import polarity

_BLAMED = {
    Task.MER: "mer.hit_rate", Task.OV_MER: "ov_mer.set_f", Task.MSA: "msa.waf", Task.MIR: "mir.accuracy",
    Task.ERI: "eri.rule_label_overlap", Task.ERG: "erg.emotion_accuracy",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class WorstError:
    """One answer with its gold as texts; `distance` orders: how much of the score is lost, then by valence."""

    prediction: Prediction
    gold: str
    said: str
    distance: float


def worst_errors(predictions: Sequence[Prediction], lexicon: Lexicon, each: int = 3) -> list[WorstError]:
    """The worst answers of each task, worst first; answers that score fully are never listed."""
    by_task: dict[str, list[WorstError]] = defaultdict(list)
    for prediction in predictions:
        lost = 1.0 - _score_alone(prediction, lexicon)
        if lost > 0:
            gold, said, _ = compared(prediction, lexicon)
            by_task[prediction.task].append(WorstError(prediction, gold, said, lost + _valence_gap(prediction)))
    order = [task for task in Task if task in by_task]
    return [
        error
        for task in order
        for error in sorted(by_task[task], key=lambda error: (-error.distance, error.prediction.key))[:each]
    ]


def compared(prediction: Prediction, lexicon: Lexicon) -> tuple[str, str, bool | None]:
    """Gold, answer, and whether the answer counts; None for free text."""
    p = prediction
    words = ", ".join(p.words or ()) or p.text
    match Task(p.task):
        case Task.MER | Task.MIR:
            return str(p.gold_label), p.label or p.text, p.label == p.gold_label
        case Task.OV_MER:
            groups = zip(lexicon.groups(p.words or (), "level1"), lexicon.groups(p.gold_words or (), "level1"), strict=True)
            return ", ".join(p.gold_words or ()), words, any(said & gold for said, gold in groups)
        case Task.MSA:
            return f"sentiment {p.gold_score:+.1f}", words, sentiment_of(p) == polarity(p.gold_score or 0.0)
        case Task.ERG:
            return str(p.gold_emotion), f"{p.emotion}: {p.reply}", p.emotion == p.gold_emotion
        case _:
            return p.gold_description or "", p.description or p.text, None


def _score_alone(prediction: Prediction, lexicon: Lexicon) -> float:
    """The headline score of a data set of this one answer; 1 where the answer is not scored at all."""
    value = sum_scores([prediction], lexicon)[_BLAMED[Task(prediction.task)]].value()
    return 1.0 if value != value else value


def _valence_gap(prediction: Prediction) -> float:
    """How far apart gold and answer are on the pleasure axis, in [0, 2]; 0 where one of them has no known word."""
    p = prediction
    gold = p.gold_score / 3 if p.gold_score is not None and p.task == Task.MSA else _valence(_gold_words(p))
    said = _valence((p.emotion,) if p.task == Task.ERG and p.emotion else words_of(p))
    if said is None and p.task == Task.MSA:
        said = {"positive": 0.7, "negative": -0.7}.get(sentiment_of(p) or "")
    return abs(gold - said) if gold is not None and said is not None else 0.0


def _gold_words(p: Prediction) -> Sequence[str]:
    if p.task == Task.ERG:
        return [p.gold_emotion or ""]
    return p.gold_words or [p.gold_label or ""]


def _valence(words: Sequence[str]) -> float | None:
    lexicon, valences = load_lexicon("builtin"), builtin_valences()
    known = [valences[groups[0]] for word in words if (groups := lexicon.lookup(word, "cluster")) and groups[0]]
    return sum(known) / len(known) if known else None
