"""Processes under test: real commands in real processes, so that SIGKILL is real.

A start costs a fork and not ten seconds of imports: `multiprocessing`'s fork server imports `tests.faults.child` once and
forks every process from there. Nothing but the disk is shared by two lives of a run.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from tests.faults import child

CONTEXT = multiprocessing.get_context("forkserver")


def start_server() -> None:
    """Import what all processes need, once; called by the session's fixture."""
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    CONTEXT.set_forkserver_preload(["tests.faults.child"])


class Life:
    """One process, from its start to its end, whichever that is.

    Args:
        target: an importable function, called in the process with `arguments`.
        output: file that takes what the process prints.
        env: environment variables of the process.
    """

    def __init__(self, target: Callable[..., Any], *arguments: Any, output: Path, env: Mapping[str, str] | None = None) -> None:
        output.parent.mkdir(parents=True, exist_ok=True)
        self.output = output
        self.process = CONTEXT.Process(target=child.begin, args=(target, arguments, str(output), dict(env or {})))
        self.process.start()

    @property
    def said(self) -> str:
        """What the process has printed."""
        return self.output.read_text(errors="replace") if self.output.exists() else ""

    @property
    def alive(self) -> bool:
        """Whether it still runs."""
        return self.process.is_alive()

    def signal(self, number: int = signal.SIGKILL) -> None:
        """Send a signal, unless the process has ended."""
        if self.process.is_alive():
            os.kill(self.process.pid or 0, number)

    def wait(self, seconds: float = 120) -> int:
        """The exit status; minus the signal's number where a signal ended it."""
        self.process.join(seconds)
        if self.process.is_alive():
            self.signal()
            self.process.join()
            raise TimeoutError(f"still running after {seconds} s: {self.said[-2000:]}")
        assert self.process.exitcode is not None
        return self.process.exitcode

    def until(self, condition: Callable[[], bool], seconds: float = 120) -> bool:
        """Wait until the condition holds; False where the process ended before."""
        deadline = time.monotonic() + seconds
        while not condition():
            if not self.alive:
                return False
            if time.monotonic() > deadline:
                raise TimeoutError(f"not after {seconds} s: {self.said[-2000:]}")
            time.sleep(0.002)
        return True


class Run:
    """A training run, in as many lives as it takes.

    Args:
        output: its directory.
        overrides: of the configuration, `key=value`, the world's among them.
    """

    def __init__(self, output: Path, *overrides: str) -> None:
        self.output, self.overrides = output, overrides
        self.draws = output.parent / f"{output.name}.draws.jsonl"
        self.lives = 0

    def live(self, *more: str, inject: str = "", env: Mapping[str, str] | None = None) -> Life:
        """Start `nano-emox train` once more; `inject` names a function of `tests.faults.child` that breaks something."""
        self.lives += 1
        log = self.output.parent / f"{self.output.name}.life{self.lives}.txt"
        arguments = ["train", *more, "--preset", "tiny", f"output={self.output}", *self.overrides]
        return Life(child.command, arguments, str(self.draws), inject, output=log, env=env)

    def finish(self, *more: str, **options: Any) -> Life:
        """One life to the end of the curriculum."""
        life = self.live(*more, **options)
        assert life.wait() == 0, life.said[-3000:]
        return life

    def drawn(self) -> list[dict[str, Any]]:
        """What every life drew, in order: `life`, `batch` (counted from 0 over the whole run), `step`, `phase`, `samples`."""
        if not self.draws.exists():
            return []
        lines = self.draws.read_bytes().splitlines(keepends=True)
        return [json.loads(line) for line in lines if line.endswith(b"\n")]

    def draws_so_far(self) -> int:
        """Batches trained on, by all lives together."""
        return self.draws.read_bytes().count(b"\n") if self.draws.exists() else 0
