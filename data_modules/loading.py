"""From drawn samples to batches: reading, skipping with a count, collating. What runs in the loader's workers is here.

A clip that cannot be read is an error, or is left out of its batch and counted with its reason; it is never replaced by
a random other one. Only a batch with nothing left in it takes the next readable samples of the same data set.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from data_modules.inputs import InputReader
from data_modules.media import MediaError
from data_modules.mixture import ResumableDataLoader, choose_task, draw_of
from data_modules.record import Item, Sample, Task

OnBad = Literal["error", "skip"]
Collate = Callable[[list[Item]], Any]
_SUCCESSORS = 100  # how far an empty batch looks for something readable


class Skipped(NamedTuple):
    """A draw that was left out."""

    sample: str  # dataset/id
    reason: str
    message: str


class Loaded(NamedTuple):
    """What a worker hands over: a batch (None if nothing of it could be read), its size, and what was left out."""

    batch: Any
    size: int
    skipped: list[Skipped]


@dataclass
class SkipReport:
    """How many draws were given out, how many left out, and why: `seen + skipped` is the number drawn."""

    seen: int = 0
    skipped: int = 0
    reasons: dict[str, dict[str, str]] = field(default_factory=dict)  # reason -> sample -> message

    def add(self, loaded: Loaded) -> None:
        """Count one batch."""
        self.seen += loaded.size
        self.skipped += len(loaded.skipped)
        for sample, reason, message in loaded.skipped:
            self.reasons.setdefault(reason, {})[sample] = message

    def __str__(self) -> str:
        if not self.skipped:
            return f"{self.seen} draws, none skipped"
        lines = [f"{self.seen} draws, {self.skipped} skipped:"]
        for reason, samples in sorted(self.reasons.items()):
            first = list(samples)
            lines.append(f"  {reason}: {len(first)} clip(s): {', '.join(first[:20])}{', ...' if len(first) > 20 else ''}")
        return "\n".join(lines)


class _Collating(Dataset[Any]):
    """Reads items and makes them a batch, in one place for training and scoring."""

    def __init__(self, inputs: InputReader, collate: Collate, on_bad: OnBad) -> None:
        self.inputs, self.collate, self.on_bad = inputs, collate, on_bad

    def read(self, sample: Sample, task: Task, draw: int) -> Item | Skipped:
        try:
            return Item(sample, task, draw, self.inputs(sample))
        except MediaError as error:
            if self.on_bad == "skip":
                return Skipped(f"{sample.dataset}/{sample.id}", error.reason.value, str(error))
            hint = f"{sample.dataset}/{sample.id}: {error.hint}; on_bad='skip' leaves such clips out and counts them"
            raise MediaError(error.path, error.reason, hint) from error

    def finish(self, read: Sequence[Item | Skipped]) -> Loaded:
        items = [item for item in read if isinstance(item, Item)]
        skipped = [item for item in read if isinstance(item, Skipped)]
        return Loaded(self.collate(items) if items else None, len(items), skipped)


class Draws(_Collating):
    """Batches of (epoch, index), as `MixtureSampler` gives them, over data sets laid end to end."""

    def __init__(
        self,
        groups: Mapping[str, Sequence[Sample]],
        inputs: InputReader,
        collate: Collate,
        *,
        task_weights: Mapping[str, Mapping[Task, float]],
        seed: int,
        on_bad: OnBad,
    ) -> None:
        super().__init__(inputs, collate, on_bad)
        self.samples = [(name, sample) for name, samples in groups.items() for sample in samples]
        self.task_weights = {name: dict(weights) for name, weights in task_weights.items()}
        self.seed = seed

    def __len__(self) -> int:
        return len(self.samples)

    def __getitem__(self, batch: Sequence[tuple[int, int]]) -> Loaded:
        read = [self.item(epoch, index) for epoch, index in batch]
        if all(isinstance(item, Skipped) for item in read):
            epoch, index = batch[0]
            group = self.samples[index][0]
            for step in range(1, _SUCCESSORS):
                following = (index + step) % len(self.samples)
                if self.samples[following][0] == group:
                    read.append(self.item(epoch, following))
                    if isinstance(read[-1], Item):
                        break
            else:
                raise RuntimeError(f"nothing readable in {group} after {len(read)} clips in a row; the last was: {read[-1]}")
        return self.finish(read)

    def item(self, epoch: int, index: int) -> Item | Skipped:
        """One draw: the sample, with its task and its number for this epoch."""
        name, sample = self.samples[index]
        task = choose_task(sample, self.task_weights.get(name), self.seed, epoch)
        return self.read(sample, task, draw_of(self.seed, epoch, sample))


class Listed(_Collating):
    """Samples in a fixed order, each once for each of its tasks."""

    def __init__(
        self,
        samples: Sequence[Sample],
        inputs: InputReader,
        collate: Collate,
        *,
        task_weights: Mapping[str, Mapping[Task, float]],
        seed: int,
        on_bad: OnBad,
    ) -> None:
        super().__init__(inputs, collate, on_bad)
        self.seed = seed
        self.asked = [
            (sample, task)
            for sample in samples
            for task in sample.tasks
            if sample.dataset not in task_weights or task_weights[sample.dataset].get(task, 0) > 0
        ]

    def __len__(self) -> int:
        return len(self.asked)

    def __getitem__(self, index: int) -> Item | Skipped:
        sample, task = self.asked[index]
        return self.read(sample, task, draw_of(self.seed, 0, sample))


class TrainingLoader(ResumableDataLoader):
    """Unpacks what workers hand over: batches to the trainer, skips to the report."""

    def __init__(self, dataset: Draws, *, report: SkipReport, **options: Any) -> None:
        super().__init__(dataset, **options)
        self.report = report

    def __iter__(self) -> Any:
        return _unpack(super().__iter__(), self.report)


class ListedLoader(DataLoader):
    """The same for samples in a fixed order; a batch that is bad as a whole is left out."""

    def __init__(self, dataset: Listed, *, report: SkipReport, **options: Any) -> None:
        super().__init__(dataset, collate_fn=dataset.finish, **options)
        self.report = report

    def __iter__(self) -> Any:
        return _unpack(super().__iter__(), self.report)


def _unpack(loaded: Iterator[Loaded], report: SkipReport) -> Iterator[Any]:
    for one in loaded:
        report.add(one)
        if one.batch is not None:
            yield one.batch


def collate_items(items: Sequence[Item]) -> dict[str, Any]:
    """A plain batch, for use without this project's model.

    Returns:
        `id`, `dataset`, `task`, `label`, `subtitle`, `description`, `response`: lists of text or None, in row order;
        `label_index` (batch,) int64: place of the label among the sample's candidates, -1 without; `score` (batch,)
        float32, NaN without; `sample`: the records; `inputs`: name -> (batch, ...) tensors, padded with zeros to the
        largest; `present`: name -> (batch,) bool: which rows have that input at all.
    """
    samples = [item.sample for item in items]
    names = sorted({name for item in items for name in item.inputs})
    places = [s.candidates.index(s.label) if s.label in s.candidates else -1 for s in samples]
    return {
        "id": [s.id for s in samples],
        "dataset": [s.dataset for s in samples],
        "task": [item.task.value for item in items],
        "label": [s.label for s in samples],
        "subtitle": [s.subtitle for s in samples],
        "description": [s.description for s in samples],
        "response": [s.response for s in samples],
        "label_index": torch.tensor(places),
        "score": torch.tensor([float("nan") if s.score is None else s.score for s in samples], dtype=torch.float32),
        "sample": samples,
        "inputs": {name: _pad([item.inputs.get(name) for item in items]) for name in names},
        "present": {name: torch.tensor([name in item.inputs for item in items]) for name in names},
    }


def _pad(rows: Sequence[Tensor | None]) -> Tensor:
    known = [row for row in rows if row is not None]
    shape = [max(sizes) for sizes in zip(*(row.shape for row in known), strict=True)]
    padded = torch.zeros((len(rows), *shape), dtype=known[0].dtype)
    for target, row in zip(padded, rows, strict=True):
        if row is not None:
            target[tuple(slice(size) for size in row.shape)] = row
    return padded
