"""Each option of the metrics: the released behaviour by default, and the sensible one by name."""

from __future__ import annotations

import math

import pytest

from nano_emox.metrics import (
    DistinctN,
    EmotionWheelHitRate,
    EmotionWheelSetScore,
    EmpathyScores,
    IntentScores,
    OverlapJudge,
    SentimentWAF,
    emotion_words,
    intent_scores,
    load_lexicon,
    rule_clue_overlap,
    rule_label_overlap,
    sentiment_scores,
    wheel_hit_rates,
    wheel_set_scores,
)
from nano_emox.metrics.overlap import judge_score


def test_nan_policy() -> None:
    for policy, expected in (("strict", math.nan), ("zero", 0.0)):
        metric = EmotionWheelSetScore(nan_policy=policy)
        metric.update([["happy"]], [["sad"]])
        assert metric.compute()["f"].item() == pytest.approx(expected, nan_ok=True)
    metric = EmotionWheelHitRate()
    metric.update([["happy"]], [["no such word"]])
    assert math.isnan(metric.compute())


def test_a_wheel_without_mappable_gold_is_left_out_only_on_request() -> None:
    for policy, expected in (("strict", math.nan), ("zero", 1.0)):
        metric = EmotionWheelHitRate(nan_policy=policy)
        metric.update([["bored"]], [["bored"]])  # only one of the three theories has boredom
        assert metric.compute().item() == pytest.approx(expected, nan_ok=True)


def test_missing_prediction() -> None:
    gold, lexicon = {"a": "happy", "b": "sad"}, load_lexicon("builtin")
    for score in (wheel_hit_rates, wheel_set_scores):
        with pytest.raises(KeyError, match="b"):
            score(gold, {"a": "happy"}, lexicon)
    hits = wheel_hit_rates(gold, {"a": "happy"}, lexicon, missing_prediction="wrong")
    assert hits["ekman"].hit_rate == 0.5
    assert intent_scores({"a": "Joke", "b": "Joke"}, {"a": "Joke"}).accuracy == 1.0
    assert intent_scores({"a": "Joke", "b": "Joke"}, {"a": "Joke"}, missing_prediction="wrong").accuracy == 0.5


def test_hit_multilabel() -> None:
    for policy, expected in (("count", 2.0), ("any", 1.0)):
        metric = EmotionWheelHitRate(hit_multilabel=policy)
        metric.update(["happy, sad"], ["happy, sad"])
        assert metric.compute().item() == expected


def test_sentiment_of_unparsed_answers() -> None:
    released, ours = SentimentWAF(), SentimentWAF(unparsed="wrong")
    for metric in (released, ours):
        metric.update([None, None], [-1.0, 1.0])
    assert released.compute().item() == pytest.approx(1 / 3)  # all negative: right on the negative clip
    assert ours.compute().item() == 0.0


def test_sentiment_match() -> None:
    gold, answers = {"a": 1.0, "b": -1.0}, {"a": "Positive.", "b": "Negative."}
    assert sentiment_scores(gold, answers).accuracy == 0.5
    assert sentiment_scores(gold, answers, match="normalised").accuracy == 1.0
    with pytest.raises(IndexError, match="every gold score is 0"):
        sentiment_scores({"a": 0.0}, {"a": "positive"})


def test_intent_match_and_foreign_labels() -> None:
    metric = IntentScores(["Ask for help", "Joke"], intent_match="normalised")
    metric.update(["ask for  help.", "nonsense", None], ["Ask for help", "Joke", "Joke"])
    assert metric.compute()["accuracy"].item() == pytest.approx(1 / 3)
    with pytest.raises(ValueError, match="gold label 'Sing'"):
        metric.update(["Joke"], ["Sing"])


def test_out_of_scope_intents_are_left_out() -> None:
    metric = IntentScores(["Joke", "Thank", "UNK"], out_of_scope="UNK")
    metric.update(["Joke", "UNK", "Joke"], ["Joke", "Thank", "UNK"])
    assert metric.compute()["accuracy"].item() == 0.5


def test_coarse_unknown_and_projection() -> None:
    with pytest.raises(KeyError, match="unknown"):
        EmpathyScores().update(["unknown"], ["sad"])
    released = EmpathyScores(coarse_unknown="miss")
    ours = EmpathyScores(gt_projection="none", coarse_unknown="miss", casefold=True)
    for metric in (released, ours):
        metric.update(["anxious", "unknown", "Sad"], ["anxious", "sad", "sad"])
    assert released.compute()["emotion_accuracy"].item() == 0.0  # gold anxious became sad, and Sad is not sad
    assert ours.compute()["emotion_accuracy"].item() == pytest.approx(2 / 3)
    assert ours.compute()["hit_rate"].item() == pytest.approx(2 / 3)


def test_distinct_n_of_missing_replies() -> None:
    for empty, expected in (("skip", 1.0), ("zero", 0.5)):
        metric = DistinctN(empty=empty)
        metric.update(["so be it", None])
        assert metric.compute()["dist_2"].item() == expected


def test_judge_failures_are_reported_not_averaged() -> None:
    assert judge_score("no idea") == 0.0
    assert judge_score("no idea", "missing") is None
    metric = OverlapJudge()
    metric.update([judge_score("8", "missing"), judge_score(None, "missing")], [6.0, 6.0])
    assert metric.compute()["clue"].item() == 8.0
    assert metric.compute()["failed"].item() == 0.25
    with pytest.raises(ValueError, match=r"lie in \[0, 10\]"):
        metric.update([100.0], [1.0])


def test_rule_overlap_reads_emotions_and_clues() -> None:
    gold = "The brows are lowered and the voice is loud, so the person feels angry."
    assert rule_label_overlap("She is furious.", gold) == 1.0
    assert rule_label_overlap("She is not angry, she is happy.", gold) == 0.0
    assert rule_label_overlap("She is furious.", "", "builtin") == 0.0
    assert rule_label_overlap(None, gold) == 0.0
    assert rule_label_overlap(("angry",), ("furious",)) == 1.0
    assert rule_label_overlap("angry and sad", ("angry",)) == pytest.approx(2 / 3)
    assert rule_clue_overlap(gold, gold) == 1.0
    assert 0 < rule_clue_overlap("a loud voice", gold) < 1
    assert rule_clue_overlap("", gold) == 0.0
    assert emotion_words("never sad, but heavy-hearted") == ["heavy-hearted"]


def test_plot_draws_without_a_display() -> None:
    metric = SentimentWAF()
    metric.update(["positive"], [1.0])
    figure, _ = metric.plot()
    assert figure is not None
