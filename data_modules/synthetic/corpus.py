"""`write_corpus`: the whole synthetic world on disk, once, the same for a seed whatever the number of workers.

It is written beside its place and renamed into it when complete, so a corpus that exists is whole.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import shutil
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from data_modules.synthetic.layouts import World, write_layouts
from data_modules.synthetic.recording import Recording, record

VERSION = 2  # raise it when the same seed writes something else
MANIFEST = "manifest.json"
DEFAULT_CLIPS = 2400
SHARES = {  # relative number of clips
    "CREMA-D": 260,
    "M3ED": 160,
    "CAER": 180,
    "FERV39k": 240,
    "MIntRec/train": 240,
    "MIntRec/validation": 24,
    "MIntRec/test": 100,
    "MIntRec2.0/train": 300,
    "MIntRec2.0/validation": 30,
    "MIntRec2.0/test": 90,
    "MER-Caption+": 460,
    "OV-MERD": 90,
    "MERR": 50,
    "EMER": 40,
    "AvaMERG/train": 230,
    "AvaMERG/validation": 80,
    "MER2023/train": 16,
    "MER2023/test": 140,
    "CMU-MOSI/train": 12,
    "CMU-MOSI/validation": 8,
    "CMU-MOSI/test": 110,
}
README = """This is a synthetic corpus: people, faces, voices and words drawn by a program from seed {seed}.
Nobody was recorded. It has the layouts of published data sets so that the same readers serve both; it contains
nothing of them but their class names and CREMA-D's twelve sentences. Results on it are results on a toy world.
"""


class CorpusError(RuntimeError):
    """A corpus cannot be written where it was asked for."""


@dataclass(frozen=True, slots=True)
class CorpusReport:
    """What there is now. `written` is False where a finished corpus of the same seed and size was found."""

    root: Path
    seed: int
    clips: int
    sizes: dict[str, int]
    megabytes: float
    seconds: float
    written: bool


def corpus_sizes(clips: int) -> dict[str, int]:
    """Clips of each part for a corpus of about `clips`; at least two each."""
    total = sum(SHARES.values())
    return {name: max(2, round(clips * share / total)) for name, share in SHARES.items()}


def write_corpus(
    root: Path, seed: int = 0, clips: int = DEFAULT_CLIPS, workers: int = 0, progress: bool = True
) -> CorpusReport:
    """Writes all data sets below `root`; a finished corpus of the same seed and size is left as it is.

    Args:
        root: becomes the data root of the readers.
        seed: of everything in it.
        clips: about how many clips, all data sets together.
        workers: processes that render; 0 means one for each core, 1 none but this one.
        progress: show a bar on standard error.

    Raises:
        CorpusError: `root` holds another corpus, or something that is not a corpus; nothing is touched.
    """
    start = time.monotonic()
    found = _existing(root, seed, clips)
    if found is not None:
        return found
    partial = root.parent / f".{root.name}.partial-{os.getpid()}"
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    try:
        world = World(partial, seed, corpus_sizes(clips))
        write_layouts(world)
        written = _render(world.recordings, workers or os.cpu_count() or 1, progress)
        world.write_text("README.txt", README.format(seed=seed))
        manifest = {
            "synthetic": True,
            "version": VERSION,
            "seed": seed,
            "clips": clips,
            "sizes": world.sizes,
            "recordings": len(world.recordings),
            "megabytes": round(written / 1e6, 1),
        }
        world.write_json(MANIFEST, manifest)
        if root.exists():
            root.rmdir()  # it is empty: `_existing` has looked
        partial.rename(root)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return CorpusReport(root, seed, len(world.recordings), dict(world.sizes), written / 1e6, time.monotonic() - start, True)


def _existing(root: Path, seed: int, clips: int) -> CorpusReport | None:
    manifest = root / MANIFEST
    if not manifest.is_file():
        if root.exists() and (not root.is_dir() or any(root.iterdir())):
            raise CorpusError(f"{root} exists and is no synthetic corpus (no {MANIFEST}); choose an empty or new folder")
        return None
    has = json.loads(manifest.read_text(encoding="utf-8"))
    wanted = {"version": VERSION, "seed": seed, "clips": clips}
    if differing := {key: (has.get(key), value) for key, value in wanted.items() if has.get(key) != value}:
        text = ", ".join(f"{key} is {old}, asked for {new}" for key, (old, new) in differing.items())
        raise CorpusError(f"{root} holds another synthetic corpus: {text}; remove it or choose another folder")
    return CorpusReport(root, seed, has["recordings"], has["sizes"], has["megabytes"], 0.0, False)


def _render(recordings: list[Recording], workers: int, progress: bool) -> int:
    columns = (TextColumn("[bold]synthetic corpus"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), disable=not progress, transient=True) as bar:
        task = bar.add_task("clips", total=len(recordings))
        written = 0
        for size in _sizes(recordings, min(workers, len(recordings))):
            written += size
            bar.advance(task)
    return written


def _sizes(recordings: list[Recording], workers: int) -> Iterator[int]:
    if workers <= 1:
        yield from map(record, recordings)
        return
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, mp_context=context) as pool:
        yield from pool.map(record, recordings, chunksize=8)
