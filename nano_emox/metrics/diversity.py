"""Dist-n: distinct n-grams by n-grams, lower-cased and split at blanks (punctuation stays on its word).

Two numbers share this name. `sentence` (released: the mean over responses) is near 1 for any short text; `corpus`
(Li et al. 2016) counts an n-gram once in the whole corpus. They cannot be compared with each other.
Chinese without blanks is one token.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fractions import Fraction
from hashlib import blake2b
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor
from torchmetrics import Metric

from nano_emox.metrics.exact_sums import fixed_point, halves, mean

DistLevel = Literal["sentence", "corpus", "corpus_tokens"]


def ngrams(response: str, n: int) -> list[tuple[str, ...]]:
    """Return the n-grams of a response, in order; empty where it has fewer than n words."""
    words = response.strip().lower().split()
    return list(zip(*(words[start:] for start in range(n)), strict=False))


def distinct_n(responses: Iterable[str], n: int, dist_level: DistLevel = "sentence") -> float:
    """Score responses; 0 where no response has n words.

    Args:
        responses: generated texts.
        n: words in an n-gram.
        dist_level: `sentence` (released) averages over the responses that have n words; `corpus` divides by the
            n-grams of all, `corpus_tokens` by their words.

    >>> distinct_n(["a b", "a b"], 1), distinct_n(["a b", "a b"], 1, "corpus")
    (1.0, 0.5)
    """
    responses = list(responses)
    grams = [ngrams(response, n) for response in responses]
    if dist_level == "sentence":
        shares = [len(set(each)) / len(each) for each in grams if each]
        return float(np.mean(shares)) if shares else 0.0
    distinct = len({gram for each in grams for gram in each})
    if dist_level == "corpus":
        total = sum(map(len, grams))
    elif dist_level == "corpus_tokens":
        total = sum(len(response.split()) for response in responses)
    else:
        raise ValueError(f"dist_level={dist_level!r} is none of 'sentence', 'corpus', 'corpus_tokens'")
    return distinct / total if total else 0.0


class DistinctN(Metric):
    """Dist-1 to Dist-n of responses, in [0, 1], as `dist_1`, `dist_2`, ...

    Args:
        n: the longest n-gram.
        dist_level: `sentence` (released) or `corpus`.
        empty: a response without n words is left out (`skip`, released) or counts as 0 (`zero`); `sentence` only.

    `corpus` keeps 64-bit hashes of the n-grams seen, the one state here that is no counter: a union is no sum.

    >>> metric = DistinctN(dist_level="corpus")
    >>> metric.update(["that is good", "that is hard"])
    >>> {name: round(score.item(), 4) for name, score in metric.compute().items()}
    {'dist_1': 0.6667, 'dist_2': 0.75}
    """

    is_differentiable = False
    higher_is_better = True
    full_state_update = False
    plot_lower_bound = 0.0
    plot_upper_bound = 1.0
    sums: Tensor  # (n, 2) halves of the shares of responses
    counts: Tensor  # (n,) responses (sentence) or n-grams (corpus)

    def __init__(
        self, n: int = 2, dist_level: DistLevel = "sentence", empty: Literal["skip", "zero"] = "skip", **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        if dist_level not in ("sentence", "corpus"):
            raise ValueError(f"dist_level={dist_level!r} is none of 'sentence', 'corpus'")
        self.n, self.dist_level, self.empty = n, dist_level, empty
        self.add_state("sums", torch.zeros(n, 2, dtype=torch.int64), dist_reduce_fx="sum")
        self.add_state("counts", torch.zeros(n, dtype=torch.int64), dist_reduce_fx="sum")
        if dist_level == "corpus":
            for size in range(1, n + 1):
                self.add_state(f"seen_{size}", [], dist_reduce_fx="cat")

    def update(self, preds: Sequence[str | None]) -> None:
        """Add responses; None is a missing response, the same as an empty one."""
        for size in range(1, self.n + 1):
            grams = [ngrams(response or "", size) for response in preds]
            if self.dist_level == "corpus":
                self.counts[size - 1] += sum(map(len, grams))
                hashes = sorted({_hash(gram) for each in grams for gram in each})
                getattr(self, f"seen_{size}").append(torch.tensor(hashes, dtype=torch.int64, device=self.device))
                continue
            kept = [each for each in grams if each or self.empty == "zero"]
            self.counts[size - 1] += len(kept)
            total = sum(fixed_point(Fraction(len(set(each)), len(each))) for each in kept if each)
            self.sums[size - 1] += halves(total).to(self.sums.device)

    def _sync_dist(self, *args: Any, **kwargs: Any) -> None:
        # a rank without responses would gather an empty float tensor among its neighbours' int64
        for name in (name for name in self._reductions if name.startswith("seen_")):
            if not getattr(self, name):
                setattr(self, name, [torch.empty(0, dtype=torch.int64, device=self.device)])
        super()._sync_dist(*args, **kwargs)

    def compute(self) -> dict[str, Tensor]:
        """Return `dist_1` ... `dist_n`, float64; 0 where no response has n words."""
        scores = {}
        for size in range(1, self.n + 1):
            count = int(self.counts[size - 1])
            if count == 0:
                share = 0.0
            elif self.dist_level == "sentence":
                share = mean(self.sums[size - 1], count)
            else:
                seen = getattr(self, f"seen_{size}")
                parts = seen if isinstance(seen, list) else [seen]  # one tensor once it has been gathered
                share = len(torch.cat(parts).unique()) / count
            scores[f"dist_{size}"] = torch.tensor(share, dtype=torch.float64)
        return scores

    def plot(self, val: Any = None, ax: Any = None) -> Any:
        """Draw the scores, or several of them, with torchmetrics' own plot."""
        return self._plot(val, ax)


def _hash(gram: tuple[str, ...]) -> int:
    digest = blake2b("\x00".join(gram).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big", signed=True)
