"""From drawn samples to batches: reading, skipping with a count, collating. What runs in the loader's workers is here.

A clip that cannot be read is an error, or is left out of its batch and counted with its reason; it is never replaced by
a random other one. Only a training batch with nothing left in it takes the next readable sample of the same data set
instead, which sample and order alone decide; that is counted as `substituted`, and is neither seen nor skipped.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

import numpy as np
import torch
from torch import Tensor

from data_modules.inputs import InputReader
from data_modules.media import MediaError
from data_modules.mixture import MixtureSampler, ResumableDataLoader, choose_task, draw_of
from data_modules.readers.annotation import Annotation
from data_modules.record import Item, Sample, Task
from data_modules.workers import NotedDataset, WatchedDataLoader

OnBad = Literal["error", "skip"]
Collate = Callable[[list[Item]], Any]
OVER_LONG = "over_long"  # the reason of what the collator left out, see `Collator`
_SUCCESSORS = 100  # how far an empty batch looks for something readable


class Skipped(NamedTuple):
    """A draw that was left out."""

    sample: str  # dataset/id
    reason: str
    message: str


class Loaded(NamedTuple):
    """What a worker hands over: a batch (None if nothing of it could be read), and what became of each draw of it."""

    batch: Any
    size: int  # draws that are in the batch
    skipped: list[Skipped]
    substituted: int = 0  # samples in the batch that were not drawn
    shortened: Mapping[str, Collection[str]] = {}  # text field -> samples of which the collator has cut it


@dataclass
class SkipReport:
    """What became of every entry of the annotation and of every draw; nothing goes missing without a reason.

    `seen` and `skipped`, by reason, add up to `listed`, the number of draws that was asked for. Entries that the readers
    rejected are never drawn; they are counted beside that, by data set and split.

    Attributes:
        batches: given out.
        substituted: samples given out in place of batches of which nothing could be read.
        counts: reason -> draws skipped.
        reasons: reason -> sample -> message.
        shortened: text field -> draws in which the collator has cut it.
        annotations: `dataset/split` -> what its annotation lists.
    """

    batches: int = 0
    listed: int = 0
    seen: int = 0
    substituted: int = 0
    counts: dict[str, int] = field(default_factory=dict)
    reasons: dict[str, dict[str, str]] = field(default_factory=dict)
    shortened: dict[str, int] = field(default_factory=dict)
    annotations: dict[str, Annotation] = field(default_factory=dict)

    @property
    def skipped(self) -> int:
        """Draws left out, for any reason."""
        return sum(self.counts.values())

    @property
    def rejected(self) -> int:
        """Entries of annotations that cannot be used."""
        return sum(len(annotation.rejected) for annotation in self.annotations.values())

    def add(self, loaded: Loaded, listed: int) -> None:
        """Count one batch that was asked for as `listed` draws."""
        self.batches += 1
        self.listed += listed
        self.seen += loaded.size
        self.substituted += loaded.substituted
        for sample, reason, message in loaded.skipped:
            self.counts[reason] = self.counts.get(reason, 0) + 1
            self.reasons.setdefault(reason, {})[sample] = message
        for name, samples in loaded.shortened.items():
            self.shortened[name] = self.shortened.get(name, 0) + len(samples)

    def check(self) -> None:
        """Do the counts add up?

        Raises:
            RuntimeError: draws were neither seen nor skipped; the message has the numbers.
        """
        if self.seen + self.skipped != self.listed:
            raise RuntimeError(f"{self.seen} draws seen + {self.skipped} skipped {self.counts} is not {self.listed} listed")

    def rows(self) -> list[dict[str, Any]]:
        """One row for every reason, e.g. for `pandas.DataFrame(report.rows())`, and one for what was substituted.

        Returns:
            `stage` (annotation or media), `of` (`dataset/split` of an annotation), `reason`, `count` (entries or draws), and
            `samples`: places in the annotation, or `dataset/id`, -> message.
        """
        rows: list[dict[str, Any]] = []
        for name, annotation in self.annotations.items():
            for reason, count in sorted(annotation.faults.items()):
                samples = {str(error.place): str(error) for error in annotation.rejected if error.fault.value == reason}
                rows.append({"stage": "annotation", "of": name, "reason": reason, "count": count, "samples": samples})
        for reason, messages in sorted(self.reasons.items()):
            count = self.counts.get(reason, 0)
            rows.append({"stage": "media", "of": "", "reason": reason, "count": count, "samples": dict(messages)})
        if self.substituted:
            rows.append({"stage": "media", "of": "", "reason": "substituted", "count": self.substituted, "samples": {}})
        return rows

    def as_dict(self) -> dict[str, Any]:
        """The numbers, and by reason the samples, as plain types."""
        return {
            "batches": self.batches,
            "listed": self.listed,
            "seen": self.seen,
            "substituted": self.substituted,
            "skipped": dict(self.counts),
            "samples": {reason: sorted(samples) for reason, samples in self.reasons.items()},
            "shortened": dict(self.shortened),
            "annotations": {
                name: {"listed": each.listed, "read": len(each.samples), "rejected": dict(each.faults)}
                for name, each in self.annotations.items()
            },
        }

    def __str__(self) -> str:
        lines = []
        for name, each in self.annotations.items():
            if each.rejected:
                lines.append(f"{name}: {each.listed} entries listed, {len(each.samples)} read, {len(each.rejected)} rejected")
        instead = f", {self.substituted} substituted" if self.substituted else ""
        counts = f"{self.seen} seen, {self.skipped or 'none'} skipped (of {self.listed} drawn){instead}"
        lines.append(counts + (":" if self.skipped else ""))
        for row in self.rows():
            if row["reason"] == "substituted":
                continue
            first = list(row["samples"])
            what = (
                f"{row['of']} {row['reason']}: {len(first)} entries" if row["of"] else f"{row['reason']}: {len(first)} clip(s)"
            )
            lines.append(f"  {what}: {', '.join(first[:20])}{', ...' if len(first) > 20 else ''}")
        if self.shortened:
            lines.append(
                "  over-long text was cut in " + ", ".join(f"{n} draws ({name})" for name, n in self.shortened.items())
            )
        return "\n".join(lines)


class _Collating(NotedDataset):
    """Reads items and makes them a batch, in one place for training and scoring."""

    def __init__(self, inputs: InputReader, collate: Collate, on_bad: OnBad) -> None:
        self.inputs, self.collate, self.on_bad = inputs, collate, on_bad

    def read(self, sample: Sample, task: Task, draw: int) -> Item | Skipped:
        self.begin(sample)
        try:
            return Item(sample, task, draw, self.inputs(sample))
        except MediaError as error:
            if self.on_bad == "skip":
                return Skipped(f"{sample.dataset}/{sample.id}", error.reason.value, str(error))
            hint = f"{sample.dataset}/{sample.id}: {error.hint}; on_bad='skip' leaves such clips out and counts them"
            raise MediaError(error.path, error.reason, hint) from error
        finally:
            self.end()

    def finish(self, read: Sequence[Item | Skipped], instead: Sequence[Item] = ()) -> Loaded:
        items = [item for item in read if isinstance(item, Item)]
        skipped = [item for item in read if isinstance(item, Skipped)]
        if not items and not instead:
            return Loaded(None, 0, skipped)
        batch = self.collate([*items, *instead])
        if getattr(batch, "left_out", 0):
            kept = {id(item) for item in batch.items}
            too_long = [item for item in items if id(item) not in kept]
            instead = [item for item in instead if id(item) in kept]
            items = [item for item in items if id(item) in kept]
            message = "longer than model.max_length"
            skipped += [Skipped(f"{i.sample.dataset}/{i.sample.id}", OVER_LONG, message) for i in too_long]
        return Loaded(batch, len(items), skipped, len(instead), getattr(batch, "shortened", {}))


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
        if any(isinstance(item, Item) for item in read):
            return self.finish(read)
        return self.finish(read, [self._successor(*batch[0])])

    def item(self, epoch: int, index: int) -> Item | Skipped:
        """One draw: the sample, with its task and its number for this epoch."""
        name, sample = self.samples[index]
        task = choose_task(sample, self.task_weights.get(name), self.seed, epoch)
        return self.read(sample, task, draw_of(self.seed, epoch, sample))

    def _successor(self, epoch: int, index: int) -> Item:
        """The next readable sample of the same data set."""
        group = self.samples[index][0]
        tried: list[Skipped] = []
        for step in range(1, _SUCCESSORS):
            following = (index + step) % len(self.samples)
            if self.samples[following][0] == group:
                item = self.item(epoch, following)
                if isinstance(item, Item):
                    return item
                tried.append(item)
        last = f"; the last was: {tried[-1].sample}: {tried[-1].message}" if tried else ""
        raise RuntimeError(f"nothing readable in {group}: a whole batch, and {len(tried)} samples after it{last}")


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
    """Unpacks what workers hand over: batches to the trainer, skips to the report.

    Attributes:
        account: what has been given out since the iterator was made, i.e. in this epoch or in what was left of it.
    """

    def __init__(self, dataset: Draws, *, report: SkipReport, **options: Any) -> None:
        super().__init__(dataset, **options)
        self.report = report
        self.account = SkipReport()

    def __iter__(self) -> Any:
        assert isinstance(self.sampler, MixtureSampler)
        self.account = SkipReport()
        size = self.sampler.batch_size
        for loaded in super().__iter__():
            for report in (self.report, self.account):
                report.add(loaded, size)
            yield loaded.batch


class ListedLoader(WatchedDataLoader):
    """The same for samples in a fixed order; a batch that is bad as a whole is left out.

    Attributes:
        account: what has been given out since the iterator was made.
    """

    def __init__(self, dataset: Listed, *, report: SkipReport, **options: Any) -> None:
        super().__init__(dataset, collate_fn=dataset.finish, **options)
        self.report = report
        self.account = SkipReport()

    def __iter__(self) -> Any:
        self.account = SkipReport()
        own, size = len(self.sampler), self.batch_size or 1  # type: ignore[arg-type]
        for number, loaded in enumerate(super().__iter__()):
            for report in (self.report, self.account):
                report.add(loaded, min(size, own - number * size))
            if loaded.batch is not None:
                yield loaded.batch


def collate_items(items: Sequence[Item]) -> dict[str, Any]:
    """A plain batch, for use without this project's model.

    Returns:
        `id`, `dataset`, `task`, `label`, `subtitle`, `description`, `response`: lists of text or None, in row order;
        `label_index` (batch,) int64: place of the label among the sample's candidates, -1 without; `score` (batch,)
        float32, NaN without; `sample`: the records, (batch,) array of objects; `inputs`: name -> (batch, ...) tensors,
        padded with zeros to the largest; `present`: name -> (batch,) bool: which rows have that input at all.
    """
    samples = [item.sample for item in items]
    names = sorted({name for item in items for name in item.inputs})
    records = np.empty(len(samples), dtype=object)  # no list: Lightning takes lists apart, and refuses frozen records in them
    records[:] = samples
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
        "sample": records,
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
