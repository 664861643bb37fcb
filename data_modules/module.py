"""`AffectDataModule`: one data set or a weighted mixture of them as a LightningDataModule, for any model.

It knows no tokenizer and no model: `inputs` says what is read of a clip, `collate` what a batch is.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import LightningDataModule
from lightning.pytorch.strategies import FSDPStrategy, ModelParallelStrategy
from torch.utils.data import DataLoader

from data_modules.datasets import read_annotation, splits_of
from data_modules.inputs import InputReader, MediaInputs
from data_modules.loading import Collate, Draws, Listed, ListedLoader, OnBad, SkipReport, TrainingLoader, collate_items
from data_modules.mixture import Mixture, MixtureSampler, RankSampler, limited
from data_modules.record import Sample, Task
from data_modules.splits import grouped_split

log = logging.getLogger(__name__)
SHARES: Mapping[str, float] = {"train": 0.8, "validation": 0.1, "test": 0.1}


class AffectDataModule(LightningDataModule):
    """Training draws from a mixture; validation and test in a fixed order, each sample once for each of its tasks.

    Args:
        train: samples, or samples by data set. They are grouped by data set for the mixture.
        validation: samples of the validation loader.
        test: samples of the test and predict loaders.
        batch_size: of one rank.
        steps_per_epoch: batches in an epoch of one rank; None is as many as the training samples fill.
        inputs: what is read of a clip: `MediaInputs(...)` (the default) decodes, `StoredFeatures(...)` reads features.
        collate: items to a batch; None is `collate_items`, a documented dictionary.
        weights: mixture weights by data set; None is proportional to the number of samples.
        limit: by data set, the number of samples that are used at all (a seeded subset).
        task_weights: by data set, how its draws are divided among its tasks; None is evenly.
        seed: of everything that is drawn.
        num_workers: of the loaders; 0 reads in this process. Batches do not depend on it.
        on_bad: `error`, or `skip` to leave unreadable clips out of their batch and count them in `skips`.
        timeout: seconds without a batch after which a hanging worker is an error that names what it reads.
        validation_batch_size: None is `batch_size`.
        validation_collate: of the validation, test and predict loaders; None is `collate`.

    Attributes:
        epoch_offset: the trainer's epoch that is this module's own epoch 0, set where phases share one fit.
        skips: what was left out, and why.
    """

    def __init__(
        self,
        train: Sequence[Sample] | Mapping[str, Sequence[Sample]] = (),
        validation: Sequence[Sample] = (),
        test: Sequence[Sample] = (),
        *,
        batch_size: int = 8,
        steps_per_epoch: int | None = None,
        inputs: InputReader | None = None,
        collate: Collate | None = None,
        weights: Mapping[str, float] | None = None,
        limit: Mapping[str, int] | None = None,
        task_weights: Mapping[str, Mapping[Task, float]] | None = None,
        seed: int = 0,
        num_workers: int = 0,
        on_bad: OnBad = "error",
        timeout: float = 120.0,
        validation_batch_size: int | None = None,
        validation_collate: Collate | None = None,
    ) -> None:
        super().__init__()
        if on_bad not in ("error", "skip"):
            raise ValueError(f"on_bad is 'error' or 'skip', not {on_bad!r}")
        self.limit = dict(limit or {})
        self.seed = seed
        self.groups = self._grouped(train)
        self.validation, self.test = list(validation), list(test)
        self.batch_size = batch_size
        self.steps_per_epoch = steps_per_epoch
        self.inputs = inputs if inputs is not None else MediaInputs()
        self.collate = collate if collate is not None else collate_items
        self.weights = weights
        self.task_weights = {name: dict(shares) for name, shares in (task_weights or {}).items()}
        self.num_workers = num_workers
        self.on_bad: OnBad = on_bad
        self.timeout = timeout
        self.validation_batch_size = validation_batch_size or batch_size
        self.validation_collate = validation_collate if validation_collate is not None else self.collate
        self.epoch_offset = 0
        self.skips = SkipReport()

    def setup(self, stage: str | None = None) -> None:
        prepare = getattr(self.inputs, "prepare", None)
        if prepare is not None:
            training = [sample for samples in self.groups.values() for sample in samples]
            prepare([*training, *self.validation, *self.test])

    def manifest(self) -> str:
        """SHA-256 (hex, 16 characters) of what is listed for training, in order: ids, tasks and labels, not where media lie."""
        digest = hashlib.sha256()
        for name, samples in self.groups.items():
            for s in samples:
                listed = (name, s.dataset, s.id, [str(task) for task in s.tasks], s.subtitle, s.label, s.words, s.score)
                digest.update(repr((*listed, s.description, s.response)).encode())
        return digest.hexdigest()[:16]

    def train_dataloader(self) -> TrainingLoader:
        """Batches of the mixture; resumable inside an epoch."""
        if not any(self.groups.values()):
            raise ValueError(f"{type(self).__name__} has no training samples; check the data root or the split")
        rank, world_size = self._ranks()
        sizes = {name: len(samples) for name, samples in self.groups.items()}
        steps = self.steps_per_epoch or max(1, sum(sizes.values()) // (self.batch_size * world_size))
        sampler = MixtureSampler(
            Mixture(sizes, self.weights, self.seed), steps, self.batch_size, rank=rank, world_size=world_size
        )
        sampler.first_epoch = self.epoch_offset
        sampler.set_epoch(self.trainer.current_epoch if self.trainer is not None else self.epoch_offset)
        draws = Draws(
            self.groups, self.inputs, self.collate, task_weights=self.task_weights, seed=self.seed, on_bad=self.on_bad
        )
        return TrainingLoader(draws, report=self.skips, sampler=sampler, seed=self.seed, **self._options())

    def val_dataloader(self) -> DataLoader | list[DataLoader]:
        return self._listed(self.validation)

    def test_dataloader(self) -> DataLoader | list[DataLoader]:
        return self._listed(self.test)

    def predict_dataloader(self) -> DataLoader | list[DataLoader]:
        return self._listed(self.test)

    def teardown(self, stage: str) -> None:
        if self.skips.skipped or self.skips.rejected:
            log.warning("%s: %s", type(self).__name__, self.skips)
        self.skips.check()

    def _listed(self, samples: Sequence[Sample]) -> DataLoader | list[DataLoader]:
        if not samples:
            return []  # Lightning's word for: there is nothing to run
        rank, world_size = self._ranks()
        if self.trainer is not None and isinstance(self.trainer.strategy, FSDPStrategy | ModelParallelStrategy):
            rank, world_size = 0, 1  # where a forward pass needs all ranks, each needs as many batches: all of them
        listed = Listed(
            samples,
            self.inputs,
            self.validation_collate,
            task_weights=self.task_weights,
            seed=self.seed,
            on_bad=self.on_bad,
        )
        sampler = RankSampler(len(listed), rank=rank, world_size=world_size)
        return ListedLoader(
            listed, report=self.skips, batch_size=self.validation_batch_size, sampler=sampler, **self._options()
        )

    def _grouped(self, train: Sequence[Sample] | Mapping[str, Sequence[Sample]]) -> dict[str, list[Sample]]:
        groups: dict[str, list[Sample]] = {}
        if isinstance(train, Mapping):
            groups = {name: list(samples) for name, samples in train.items()}
        else:
            for sample in train:
                groups.setdefault(sample.dataset, []).append(sample)
        return {name: limited(samples, self.limit.get(name), self.seed) for name, samples in groups.items()}

    def _options(self) -> dict[str, Any]:
        return {
            "num_workers": self.num_workers,
            "pin_memory": torch.cuda.is_available(),
            "timeout": self.timeout,
        }

    def _ranks(self) -> tuple[int, int]:
        return (self.trainer.global_rank, self.trainer.world_size) if self.trainer is not None else (0, 1)


class DatasetModule(AffectDataModule):
    """One data set by name, read from its own layout when it is set up.

    With `on_bad="skip"`, entries of the annotation that cannot be used are left out and counted in `skips`, as clips are that
    cannot be read.

    Args:
        root: the data root, which holds one folder per data set.
        layout: which of its layouts; None is the first one that is there. E.g. `unibench_english` of MER2024.
        subset: a named alternative to the official splits, e.g. `as_released`.
        split_by: divide all samples anew so that no `actor`, `speaker`, `dialogue` (a key of `Sample.meta`) is in two parts.
        shares: of the parts then; their division depends on `seed` alone.
        options: of `AffectDataModule`.
    """

    dataset: str

    def __init__(
        self,
        root: str | Path,
        *,
        batch_size: int = 8,
        layout: str | None = None,
        subset: str | None = None,
        split_by: str | None = None,
        shares: Mapping[str, float] = SHARES,
        **options: Any,
    ) -> None:
        super().__init__(batch_size=batch_size, **options)
        if subset is not None and split_by is not None:
            raise ValueError("subset and split_by are two ways to divide the samples; choose one")
        if unknown := set(shares) - set(SHARES):
            raise ValueError(f"shares are of {list(SHARES)}, not of {sorted(unknown)}")
        self.root = Path(root)
        self.layout, self.subset, self.split_by, self.shares = layout, subset, split_by, dict(shares)
        self._read = False

    def setup(self, stage: str | None = None) -> None:
        if not self._read:
            if self.split_by is not None:
                found = grouped_split(self._entries("all"), self.split_by, self.shares, self.seed)
            else:
                splits = splits_of(self.dataset, self.root, layout=self.layout, subset=self.subset)
                found = {split: self._entries(split) for split in splits}
            self.groups = self._grouped(found.get("train", []))
            self.validation, self.test = found.get("validation", []), found.get("test", [])
            self._read = True
        super().setup(stage)

    def _entries(self, split: str) -> list[Sample]:
        annotation = read_annotation(self.dataset, self.root, split, layout=self.layout, subset=self.subset)
        if annotation.rejected and self.on_bad == "error":
            raise annotation.rejected[0]
        self.skips.annotations[f"{self.dataset}/{split}"] = annotation
        return annotation.samples
