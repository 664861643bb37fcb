"""Means by system and dimension, and how far the raters agree (the paper's supplementary, Table 2)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torchmetrics.functional.nominal import fleiss_kappa

from nano_emox.human_evaluation.ratings import Key, Ratings
from nano_emox.human_evaluation.study import DIMENSIONS, LIKERT
from nano_emox.metrics.bootstrap import interval_of, resample_counts


def score_ratings(key: Key, ratings: Mapping[int, Ratings], *, partial: bool = False, seed: int = 0) -> dict[str, Any]:
    """Average the ratings of a study.

    Args:
        key: of the study.
        ratings: by rater.
        partial: use the dialogues that all given raters finished, where unfinished forms are an error otherwise.
        seed: of the bootstrap over dialogues.

    Returns:
        `systems`: by system and dimension `mean` and `interval` (95 %, over dialogues), and `average`, the mean of the
        dimensions; `kappa`: Fleiss' kappa by dimension over all (dialogue, system), and their mean `average`; None where
        it is undefined (one rater, or nothing but one category); `raters`, `dialogues`, `left_out`.

    Raises:
        ValueError: a form is unfinished (without `partial`), or no dialogue is finished by all.
    """
    names = [dimension.name for dimension in DIMENSIONS]
    dialogues = sorted(next(iter(key.letters.values())))
    finished = []
    for dialogue in dialogues:
        gap = next(
            (
                (rater, system, name)
                for rater, given in sorted(ratings.items())
                for system in key.systems
                for name in names
                if name not in given.get((dialogue, system), {})
            ),
            None,
        )
        if gap is None:
            finished.append(dialogue)
        elif not partial:
            letters = {system: letter for letter, system in key.letters[gap[0]][dialogue].items()}
            raise ValueError(
                f"rater {gap[0]}: {dialogue}, reply {letters[gap[1]]} has no rating of {gap[2]}; have the form finished, or give"
                " --partial to use only the dialogues that all raters finished"
            )
    if not finished:
        raise ValueError("no dialogue is rated by all of the given raters")
    table = np.array(  # (raters, dialogues, systems, dimensions)
        [
            [[[given[dialogue, system][name] for name in names] for system in key.systems] for dialogue in finished]
            for _, given in sorted(ratings.items())
        ]
    )
    counts = resample_counts(len(finished), seed=seed) / len(finished)
    systems: dict[str, Any] = {}
    for position, system in enumerate(key.systems):
        by_dialogue = table[:, :, position].mean(axis=0)  # (dialogues, dimensions)
        systems[system] = {name: _mean(by_dialogue[:, column], counts) for column, name in enumerate(names)}
        systems[system]["average"] = _mean(by_dialogue.mean(axis=1), counts)
    kappas = {name: kappa_of(table[..., column].reshape(len(table), -1)) for column, name in enumerate(names)}
    defined = [kappa for kappa in kappas.values() if kappa is not None]
    return {
        "study": key.study,
        "raters": sorted(ratings),
        "dialogues": len(finished),
        "left_out": len(dialogues) - len(finished),
        "systems": systems,
        "kappa": {**kappas, "average": float(np.mean(defined)) if len(defined) == len(names) else None},
    }


def kappa_of(ratings: npt.NDArray[np.int64]) -> float | None:
    """Fleiss' kappa by torchmetrics (Fleiss 1971), which adds 1e-5 to the denominator.

    Args:
        ratings: (raters, subjects), each 1 to 5.

    Returns:
        kappa, at most 1; None for a single rater, or if all ratings are the same category, where it is 0 / 0.

    >>> round(kappa_of(np.array([[1, 2, 3, 5], [1, 2, 3, 5]])), 3)
    1.0
    """
    if len(ratings) < 2 or len(np.unique(ratings)) < 2:
        return None
    counts = np.stack([(ratings == value).sum(axis=0) for value in LIKERT], axis=1)  # (subjects, categories)
    return float(fleiss_kappa(torch.from_numpy(counts), mode="counts"))


def _mean(values: npt.NDArray[np.float64], counts: npt.NDArray[np.float64]) -> dict[str, Any]:
    return {"mean": float(values.mean()), "interval": list(interval_of(counts @ values))}
