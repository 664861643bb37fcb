"""The clips of many samples, each once, for running a frozen tower over them with `trainer.predict`.

clips = clips_of(samples, keys)
data = ClipDataModule(clips, MediaInputs(...), medium="frames", without=space)
trainer.predict(tower, data)        # predict_step receives {"key": [...], "frames": (rows, frames, 3, size, size)}
space.write({key: {} for key in data.absent})
"""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Literal

import torch
from lightning.pytorch import LightningDataModule
from torch import Tensor

from data_modules.features import ContentKeys
from data_modules.inputs import MediaInputs
from data_modules.loading import Loaded, OnBad, Skipped, SkipReport
from data_modules.media import ABSENT, MediaError
from data_modules.mixture import RankSampler
from data_modules.record import Media, Sample
from data_modules.workers import NotedDataset, WatchedDataLoader

Medium = Literal["frames", "clips"]
_READERS = 8  # threads that hash files


@dataclass(frozen=True, slots=True)
class Clip:
    """A clip by its content, with one of the samples that use it."""

    key: str
    sample: Sample


def clips_of(samples: Sequence[Sample], keys: ContentKeys, report: SkipReport | None = None) -> list[Clip]:
    """The clips that the samples use, each once, in the order of their first use.

    Args:
        keys: addresses; its cache file is written.
        report: counts the samples whose files are missing; without one they are an error.
    """
    _read_ahead({sample.media for sample in samples}, keys)
    found: dict[str, Clip] = {}
    for sample in samples:
        try:
            key = keys(sample.media)
        except MediaError as error:
            if report is None:
                raise MediaError(error.path, error.reason, f"{sample.dataset}/{sample.id}: {error.hint}") from error
            report.add(Loaded(None, 0, [Skipped(f"{sample.dataset}/{sample.id}", error.reason.value, str(error))]), 1)
            continue
        found.setdefault(key, Clip(key, sample))
    keys.save()
    return list(found.values())


def _read_ahead(media: Collection[Media], keys: ContentKeys) -> None:
    """Find the addresses in several threads: waiting for files, and hashing them, needs no interpreter."""

    def address(one: Media) -> None:
        with contextlib.suppress(MediaError):  # it will be raised, or reported, with the sample's name
            keys(one)

    with ThreadPoolExecutor(_READERS) as pool:
        list(pool.map(address, media))


@dataclass(frozen=True, slots=True)
class _Read:
    key: str
    media: Tensor | None  # None: the clip does not have this medium
    skipped: Skipped | None = None


class ClipDataset(NotedDataset):
    """Clips with one of their media, decoded."""

    def __init__(self, clips: Sequence[Clip], inputs: MediaInputs, medium: Medium, on_bad: OnBad = "error") -> None:
        self.clips, self.inputs, self.medium, self.on_bad = list(clips), inputs, medium, on_bad

    def __len__(self) -> int:
        return len(self.clips)

    def __getitem__(self, index: int) -> _Read:
        clip = self.clips[index]
        name = f"{clip.sample.dataset}/{clip.sample.id}"
        read = self.inputs.read_frames if self.medium == "frames" else self.inputs.read_clips
        self.begin(clip.sample)
        try:
            return _Read(clip.key, read(clip.sample))
        except MediaError as error:
            if error.reason in ABSENT:
                return _Read(clip.key, None)
            if self.on_bad == "skip":
                return _Read(clip.key, None, Skipped(name, error.reason.value, str(error)))
            raise MediaError(error.path, error.reason, f"{name}: {error.hint}") from error
        finally:
            self.end()


class ClipLoader(WatchedDataLoader):
    """Batches `{"key": [...], medium: (rows, ...)}` of the clips that have the medium; nothing is padded.

    The keys of the others go to `absent`, clips that cannot be read to `report`.
    """

    def __init__(self, dataset: ClipDataset, *, report: SkipReport, absent: list[str], **options: Any) -> None:
        super().__init__(dataset, collate_fn=list, **options)
        self.report, self.absent = report, absent

    def __iter__(self) -> Any:
        return self._batches(super().__iter__())

    def _batches(self, batches: Iterator[list[_Read]]) -> Iterator[dict[str, Any]]:
        assert isinstance(self.dataset, ClipDataset)
        for batch in batches:
            skipped = [read.skipped for read in batch if read.skipped is not None]
            self.absent += [read.key for read in batch if read.media is None and read.skipped is None]
            media = {read.key: read.media for read in batch if read.media is not None}
            self.report.add(Loaded(None, len(batch) - len(skipped), skipped), len(batch))
            if media:
                yield {"key": list(media), self.dataset.medium: torch.stack(list(media.values()))}


class ClipDataModule(LightningDataModule):
    """The predict loader over clips, shared among ranks without repeating any.

    Args:
        clips: from `clips_of`.
        inputs: how media are decoded; the tower's fingerprint should include `inputs.recipe(medium)`.
        medium: `frames` or `clips`, whichever the tower takes.
        without: keys that are done already, e.g. a `FeatureSpace`.
        on_bad: `error`, or `skip` to leave unreadable clips out and count them in `skips`.
        timeout: seconds without a batch after which a hanging worker is an error that names what it reads.

    Attributes:
        clips: those that are not done yet.
        absent: keys of clips without this medium, complete when the loader has been run through (on this rank).
        skips: what could not be read.
    """

    def __init__(
        self,
        clips: Sequence[Clip],
        inputs: MediaInputs,
        *,
        medium: Medium,
        without: Collection[str] | Any = (),
        batch_size: int = 16,
        num_workers: int = 0,
        on_bad: OnBad = "error",
        timeout: float = 120.0,
    ) -> None:
        super().__init__()
        self.shares = list(clips)
        self.clips = [clip for clip in clips if clip.key not in without]
        self.inputs, self.medium, self.on_bad = inputs, medium, on_bad
        self.batch_size, self.num_workers, self.timeout = batch_size, num_workers, timeout
        self.absent: list[str] = []
        self.skips = SkipReport()

    def predict_dataloader(self) -> ClipLoader:
        trainer = self.trainer
        rank, world_size = (trainer.global_rank, trainer.world_size) if trainer is not None else (0, 1)
        # Shares are of all clips: what is done already may look different to each rank, while another process writes.
        undone = {clip.key for clip in self.clips}
        share = [clip for clip in self.shares[rank::world_size] if clip.key in undone]
        return ClipLoader(
            ClipDataset(share, self.inputs, self.medium, self.on_bad),
            report=self.skips,
            absent=self.absent,
            batch_size=self.batch_size,
            sampler=RankSampler(len(share)),
            num_workers=self.num_workers,
            timeout=self.timeout,
            pin_memory=torch.cuda.is_available(),
        )
