"""The data path: samples a second from media files and from the store, and extraction over decoding processes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import cycle, islice
from pathlib import Path
from typing import Any

from torch import nn

from bench.clips import write_clips
from bench.presets import Row
from bench.reference import UnreadInputs
from bench.samples import make_samples
from bench.setting import Setting
from bench.timing import Ratio, now, ratio, round_robin
from data_modules.extraction import ClipDataModule, clips_of
from data_modules.features import ContentKeys
from data_modules.record import Task

ALL = ("visual", "face", "speech", "fusion", "text")
FILES, BATCH = 32, 8  # that clips are decoded from, and clips of a batch
READS = 16  # of the store in one call, for every decoded clip


def measure(setting: Setting, rounds: int) -> Iterator[Ratio]:
    """`data.store`: one item as the released loader makes it against one item by memory map, in one process each."""
    rows = make_samples([Row(Task.MER, 200, 9)] * len(setting.clips), setting.clips, setting.prompts, ALL)
    unread = UnreadInputs(setting.preset.model.frame_size)

    def reference() -> None:
        for item in setting.online(rows):
            unread(item.inputs)

    paths = {
        "reference": reference,
        "ours": lambda: [setting.from_store(rows, ALL) for _ in range(READS)],
    }
    taken = round_robin(paths, rounds)
    size = setting.preset.clip
    note = f"an item ({size.width}x{size.height}, {size.seconds:g} s; with what no tower reads) against a memory-mapped read"
    yield ratio("data.store", taken["reference"], taken["ours"], shares=(len(rows), len(rows) * READS), note=note)


def extraction_rate(setting: Setting, directory: Path, workers: int, clips: int, towers: bool = True) -> float:
    """Clips a second through decoding processes and the towers of frames; without towers, decoding alone.

    The clock starts when every process has delivered a batch: starting them is no part of the rate.

    Args:
        clips: how many, of at most `FILES` different files.

    Raises:
        ValueError: there are too few clips for a second batch.
    """
    size, first = setting.preset.clip, max(1, workers)
    if clips <= first * BATCH:
        raise ValueError(f"{clips} clips for {workers} processes; the clock starts only after {first * BATCH}")
    files = write_clips(directory / f"many-{size}", min(clips, FILES), size)
    samples = [s for s, _ in make_samples([Row(Task.MER, 0, 0)] * len(files), files, setting.prompts, ())]
    every = clips_of(samples, ContentKeys())
    data = ClipDataModule(
        list(islice(cycle(every), clips)), setting.media, medium="frames", batch_size=BATCH, num_workers=workers
    )  # fmt: skip
    group: list[nn.Module] = [tower for tower in setting.model.encoders.values() if tower.media == "frames"] if towers else []

    def clips_through(batches: Iterable[Mapping[str, Any]]) -> int:
        done = 0
        for batch in batches:
            for tower in group:
                tower(batch["frames"].to(setting.device))
            done += len(batch["key"])
        return done

    batches = iter(data.predict_dataloader())
    clips_through(islice(batches, first))
    started = now()
    return clips_through(batches) / (now() - started)
