"""Many files looked over by several processes. A file that takes its process down is named, and the rest goes on."""

from __future__ import annotations

import multiprocessing
import os
import threading
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from itertools import islice

from data_modules.checking.files import FileJob, FileReport, check_file
from data_modules.containers import Reason

CHUNK = 8  # files that travel together

Found = list[tuple[FileJob, FileReport]]


def check_in_processes(jobs: Iterable[FileJob], workers: int) -> Iterator[Found]:
    """Findings as they come, a few files at a time, in no fixed order; every job is in exactly one list.

    Processes are spawned, so a script that calls this needs `if __name__ == "__main__":`. Without workers, all is done here.
    """
    waiting = iter(jobs)
    chunk = list(islice(waiting, CHUNK))
    while chunk and not workers:
        yield check_files(chunk)
        chunk = list(islice(waiting, CHUNK))
    while chunk:
        running: dict[Future[Found], list[FileJob]] = {}
        with _pool(workers) as pool:
            try:
                while chunk or running:
                    while chunk and len(running) < 2 * workers:
                        running[pool.submit(check_files, chunk)] = chunk
                        chunk = list(islice(waiting, CHUNK))
                    for future in wait(running, return_when=FIRST_COMPLETED).done:
                        yield future.result()
                        del running[future]
            except BrokenProcessPool:
                pass  # one of the files in flight did it
        for suspects in running.values():
            yield from _one_by_one(suspects)


def check_files(jobs: Sequence[FileJob]) -> Found:
    """Look some files over, in this process."""
    return [(job, check_file(job)) for job in jobs]


def _one_by_one(jobs: Sequence[FileJob]) -> Iterator[Found]:
    """One file at a time: it is known which one the process died of."""
    pool = _pool(1)
    for job in jobs:
        try:
            yield pool.submit(check_files, [job]).result()
        except BrokenProcessPool:
            yield [(job, FileReport.unusable(Reason.UNREADABLE, "the decoder's process died of this file"))]
            pool = _pool(1)
    pool.shutdown()


def _pool(workers: int) -> ProcessPoolExecutor:
    return ProcessPoolExecutor(workers, mp_context=multiprocessing.get_context("spawn"), initializer=_end_with_parent)


def _end_with_parent() -> None:
    """A killed check leaves no process behind: each waits for the one that started it."""
    parent = multiprocessing.parent_process()

    def follow() -> None:
        if parent is not None:
            parent.join()
            os._exit(1)

    threading.Thread(target=follow, daemon=True).start()
