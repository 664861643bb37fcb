"""What one judge's values amount to. Failed calls are left out of every mean and stand beside it as a count."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from data_modules.record import Task
from nano_emox.evaluation.predictions import Prediction
from nano_emox.evaluation.scores import scores_by_dataset
from nano_emox.judges.prompts import Question
from nano_emox.judges.scores import JudgeScore, require_one_judge
from nano_emox.metrics.lexicon import Lexicon
from nano_emox.metrics.overlap import OverlapJudge


def summarise(
    predictions: Sequence[Prediction], scores: Sequence[JudgeScore], lexicon: str | Path | Lexicon = "builtin"
) -> dict[str, Any]:
    """Put one judge's values together, by data set.

    Args:
        predictions: that were judged; they hold the gold.
        scores: all by the same judge.
        lexicon: of the wheel scores.

    Returns:
        `judge` (its identity), `judged_by` (models that a server named), `datasets`: by data set `scores` (overlaps on
        the scale 1 to 10, the others in [0, 1]), `judged` and `failed` as counts.

    Raises:
        MixedJudges: the scores come from two judges.
        ValueError: a score belongs to none of the predictions.
    """
    judge = require_one_judge(list(scores))
    by_key = {prediction.key: prediction for prediction in predictions}
    for score in scores:
        if score.key[:3] not in by_key:
            raise ValueError(f"{score.dataset}/{score.id}: judged as {score.task}, but no such prediction was given")
    datasets: dict[str, Any] = {}
    for dataset in sorted({score.dataset for score in scores}):
        group = [score for score in scores if score.dataset == dataset]
        judged = [as_judged(by_key[score.key[:3]], score) for score in group if score.value is not None]
        words = [prediction for prediction in judged if prediction is not None]
        numbers = dict(scores_by_dataset(words, lexicon).get(dataset, {}))
        numbers.pop("parsed", None)
        numbers |= overlap_scores(group)
        failed = sum(score.value is None for score in group)
        datasets[dataset] = {
            "scores": {name: number for name, number in numbers.items() if not math.isnan(number)},
            "judged": len(group) - failed,
            "failed": failed,
        }
    judged_by = sorted({name for score in scores for name in score.judged_by})
    return {"judge": asdict(judge) if judge else None, "judged_by": judged_by, "datasets": datasets}


def overlap_scores(scores: Sequence[JudgeScore]) -> dict[str, float]:
    """`eri.judge_clue_overlap`, `eri.judge_label_overlap` and their average, 1 to 10; empty without any overlap."""
    clue = [_number(score) for score in scores if score.question == Question.CLUE_OVERLAP]
    label = [_number(score) for score in scores if score.question == Question.LABEL_OVERLAP]
    if not clue and not label:
        return {}
    metric = OverlapJudge()
    metric.update(clue, label)
    means = metric.compute()
    return {
        "eri.judge_clue_overlap": means["clue"].item(),
        "eri.judge_label_overlap": means["label"].item(),
        "eri.judge_average": means["average"].item(),
    }


def as_judged(prediction: Prediction, score: JudgeScore) -> Prediction | None:
    """The prediction with what the judge read out of its text in place of what our parser did; None for an overlap."""
    if isinstance(score.value, tuple):
        return replace(prediction, parsed=True, label=None, words=score.value)
    if isinstance(score.value, str):
        if prediction.task != Task.MSA:
            raise ValueError(f"{prediction.dataset}/{prediction.id}: a sentiment was judged for task {prediction.task}")
        return replace(prediction, parsed=True, label=None, sentiment=score.value)
    return None


def _number(score: JudgeScore) -> float | None:
    if score.value is not None and not isinstance(score.value, float | int):
        raise ValueError(f"{score.dataset}/{score.id}: {score.question} is {score.value!r}, not a number")
    return None if score.value is None else float(score.value)
