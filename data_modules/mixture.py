"""A weighted mixture of data sets, drawn so that epoch and position alone decide what is drawn.

Whatever the number of workers or ranks, and wherever a run was cut and resumed, position p of epoch e is the same
sample: nothing here depends on a global random generator or on what was drawn before in this process. Weights are
probabilities of drawing from a data set; `limited` takes a subset of one. They are two different things, though the
released code's `ratio` mixes them up.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from hashlib import blake2b
from typing import Any

import numpy as np
import torch
from torch.utils.data import DistributedSampler

from data_modules.record import Sample, Task
from data_modules.workers import NotedDataset, WatchedDataLoader

_DATASET, _ORDER, _PHASE = 0, 1, 2  # streams of random numbers


class Mixture:
    """What is drawn at every position of every epoch.

    Inside a data set, samples come in a seeded permutation without replacement, which goes on from epoch to epoch and
    is drawn anew when all have been seen. Among data sets, an epoch's counts are within one of `weight * positions`,
    and right on average even where that is less than one.

    Args:
        sizes: samples of each data set.
        weights: of each data set, normalised here; None is proportional to the sizes.
        seed: of everything.
    """

    def __init__(self, sizes: Mapping[str, int], weights: Mapping[str, float] | None = None, seed: int = 0) -> None:
        weights = {name: float(size) for name, size in sizes.items()} if weights is None else weights
        if set(weights) != set(sizes):
            raise ValueError(f"weights are for {sorted(weights)}, data sets are {sorted(sizes)}; name each once")
        if empty := [name for name, size in sizes.items() if size <= 0 < weights[name]]:
            raise ValueError(f"{empty} have no samples; leave them out of the mixture or check the data root")
        if any(weight < 0 for weight in weights.values()) or sum(weights.values()) <= 0:
            raise ValueError(f"weights must be non-negative with a positive sum, got {dict(weights)}")
        self.names = tuple(sizes)
        self.sizes = np.array([sizes[name] for name in self.names])
        total = sum(weights.values())
        self.shares = np.array([weights[name] / total for name in self.names])
        self.seed = seed
        self._offsets = np.concatenate([[0], np.cumsum(self.sizes)])
        self._counts: dict[tuple[int, int], np.ndarray[Any, Any]] = {}

    def epoch(self, epoch: int, positions: int) -> np.ndarray[Any, Any]:
        """(positions,) int64: the samples of an epoch, as indices into the data sets laid end to end."""
        counts = self.counts(epoch, positions)
        before = sum((self.counts(e, positions) for e in range(epoch)), start=np.zeros(len(self.sizes), dtype=np.int64))
        which = self._random(_DATASET, epoch).permutation(np.repeat(np.arange(len(self.sizes)), counts))
        drawn = np.empty(positions, dtype=np.int64)
        for index, size in enumerate(self.sizes):
            numbers = np.arange(before[index], before[index] + counts[index])
            order = np.empty(len(numbers), dtype=np.int64)
            for cycle in np.unique(numbers // size) if size else ():
                here = numbers // size == cycle
                order[here] = self._random(_ORDER, index, int(cycle)).permutation(size)[numbers[here] % size]
            drawn[which == index] = self._offsets[index] + order
        return drawn

    def counts(self, epoch: int, positions: int) -> np.ndarray[Any, Any]:
        """(data sets,) int64: how many of an epoch's positions each data set has."""
        if (epoch, positions) not in self._counts:
            edges = np.concatenate([[0.0], np.cumsum(self.shares) * positions])
            edges[-1] = positions
            shift = self._random(_PHASE, epoch).random()
            self._counts[epoch, positions] = np.diff(np.floor(edges + shift).astype(np.int64))
        return self._counts[epoch, positions]

    def _random(self, *stream: int) -> np.random.Generator:
        return np.random.default_rng(np.random.SeedSequence(self.seed, spawn_key=stream))


