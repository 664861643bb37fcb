"""Scores of predictions: the perfect answerer has 1, the silent one 0, the one who never saw the clip has chance."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from nano_emox.evaluation import Prediction, chance_levels, score_predictions, scores_by_dataset, write_results
from nano_emox.evaluation.scores import sentiment_of

EMOTIONS = ["happy", "sad", "angry", "worried", "surprise", "neutral"]


def perfect(samples: int = 60) -> list[Prediction]:
    made = []
    for index in range(samples):
        emotion = EMOTIONS[index % 6]
        name, score = f"clip{index}", [1.2, -0.8, -2.0, -1.0, 0.4, 0.0][index % 6]
        polarity = "positive" if score > 0 else "negative" if score < 0 else "neutral"
        text = f"The voice number {index % 5} is loud, so the person is {emotion}."
        base = {"prompt_hash": "h", "text": "…", "parsed": True}
        made += [
            Prediction(name, "MER2023", "mer", **base, label=emotion, gold_label=emotion),
            Prediction(name, "MOSI", "msa", **base, sentiment=polarity, gold_score=score),
            Prediction(name, "MIntRec", "mir", **base, label=f"intent {index % 4}", gold_label=f"Intent {index % 4}"),
            Prediction(name, "OV-MERD", "ov_mer", **base, words=(emotion, "hopeful"), gold_words=(emotion, "hopeful")),
            Prediction(name, "EMER", "eri", **base, description=text, gold_description=text),
            Prediction(name, "AvaMERG", "erg", **base, emotion="Sad", reply="I am with you.", gold_emotion="sad"),
        ]
    return made


def silenced(predictions: list[Prediction]) -> list[Prediction]:
    nothing = dict.fromkeys(("label", "words", "sentiment", "emotion", "reply", "description"))
    return [replace(each, parsed=False, **nothing) for each in predictions]


def test_perfect_answers_score_one() -> None:
    scores = score_predictions(perfect())
    assert set(scores) == {
        "mer.hit_rate", "msa.waf", "mir.waf", "mir.accuracy", "mir.weighted_precision", "ov_mer.set_f",
        "ov_mer.precision", "ov_mer.recall", "eri.rule_label_overlap", "eri.rule_clue_overlap", "erg.emotion_accuracy",
        "erg.hit_rate", "erg.dist_1", "erg.dist_2", "erg.corpus_dist_1", "erg.corpus_dist_2", "parsed",
    }  # fmt: skip
    assert {name: score for name, score in scores.items() if "corpus" not in name and score != 1.0} == {}
    assert scores["erg.corpus_dist_1"] == pytest.approx(4 / (60 * 4))


def test_unparsed_answers_are_wrong_and_never_dropped() -> None:
    assert set(score_predictions(silenced(perfect())).values()) == {0.0}
    half = perfect()
    half[: len(half) // 2] = silenced(half[: len(half) // 2])
    for name, score in score_predictions(half).items():
        # weighted precision is about the answers given, by definition; Dist-n over a corpus about variety alone
        assert "corpus" in name or name == "mir.weighted_precision" or 0.3 < score < 0.75, name


def test_nonsense_scores_nothing() -> None:
    nonsense = [
        replace(each, label="qwerty", words=("qwerty",), sentiment="qwerty", emotion="qwerty", description="qwerty")
        for each in perfect()
    ]
    scores = score_predictions(nonsense)
    assert {scores[key] for key in ("mer.hit_rate", "mir.waf", "ov_mer.set_f", "erg.emotion_accuracy")} == {0.0}


def test_scores_of_several_data_sets_are_averaged() -> None:
    right = [each for each in perfect() if each.task == "mer"]
    wrong = [replace(each, dataset="MELD", label="disgust") for each in right[:10]]
    by_dataset = scores_by_dataset([*right, *wrong])
    assert (by_dataset["MER2023"]["mer.hit_rate"], by_dataset["MELD"]["mer.hit_rate"]) == (1.0, 0.0)
    assert score_predictions([*right, *wrong])["mer.hit_rate"] == 0.5


def test_chance_is_that_of_an_answerer_who_saw_no_clip() -> None:
    predictions = perfect()
    chance = chance_levels(predictions)
    assert chance["mer.hit_rate"] == pytest.approx(1 / 6, abs=0.02)
    assert chance["mir.accuracy"] == pytest.approx(1 / 4, abs=0.03)
    assert 0.3 < chance["msa.waf"] < 0.65
    assert "parsed" not in chance
    assert "erg.dist_1" not in chance
    assert chance == chance_levels(silenced(predictions))  # the answers do not matter
    majority = chance_levels(predictions, rule="majority")
    assert majority["mer.hit_rate"] == pytest.approx(1 / 6)
    assert majority["msa.waf"] == pytest.approx(0.6 * 0.75)  # always negative: F1 of the negative class times its share


def test_sentiment_falls_back_on_the_valence_of_words() -> None:
    base = Prediction("a", "SIMS", "msa", "h", "…", True, gold_score=1.0)
    assert sentiment_of(replace(base, words=("delighted", "calm"))) == "positive"
    assert sentiment_of(replace(base, label="negative")) == "negative"
    assert sentiment_of(replace(base, parsed=False)) is None


def test_missing_gold_names_the_sample() -> None:
    with pytest.raises(ValueError, match="MER2023/a: task mer cannot be scored without gold_label"):
        score_predictions([Prediction("a", "MER2023", "mer", "h", "…", True)])


def test_results_are_written_whole(tmp_path: Path) -> None:
    path = tmp_path / "outputs" / "results.json"
    arguments = {
        "ablation": {"all": {"mer.hit_rate": 0.9}}, "chance": {"mer.hit_rate": 0.15}, "seed": 3, "lexicon": "builtin",
        "synthetic": True, "config": {"run": ["phase1"], "data": Path("data")},
    }  # fmt: skip
    write_results(path, scores={"phase3": {"mer.hit_rate": np.float64(0.9), "msa.waf": float("nan")}}, **arguments)
    results = json.loads(path.read_text())
    assert results["scores"]["phase3"] == {"mer.hit_rate": 0.9, "msa.waf": None}
    assert {"ablation", "chance", "seed", "versions", "lexicon", "synthetic", "git", "config"} <= results.keys()
    assert results["versions"]["torch"]
    with pytest.raises(ValueError, match="lies in"):
        write_results(path, scores={"phase3": {"mer.hit_rate": 90.0}}, **arguments)
    assert json.loads(path.read_text()) == results
    assert [each.name for each in path.parent.iterdir()] == ["results.json"]
