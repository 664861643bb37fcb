"""Loader workers that cannot fail without a name: each notes what it is reading, where the main process can see it.

A worker that is killed (by the kernel, for memory) or that hangs (a stalled disk, a decoder in a loop) cannot say so
itself. Its note can: the error says which sample, which file, and for how long.
"""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from typing import Any, NamedTuple

import torch
from torch.utils.data import DataLoader, Dataset, get_worker_info
from torch.utils.data._utils.signal_handling import _remove_worker_pids

from data_modules.record import Sample

_SIZE = 2048  # bytes of a note
_POLL = 5.0  # seconds between two looks at the workers while no batch comes


class WorkerError(RuntimeError):
    """A loader worker died or hangs; the message names what it was reading, and what to do."""


class Note(NamedTuple):
    """What a worker reads, since when (seconds of `time.time`); `reading` is False once it has done so."""

    reading: bool
    since: float
    what: str


class Notes:
    """One note a worker, in memory that the main process and its workers share."""

    def __init__(self, workers: int) -> None:
        self._rows = torch.zeros(workers, _SIZE, dtype=torch.uint8).share_memory_()

    def begin(self, sample: Sample) -> None:
        """Note, in a worker, that it reads this sample from now on; elsewhere nothing is noted."""
        files = [str(path) for path in (sample.media.video, sample.media.audio) if path is not None]
        self._write(f"1 {time.time():.3f} {sample.dataset}/{sample.id} ({' and '.join(files)})")

    def end(self) -> None:
        """Note, in a worker, that what it read last has been read."""
        if (worker := get_worker_info()) is not None:
            self._rows[worker.id, 0] = ord("0")

    def of(self, worker: int) -> Note | None:
        """The note of a worker; None where it has read nothing yet."""
        text = bytes(self._rows[worker].tolist()).rstrip(b"\0").decode(errors="replace")
        if not text:
            return None
        state, since, what = text.split(" ", 2)
        return Note(state == "1", float(since), what)

    def _write(self, text: str) -> None:
        if (worker := get_worker_info()) is not None:
            line = text.encode()[:_SIZE].ljust(_SIZE, b"\0")
            self._rows[worker.id] = torch.frombuffer(bytearray(line), dtype=torch.uint8)


class NotedDataset(Dataset[Any]):
    """A data set that notes what it reads, where a `WatchedDataLoader` has given it `notes`."""

    notes: Notes | None = None

    def begin(self, sample: Sample) -> None:
        """Reading of a sample begins."""
        if self.notes is not None:
            self.notes.begin(sample)

    def end(self) -> None:
        """It has been read."""
        if self.notes is not None:
            self.notes.end()


class WatchedDataLoader(DataLoader):
    """A `DataLoader` whose dead or hanging worker is a `WorkerError` that names the sample.

    Args:
        dataset: notes what it reads.
        timeout: seconds without a batch after which the workers are said to hang.
        options: of `DataLoader`.
    """

    def __init__(self, dataset: NotedDataset, *, timeout: float = 120.0, num_workers: int = 0, **options: Any) -> None:
        if num_workers:
            options |= {"timeout": min(_POLL, timeout), "worker_init_fn": _ignore_interrupts}
        super().__init__(dataset, num_workers=num_workers, **options)
        self.patience = timeout

    def __iter__(self) -> Any:
        if not self.num_workers:
            return super().__iter__()
        assert isinstance(self.dataset, NotedDataset)
        self.dataset.notes = notes = Notes(self.num_workers)
        batches: Any = super().__iter__()
        # Torch would raise from whatever line the main process is at when a worker dies, and could not name the sample.
        _remove_worker_pids(id(batches))
        batches._worker_pids_set = False
        return self._watched(batches, notes)

    def _watched(self, batches: Any, notes: Notes) -> Iterator[Any]:
        asked = time.monotonic()
        while True:
            try:
                batch = next(batches)
            except StopIteration:
                return
            except (RuntimeError, OSError, EOFError) as error:  # also what a batch is fetched through breaks with its worker
                silent = isinstance(error, RuntimeError) and str(error).startswith("DataLoader timed out")
                if dead := _dead(batches._workers, 0.0 if silent else 1.0):
                    raise WorkerError(_died(batches._workers, dead, notes)) from error
                if not silent:
                    raise
                if time.monotonic() - asked >= self.patience:
                    raise WorkerError(_hangs(self.patience, self.num_workers, notes)) from error
                continue
            yield batch
            asked = time.monotonic()


def _dead(workers: Any, seconds: float) -> list[int]:
    """Numbers of the workers that have ended; a process that is just being killed gets some seconds to do so."""
    deadline = time.monotonic() + seconds
    while True:
        dead = [number for number, worker in enumerate(workers) if not worker.is_alive()]
        if dead or time.monotonic() >= deadline:
            return dead
        time.sleep(0.02)


def _died(workers: Any, dead: list[int], notes: Notes) -> str:
    lines = []
    for number in dead:
        code = workers[number].exitcode
        how = f"was killed by {signal.Signals(-code).name}" if code and code < 0 else f"ended with exit status {code}"
        lines.append(f"loader worker {number} (process {workers[number].pid}) {how} {_activity(notes.of(number))}")
    lines.append(
        "a kill that nobody asked for is the kernel's, for memory: lower data.workers, or give the job more; if it is always"
        " the same sample, look at its file, or take it out of the data set's annotation"
    )
    return "\n".join(lines)


def _hangs(seconds: float, workers: int, notes: Notes) -> str:
    lines = [f"no batch for {seconds:g} s"]
    lines += [f"loader worker {number} hangs, or waits, {_activity(notes.of(number))}" for number in range(workers)]
    lines.append(
        "the sample that has been read for longest is the one that hangs: see whether its file can be read at all (a stalled"
        " network disk?); data.timeout is the limit in seconds"
    )
    return "\n".join(lines)


def _activity(note: Note | None) -> str:
    if note is None:
        return "before it had read anything"
    if note.reading:
        return f"while it read {note.what}, for {max(0.0, time.time() - note.since):.1f} s"
    return f"after it had read {note.what}"


def _ignore_interrupts(_: int) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the main process ends its workers
