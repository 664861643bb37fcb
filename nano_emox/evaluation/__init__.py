"""From answers to numbers: predictions as they come (JSONL), scores, chance levels, tables, pictures, results.json.

Names are imported when they are first used: the pages and pictures here serve commands that compute no score.
"""

from __future__ import annotations

import importlib
from typing import Any

_HOME_OF = {
    "Prediction": "predictions",
    "PredictionLog": "predictions",
    "chance_levels": "scores",
    "read_predictions": "predictions",
    "score_predictions": "scores",
    "scores_by_dataset": "scores",
    "write_results": "results",
}

__all__ = sorted(_HOME_OF)


def __getattr__(name: str) -> Any:
    if name not in _HOME_OF:
        raise AttributeError(f"nano_emox.evaluation has no {name!r}; it has {', '.join(__all__)}")
    return getattr(importlib.import_module(f"nano_emox.evaluation.{_HOME_OF[name]}"), name)
