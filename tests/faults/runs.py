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

import torch
from torch import Tensor

from callbacks.resume import generations
from experiments.metrics_log import read_metrics
from nano_emox.checkpoint_io import read_weights
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
        world: the directory that `tests.faults.child.make_world` has filled.
        output: its directory.
        overrides: of the configuration, `key=value`.
    """

    def __init__(self, world: Path, output: Path, *overrides: str) -> None:
        self.world, self.output, self.overrides = world, output, overrides
        self.draws = output.parent / f"{output.name}.draws.jsonl"
        self.lives = 0

    def live(self, *more: str, inject: str = "", env: Mapping[str, str] | None = None, output: Path | None = None) -> Life:
        """Start `nano-emox train` once more.

        Args:
            more: arguments and overrides of this life.
            inject: `name:value:...`, a function of `tests.faults.child` that breaks something, and its arguments.
            env: environment variables.
            output: file that takes what is printed; None is beside the run's directory.
        """
        self.lives += 1
        log = output or self.output.parent / f"{self.output.name}.life{self.lives}.txt"
        arguments = ["train", "--preset", str(self.world / "preset.yaml"), f"output={self.output}", *self.overrides, *more]
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

    def by_batch(self, rank: int = 0) -> list[dict[str, Any]]:
        """The rows of a rank in batch order, each batch once: the life that applied it last is the one that counts.

        Raises:
            AssertionError: a batch is missing, or two lives saw it differently.
        """
        rows: dict[int, dict[str, Any]] = {}
        for row in (row for row in self.drawn() if row["rank"] == rank):
            batch = row["batch"]
            assert rows.get(batch, row) | {"life": row["life"]} == row, f"two lives differ in batch {batch}"
            rows[batch] = row
        assert sorted(rows) == list(range(len(rows))), f"batches {sorted(rows)}"
        return [{key: value for key, value in rows[batch].items() if key != "life"} for batch in sorted(rows)]

    def weights(self) -> dict[str, Tensor]:
        """All phases' results, by `phase: parameter`."""
        return {
            f"{phase}: {name}": value
            for phase in child.PHASES
            for name, value in read_weights(self.output / f"{phase}.safetensors").items()
        }

    def checkpoints(self) -> list[Path]:
        """The run's checkpoints, newest first."""
        return generations(self.output / "resume" / "p2e")


def assert_same(run: Run, whole: Run, rank: int = 0, logs: bool = True) -> None:
    """Bit-equal weights after every phase; the same samples in the same batches, with the same trainable names and groups.

    With `logs`, every value in the local log is the same as well, those of validation among them.
    """
    mine, theirs = run.weights(), whole.weights()
    assert mine.keys() == theirs.keys()
    assert [name for name, value in mine.items() if not torch.equal(value, theirs[name])] == []
    assert run.by_batch(rank) == whole.by_batch(rank)
    if logs:
        rows = [read_metrics(each.output / "logs" / "p2e" / "metrics.jsonl") for each in (run, whole)]
        assert len(rows[1]) > len(child.PHASES)
        logged, expected = ([repr(sorted(row.items())) for row in each] for each in rows)  # of a NaN, the text is equal
        assert (other := [row for row in logged if row not in expected]) == [], other
        assert logged == expected, (len(logged), len(expected))
