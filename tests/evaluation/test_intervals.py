"""Intervals are of the scores that are printed, published numbers are as printed, and the worst errors are errors."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from nano_emox.evaluation import Prediction, score_predictions, scores_by_dataset
from nano_emox.evaluation.errors import worst_errors
from nano_emox.evaluation.intervals import bootstrap_intervals, sum_scores
from nano_emox.evaluation.published import AVERAGE_NOTES, PAPER, printed_averages, published_beside, published_scores
from nano_emox.evaluation.released import released_scores
from nano_emox.metrics import load_lexicon

EMOTIONS = ["happy", "sad", "angry", "worried", "surprise", "neutral"]


def answers(clips: int = 40, seed: int = 3) -> list[Prediction]:
    """Answers of all tasks, a third of them wrong and a tenth unparsed."""
    generator = np.random.default_rng(seed)
    made = []
    for index in range(clips):
        gold, said = EMOTIONS[index % 6], EMOTIONS[index % 6 if generator.random() < 0.66 else generator.integers(6)]
        score = round(float(generator.normal()), 1)
        text = f"The voice number {index % 5} is loud, so the person is {said}."
        base = {"prompt_hash": "h", "text": "…", "parsed": bool(generator.random() < 0.9)}
        made += [
            Prediction(f"{index}", "MER2023", "mer", **base, label=said, gold_label=gold),
            Prediction(f"{index}", "MELD", "mer", **base, words=(said, "glad"), gold_label=gold),
            Prediction(f"{index}", "CMU-MOSI", "msa", **base, sentiment=None if index % 7 else "positive", gold_score=score),
            Prediction(f"{index}", "MIntRec", "mir", **base, label=f"intent {said}", gold_label=f"Intent {gold}"),
            Prediction(f"{index}", "OV-MERD", "ov_mer", **base, words=(said, "hopeful"), gold_words=(gold, "hopeful")),
            Prediction(f"{index}", "EMER", "eri", **base, description=text, gold_description=text.replace(said, gold)),
            Prediction(
                f"{index}", "AvaMERG", "erg", **base, emotion=said, reply="I am with you. " * (index % 3), gold_emotion=gold
            ),
        ]
    return made


def test_a_sum_score_is_the_score() -> None:
    predictions, lexicon = answers(), load_lexicon()
    scores = scores_by_dataset(predictions, lexicon)
    for dataset in scores:
        for name, score in sum_scores([p for p in predictions if p.dataset == dataset], lexicon).items():
            assert score.value() == pytest.approx(scores[dataset][name], abs=1e-12), (dataset, name)


def test_every_score_lies_in_its_interval_and_a_seed_gives_it_again() -> None:
    predictions, lexicon = answers(), load_lexicon()
    intervals = bootstrap_intervals(predictions, lexicon, seed=1)
    scores = score_predictions(predictions, lexicon)
    assert set(scores) - set(intervals.scores) == {"erg.corpus_dist_1", "erg.corpus_dist_2"}
    for name, (low, high) in intervals.scores.items():
        assert low <= scores[name] <= high, name
    assert bootstrap_intervals(predictions, lexicon, seed=1) == intervals
    narrow = intervals.scores["mer.hit_rate"]  # of two data sets together: narrower than of each alone
    assert narrow.high - narrow.low < min(
        h - low for low, h in (intervals.by_dataset[n]["mer.hit_rate"] for n in ("MELD", "MER2023"))
    )


def test_published_averages_recompute_but_for_the_misprints_that_are_noted() -> None:
    wrong = set()
    for model, average in printed_averages().items():
        cells = [row.value for row in published_scores() if row.model == model and "Table 2" in row.source]
        assert len(cells) == 9
        if abs(np.mean(cells) - average) > 0.0051:
            wrong.add(model)
    assert wrong == set(AVERAGE_NOTES)
    own = {row.score: row.value for row in published_scores() if (row.model, row.dataset) == (PAPER, "AvaMERG")}
    assert own == {"erg.emotion_accuracy": 54.82, "erg.hit_rate": 91.13, "erg.dist_1": 95.47, "erg.dist_2": 99.83}
    assert "misprint" in next(row.note for row in published_beside("CH-SIMSv2", "msa.waf") if row.model == "SALMONN")


def test_the_released_protocol_is_lenient_where_ours_is_not_and_stops_where_it_stops() -> None:
    group = [p for p in answers() if p.task == "msa"]
    silent = [replace(p, sentiment=None, words=None, parsed=False) for p in group]
    assert released_scores(silent, load_lexicon())["CMU-MOSI"]["msa.waf"] > 0
    assert score_predictions(silent)["msa.waf"] == 0
    foreign = [p for p in answers() if p.task == "erg"]
    assert "KeyError 'worried'" in str(released_scores(foreign, load_lexicon())["AvaMERG"]["erg.emotion_accuracy"])


def test_the_worst_errors_are_wrong_and_the_furthest_first(tmp_path: Path) -> None:
    errors = worst_errors(answers(), load_lexicon(), each=3)
    for task in {error.prediction.task for error in errors}:
        distances = [error.distance for error in errors if error.prediction.task == task]
        assert distances == sorted(distances, reverse=True)
        assert len(distances) <= 3
    assert all(
        error.prediction.label != error.prediction.gold_label for error in errors if error.prediction.dataset == "MER2023"
    )
    right = [replace(p, label=p.gold_label) for p in answers() if p.dataset == "MER2023"]
    assert worst_errors(right, load_lexicon()) == []
