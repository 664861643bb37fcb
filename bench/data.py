"""The data path: samples a second from media files and from the store, and extraction over decoding processes."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import torch
from torch import nn

from bench.clips import write_clips
from bench.presets import Row
from bench.reference import UnreadInputs
from bench.samples import make_samples
from bench.setting import Setting
from bench.timing import Ratio, ratio, round_robin
from data_modules.extraction import ClipDataModule, clips_of
from data_modules.features import ContentKeys
from data_modules.record import Task

ALL = ("visual", "face", "speech", "fusion", "text")
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
    """Clips a second through decoding processes and the towers of frames; without towers, decoding alone."""
    files = write_clips(directory / "many", clips, setting.preset.clip)
    samples = [s for s, _ in make_samples([Row(Task.MER, 0, 0)] * clips, files, setting.prompts, ())]
    data = ClipDataModule(
        clips_of(samples, ContentKeys()), setting.media, medium="frames", batch_size=8, num_workers=workers
    )  # fmt: skip
    group: list[nn.Module] = [tower for tower in setting.model.encoders.values() if tower.media == "frames"] if towers else []
    started = time.perf_counter()
    for batch in data.predict_dataloader():
        for tower in group:
            tower(batch["frames"].to(setting.device))
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return clips / (time.perf_counter() - started)
