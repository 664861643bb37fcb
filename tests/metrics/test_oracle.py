"""scikit-learn as oracle: 1,000 random label lists, every average within 1e-12."""

from __future__ import annotations

import numpy as np
from sklearn.metrics import accuracy_score, precision_recall_fscore_support

from nano_emox.metrics import IntentScores, averages_of_labels


def test_averages_agree_with_scikit_learn() -> None:
    generator = np.random.default_rng(3)
    for _ in range(1000):
        classes, size = generator.integers(1, 31), generator.integers(1, 120)
        gold = [f"c{label}" for label in generator.integers(classes, size=size)]
        answered = [f"c{label}" for label in generator.integers(classes + 3, size=size)]  # some classes have no gold
        got = averages_of_labels(gold, answered)
        for average, mine in (
            ("weighted", (got.weighted_precision, got.weighted_recall, got.weighted_f1)),
            ("macro", (got.macro_precision, got.macro_recall, got.macro_f1)),
        ):
            oracle = precision_recall_fscore_support(gold, answered, average=average, zero_division=0)
            np.testing.assert_allclose(mine, oracle[:3], rtol=0, atol=1e-12)
        assert got.accuracy == accuracy_score(gold, answered)


def test_the_class_agrees_with_the_function() -> None:
    generator = np.random.default_rng(4)
    labels = [f"c{label}" for label in range(20)]
    gold, answered = ([labels[i] for i in generator.integers(20, size=400)] for _ in range(2))
    answered[::7] = ["nonsense"] * len(answered[::7])
    metric = IntentScores(labels)
    metric.update(answered, gold)
    expected = averages_of_labels(gold, answered)
    scores = metric.compute()
    np.testing.assert_allclose(scores["waf"].item(), expected.weighted_f1, rtol=0, atol=1e-12)
    np.testing.assert_allclose(scores["weighted_precision"].item(), expected.weighted_precision, rtol=0, atol=1e-12)
