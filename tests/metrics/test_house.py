"""Every metric has what a metric here must have: its name, a functional form, a picture, a card, an example, speed."""

from __future__ import annotations

import os
import time
from pathlib import Path

import matplotlib
import numpy as np
import pytest

import nano_emox.metrics as metrics

matplotlib.use("Agg")
WHEELS = Path(os.environ.get("EMOTION_WHEEL_DIR") or Path(__file__).resolve().parents[3] / "shared" / "emotion_wheel")
CARDS = Path(__file__).resolve().parents[2] / "docs" / "metrics"
HOUSE = {  # class: functional forms, constructor arguments, columns of `update`
    "EmotionWheelHitRate": (["wheel_hit_rates"], (), (["glad", "sad"], ["happy", "angry"])),
    "EmotionWheelSetScore": (["wheel_set_scores"], (), ([["glad"], ["sad", "scared"]], [["happy"], ["sad"]])),
    "SentimentWAF": (["sentiment_scores"], (), (["positive", "neutral"], [1.0, -2.0])),
    "IntentScores": (
        ["intent_scores", "in_scope_scores", "open_intent_scores"],
        (["Joke", "Thank"],),
        (["Joke", "Joke"], ["Joke", "Thank"]),
    ),
    "EmpathyScores": (["fine_accuracy", "coarse_hit_rate", "e3rg_hit"], (), (["sad", "angry"], ["sad", "afraid"])),
    "DistinctN": (["distinct_n"], (), (["I am here with you", "tell me more"],)),
    "OverlapJudge": (["overlap_means", "rule_clue_overlap", "rule_label_overlap"], (), ([7.0, 5.0], [6.0, None])),
}


@pytest.mark.parametrize("name", HOUSE)
def test_a_metric_has_all_its_parts(name: str) -> None:
    functions, arguments, columns = HOUSE[name]
    assert all(callable(getattr(metrics, function)) for function in functions)
    metric = getattr(metrics, name)(*arguments)
    metric.update(*columns)
    figure, axes = metric.plot()
    assert figure is not None
    assert axes is not None
    matplotlib.pyplot.close(figure)
    assert ">>> metric = " in (type(metric).__doc__ or "")
    intervals = metrics.metric_intervals(metric, *columns, resamples=20)
    assert all(not interval.low > interval.high for interval in intervals.values())


@pytest.mark.parametrize("name", HOUSE)
def test_a_card_says_what_it_is_and_what_it_is_not(name: str) -> None:
    cards = [path.read_text(encoding="utf-8") for path in sorted(CARDS.glob("*.md"))]
    card = next((text for text in cards if text.startswith(f"# {name}\n")), "")
    for heading in ("## Formula", "## Range", "## Source", "## Not to be compared with", "## Options"):
        assert heading in card, (name, heading)
    assert all(function in card for function in HOUSE[name][0])


def test_scores_by_wheel_average_to_the_score() -> None:
    sets = metrics.EmotionWheelSetScore(nan_policy="zero")
    sets.update([["glad"], ["sad", "scared"]], [["happy"], ["sad"]])
    wheels = sets.by_wheel()
    assert list(wheels) == ["ekman", "plutchik", "shaver"]
    assert sets.compute()["f"].item() == np.mean([scores["f"] for scores in wheels.values()])


def test_intervals_of_sums_and_of_the_metric_agree() -> None:
    generator = np.random.default_rng(1)
    hits = generator.random(200) < 0.7
    quick = metrics.bootstrap_interval(lambda chosen: hits[chosen].mean(), 200, resamples=400)
    answers, gold = ["positive"] * 200, [1.0 if hit else -1.0 for hit in hits]
    slow = metrics.metric_intervals(metrics.IntentScores(["a", "b"]), ["a"] * 200, ["a" if hit else "b" for hit in hits])
    assert slow["accuracy"].low == pytest.approx(quick.low, abs=0.02)
    assert metrics.metric_intervals(metrics.SentimentWAF(), answers, gold, resamples=50)["score"].high <= 1


@pytest.mark.parametrize("source", ["builtin", "released"])
def test_ten_thousand_answers_are_scored_in_a_moment(source: str) -> None:
    if source == "released" and not WHEELS.is_dir():
        pytest.skip(f"no emotion wheels at {WHEELS}; set EMOTION_WHEEL_DIR")
    lexicon = metrics.load_lexicon(WHEELS if source == "released" else "builtin")
    words = sorted(lexicon.tables["level1"])
    generator = np.random.default_rng(0)
    drawn = generator.integers(len(words), size=(2, 10_000, 3)).tolist()
    answers, gold = ([[words[index] for index in clip] for clip in side] for side in drawn)
    seconds = {}
    for kind in (metrics.EmotionWheelHitRate, metrics.EmotionWheelSetScore):
        metric = kind(lexicon)
        start = time.perf_counter()
        metric.update(answers, gold)
        metric.compute()
        seconds[kind.__name__] = time.perf_counter() - start
    print(source, seconds)
    assert max(seconds.values()) < 5  # about 0.1 s on an idle core; the bound is for a busy machine