class MixtureSampler(DistributedSampler):
    """Batches of a mixture: lists of (epoch, index), for a `DataLoader(batch_size=None)`.

    Rank r of W takes every W-th position, so that the union of the ranks' batches is the batch of one rank with W
    times the batch size. It is a `DistributedSampler` in type, so that Lightning leaves it in place.

    Args:
        steps: batches in an epoch.
        batch_size: of one rank.
    """

    def __init__(self, mixture: Mixture, steps: int, batch_size: int, *, rank: int = 0, world_size: int = 1) -> None:
        if steps < 1 or batch_size < 1:
            raise ValueError(f"an epoch needs at least one step and a batch one sample; got {steps} and {batch_size}")
        super().__init__(range(int(mixture.sizes.sum())), world_size, rank, shuffle=False)  # type: ignore[arg-type]
        self.mixture, self.steps, self.batch_size = mixture, steps, batch_size
        self.first_epoch = 0
        self.skip = 0

    def __len__(self) -> int:
        return self.steps

    def __iter__(self) -> Iterator[list[tuple[int, int]]]:
        skip, self.skip = self.skip, 0
        epoch = self.epoch - self.first_epoch
        if epoch < 0:
            raise ValueError(f"epoch {self.epoch} lies before this mixture's own first epoch, {self.first_epoch}")
        drawn = self.mixture.epoch(epoch, self.steps * self.batch_size * self.num_replicas)
        own = drawn[self.rank :: self.num_replicas].reshape(self.steps, self.batch_size)
        for batch in own[skip:]:
            yield [(epoch, int(index)) for index in batch]


class RankSampler(DistributedSampler):
    """Every `world_size`-th index, in order, none twice: where things are scored, a repeat would count double."""

    def __init__(self, size: int, *, rank: int = 0, world_size: int = 1) -> None:
        super().__init__(range(size), world_size, rank, shuffle=False)  # type: ignore[arg-type]
        self.indices = range(rank, size, world_size)

    def __len__(self) -> int:
        return len(self.indices)

    def __iter__(self) -> Iterator[int]:
        return iter(self.indices)


class ResumableDataLoader(WatchedDataLoader):
    """A loader that remembers, in Lightning's checkpoints, how many batches of the epoch it has given out.

    On resume those are skipped by index, without reading them. Its workers are seeded from a generator of its own, so
    that making an iterator does not move the global one.
    """

    def __init__(self, dataset: NotedDataset, *, sampler: MixtureSampler, seed: int = 0, **options: Any) -> None:
        super().__init__(dataset, batch_size=None, sampler=sampler, generator=torch.Generator().manual_seed(seed), **options)
        self._given = 0
        self._resume: Mapping[str, int] = {}

    def state_dict(self) -> dict[str, int]:
        """How many batches of which epoch have been given out."""
        assert isinstance(self.sampler, MixtureSampler)
        return {"epoch": self.sampler.epoch, "given": self._given}

    def load_state_dict(self, state: Mapping[str, int]) -> None:
        """Leave out, in that epoch, what had been given out."""
        self._resume = dict(state)

    def __iter__(self) -> Any:
        sampler = self.sampler
        assert isinstance(sampler, MixtureSampler)
        # A checkpoint from an epoch's end is resumed in the next epoch, which has given out nothing.
        skip = self._resume.get("given", 0) if self._resume.get("epoch") == sampler.epoch else 0
        self._resume = {}
        sampler.skip = self._given = skip
        for batch in super().__iter__():
            self._given += 1
            yield batch


def limited(samples: Sequence[Sample], limit: int | None, seed: int = 0) -> list[Sample]:
    """At most `limit` of the samples: the first of a seeded permutation, in their old order."""
    if limit is None or limit >= len(samples):
        return list(samples)
    chosen = np.random.default_rng(seed).permutation(len(samples))[:limit]
    return [samples[index] for index in sorted(chosen)]


def draw_of(seed: int, epoch: int, sample: Sample) -> int:
    """The number of a draw, which chooses paraphrases: a function of its arguments alone, the same in every process."""
    return _hash("draw", seed, epoch, sample)


def choose_task(sample: Sample, weights: Mapping[Task, float] | None, seed: int, epoch: int) -> Task:
    """Which of a sample's tasks is asked in this draw; `weights` None is all with equal probability.

    Raises:
        ValueError: none of the sample's tasks has a positive weight.
    """
    shares = [1.0 if weights is None else float(weights.get(task, 0.0)) for task in sample.tasks]
    if sum(shares) <= 0:
        wanted = sorted(task.value for task in weights or ())
        raise ValueError(f"{sample.dataset}/{sample.id} has {[t.value for t in sample.tasks]}, task weights name {wanted}")
    point = _hash("task", seed, epoch, sample) / 2**63 * sum(shares)
    for task, share in zip(sample.tasks, shares, strict=True):
        if point < share:
            return task
        point -= share
    return next(task for task, share in zip(reversed(sample.tasks), reversed(shares), strict=True) if share > 0)


def _hash(purpose: str, seed: int, epoch: int, sample: Sample) -> int:
    text = f"{purpose}|{seed}|{epoch}|{sample.dataset}|{sample.id}"
    return int.from_bytes(blake2b(text.encode(), digest_size=8).digest()) >> 1
