"""From answers to numbers: predictions as they come (JSONL), scores, chance levels, tables, pictures, results.json."""

from nano_emox.evaluation.predictions import Prediction, PredictionLog, read_predictions
from nano_emox.evaluation.results import write_results
from nano_emox.evaluation.scores import chance_levels, score_predictions, scores_by_dataset

__all__ = [
    "Prediction",
    "PredictionLog",
    "chance_levels",
    "read_predictions",
    "score_predictions",
    "scores_by_dataset",
    "write_results",
]
