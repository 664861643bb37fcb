"""Metrics of affective computing, exact to the released code and usable without the model.

Each metric has a pure functional form and a torchmetrics class whose state is counters, so that any number of ranks
gives the one-process result. Where the released behaviour differs from the sensible one an option says which; the
released one is the default.
"""

from nano_emox.metrics.bootstrap import Interval, bootstrap_interval, metric_intervals
from nano_emox.metrics.class_averages import ClassAverages, averages_of_labels
from nano_emox.metrics.diversity import DistinctN, distinct_n
from nano_emox.metrics.empathy import EmpathyScores, coarse_hit_rate, e3rg_hit, fine_accuracy
from nano_emox.metrics.fetch import FetchError, fetch_wheels
from nano_emox.metrics.hit_rate import EmotionWheelHitRate, EmotionWheelSetScore
from nano_emox.metrics.intent import IntentScores, in_scope_scores, intent_scores, open_intent_scores
from nano_emox.metrics.lexicon import Lexicon, load_lexicon, valence_of
from nano_emox.metrics.overlap import (
    OverlapJudge,
    emotion_words,
    judge_score,
    overlap_means,
    rule_clue_overlap,
    rule_label_overlap,
)
from nano_emox.metrics.parsers import extract_speaker_emotion, parse_open_set, postprocess_reply, without_thoughts
from nano_emox.metrics.sentiment import SentimentWAF, sentiment_scores
from nano_emox.metrics.wheel_scores import mean_over_wheels, wheel_hit_rates, wheel_set_scores

__all__ = [
    "ClassAverages",
    "DistinctN",
    "EmotionWheelHitRate",
    "EmotionWheelSetScore",
    "EmpathyScores",
    "FetchError",
    "IntentScores",
    "Interval",
    "Lexicon",
    "OverlapJudge",
    "SentimentWAF",
    "averages_of_labels",
    "bootstrap_interval",
    "coarse_hit_rate",
    "distinct_n",
    "e3rg_hit",
    "emotion_words",
    "extract_speaker_emotion",
    "fetch_wheels",
    "fine_accuracy",
    "in_scope_scores",
    "intent_scores",
    "judge_score",
    "load_lexicon",
    "mean_over_wheels",
    "metric_intervals",
    "open_intent_scores",
    "overlap_means",
    "parse_open_set",
    "postprocess_reply",
    "rule_clue_overlap",
    "rule_label_overlap",
    "sentiment_scores",
    "valence_of",
    "wheel_hit_rates",
    "wheel_set_scores",
    "without_thoughts",
]
